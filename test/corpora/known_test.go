package corpora

// difference is why the program and a truth differ on a capture. Frames count
// from 1.
type difference struct {
	missing, extra int
	why            string
}

const (
	longPause = "the capture sticks together records of the same ends that are days or years apart; " +
		"a conversation without packets for 15 minutes is over, the truth knows no time: "
	noBody = "the status allows no content (RFC 9112 section 6.3), whatever Content-Length says: a client shows none"
)

// known lists, by kind of comparison and capture, every difference.
var known = map[string]map[string]difference{
	"http": {
		"ntop+nDPI/tests/cfgs/default/pcap/fuzz-2006-09-29-28586.pcap": {0, 4,
			"damaged on purpose. Requests whose heads are cut (frames 63, 72, 88: the second segment went to another address) are told, marked; " +
				"the truth leaves them out. 100 (frame 110) and 202 (126) are two answers, the truth lets either stand for both"},
		"ntop+nDPI/tests/cfgs/default/pcap/mpeg-dash.pcap": {1, 1,
			"port 59144: the request of frame 12 acknowledges the whole answer of frames 9 and 11, which came before it. " +
				"The truth joins them first in, first out; the request's own answer is not in the capture"},
		"wireshark-wiki/SampleCaptures/No-filter.pcap": {1, 1,
			"port 1123: the answer of frame 183 goes on to the end of the capture; 5 s after its head it is told with its request, open and " +
				"presumed. The truth has the request without a status, because the body never ends"},
		"zeek+zeek/http/http-lower-case.pcap": {1, 1,
			"frame 6 answers with http/1.1 in lower case: read as the answer it is, the truth has no status"},
		"zeek+zeek/http/http-lower-case-nonstandard-port.pcap": {1, 1,
			"the same as http-lower-case.pcap"},
		"zeek+zeek/http/zero-length-bodies-with-drops.pcap": {0, 6,
			"the truth's readers stop at the first gap, before frame 19. The exchanges of frames 24/27, 30/32 and 38/40 lost no byte; " +
				"19 and 20 stay halves, since the 1274 bytes before 19 may hold two requests; 35 answers a request that was not captured"},
		"zeek+zeek/tcp/qi_internet_SYNACK_curl_jsonip.pcap": {1, 2,
			"frame 5 acknowledges nothing of the request of frame 4: whoever sent that 200 had not seen it, and the server's own answer with other " +
				"bytes follows in frame 9. Told as halves"},
	},
	"tunnel": {
		"OISF+suricata-verify/tests/detect-pcre/detect-pcre-04/input.pcap": {2, 0,
			"frames 1 and 2 have two spaces around the target, and no handshake before them. The truth's paths are empty since tshark cuts at the " +
				"first space; here nothing but an exact request line proves that a message begins in a conversation whose beginning was not seen"},
		"OISF+suricata-verify/tests/detect-pcre/detect-pcre-05/input.pcap": {1, 0,
			"the same as detect-pcre-04, frame 1"},
		"OISF+suricata-verify/tests/http-response-line/input.pcap": {0, 1,
			"both sides have sequence and acknowledgement 0: the answer of frame 2 says that it did not see the request of frame 1, so it is a half " +
				"of its own. The truth has the request without a status, and says nothing of the answer"},
		"appneta+tcpreplay/test/test.rewrite_efcs": {0, 11,
			"each frame lacks its last 4 bytes. Requests whose heads are not whole are told, marked, with their answers where those are proven; " +
				"the truth keeps the answers only"},
		"appneta+tcpreplay/test/test2.rewrite_efcs": {0, 11, "the same as test.rewrite_efcs"},
		"appneta+tcpreplay/test/test.rewrite_mtutrunc": {0, 9,
			"frames are cut, most heads are not whole: as in test.rewrite_efcs"},
		"appneta+tcpreplay/test/test2.rewrite_mtutrunc": {0, 9, "the same as test.rewrite_mtutrunc"},
		"arkime+arkime/tests/pcap/gre-erspan-vxlan.pcap": {1, 1,
			"GET /Hello Arkime HTTP/1.0: the target is what stands between method and version, as lenient servers read it; the truth cuts it at its space"},
	},
	"evader": {
		"OISF+suricata-verify/tests/http-evader/http-evader-447/input.pcap": {1, 0, "100: " + noBody},
		"OISF+suricata-verify/tests/http-evader/http-evader-448/input.pcap": {1, 0, "101: " + noBody},
		"OISF+suricata-verify/tests/http-evader/http-evader-450/input.pcap": {1, 0, "204: " + noBody},
		"OISF+suricata-verify/tests/http-evader/http-evader-453/input.pcap": {1, 0, "304: " + noBody},
	},
	"flows": {
		"gopacket+gopacket/layers/testdata/linux_sll_oversized_addr.pcapng": {1, 2,
			"damaged on purpose: flags, numbers and protocols are changed at random, among them RST and FIN"},
		"gopacket+gopacket/pcapgo/tests/be/test100.pcapng": {1, 2,
			"frames 1 and 3 have no time and count as 1970, each before one of 2012: " + longPause},
		"gopacket+gopacket/pcapgo/tests/le/test100.pcapng": {1, 2, "the same as be/test100.pcapng"},
		"seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/gtpv2.pcap": {2, 5,
			longPause + "35 minutes, 4 days, 8 years"},
		"seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/ldap.pcapng": {1, 3,
			longPause + "31 days"},
		"seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/dns_over_tcp.pcapng": {1, 2,
			longPause + "51 years"},
		"the-tcpdump-group+tcpdump/tests/ikev2pI2.pcap": {1, 2,
			longPause + "one day"},
		"the-tcpdump-group+tcpdump/tests/kday4.pcap": {1, 2,
			"frames 6 and 10 are 24 days ahead of the others: time passed for all, and those of frames 5, 9 and 13 count as two"},
		"the-tcpdump-group+tcpdump/tests/kday7.pcap": {1, 2, "as kday4.pcap"},
		"wireshark-wiki/SampleCaptures/attachment_SLL_Simple.pcap": {0, 1,
			"frames 144 and 147 (DHCP, sent through a packet socket) name no protocol in their link header and hold IPv4: read as that, the truth leaves them out"},
		"wireshark-wiki/SampleCaptures/teardrop.cap": {1, 0,
			"frame 9 says that the datagram ends inside of frame 8: fragments that contradict each other make none"},
		"zeek+zeek/pbb-recursive-frames.pcapng": {1, 0,
			"52 headers of 802.1ah in each other, on purpose; up to 4 encapsulations are taken off"},
		"ntop+nDPI/tests/cfgs/default/pcap/fuzz-2006-09-29-28586.pcap": {1, 0,
			"frame 80: the TCP header says that it is longer than its packet"},
		"seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/pcapng-example.pcapng": {0, 1,
			"the SYN of port 40304 has no time and counts as 1970, the rest is of 2016: " + longPause + "46 years"},
	},
	"streams": {
		"the-tcpdump-group+tcpdump/tests/kday4.pcap": {0, 1, "as in flows"},
		"the-tcpdump-group+tcpdump/tests/kday7.pcap": {0, 1, "as in flows"},
		"the-tcpdump-group+tcpdump/tests/tcp_rst_diag_payload-trunc.pcap": {1, 1,
			"what a RST carries is a message for people, not a part of the stream (RFC 9293 section 3.10.7)"},
		"zeek+zeek/ipv4/fragmented-4.pcap": {1, 1,
			"frame 5 brings other bytes for what frame 3 brought: the first copy stays, here and in TCP; the truth takes the later"},
		"seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/pcapng-example.pcapng":   {0, 2, "as in flows"},
		"seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/dns_over_tcp.pcapng": {0, 1, "as in flows"},
		"ntop+nDPI/tests/cfgs/default/pcap/heuristic_tcp_ack_payload.pcap": {5, 5,
			"pure acknowledgements carry 2 or 6 bytes that are no data, also behind the FIN (frame 82 behind 80); the truth counts a byte of those"},
	},
}

package packet

// Link says how a frame begins: a LINKTYPE_ value of the pcap file formats
// (https://www.tcpdump.org/linktypes.html).
type Link uint32

// The link types that Parse reads and other packages name.
const (
	LinkNull     Link = 0   // BSD loopback, 4 bytes in the byte order of the host that captured
	LinkEthernet Link = 1   // IEEE 802.3
	LinkARCNET   Link = 7   // BSD ARCNET
	LinkPPP      Link = 9   // PPP, with or without HDLC framing
	LinkPPPHDLC  Link = 50  // PPP in HDLC-like framing
	LinkPPPoE    Link = 51  // PPPoE session
	LinkRaw      Link = 101 // IPv4 or IPv6 by the version nibble
	LinkCHDLC    Link = 104 // Cisco HDLC
	LinkLoop     Link = 108 // OpenBSD loopback, 4 bytes in network byte order
	LinkSLL      Link = 113 // Linux cooked capture, version 1
	LinkARCLinux Link = 129 // Linux ARCNET
	LinkIPv4     Link = 228
	LinkIPv6     Link = 229
	LinkNFLOG    Link = 239
	LinkSLL2     Link = 276 // Linux cooked capture, version 2
)

// Further link types that Parse reads.
const (
	linkTokenRing      Link = 6
	linkSLIP           Link = 8
	linkFDDI           Link = 10
	linkRawBSD         Link = 12 // DLT_RAW as some systems write it
	linkRawOpenBSD     Link = 14
	linkATM            Link = 100 // RFC 2684
	link80211          Link = 105
	linkATMClip        Link = 106
	linkFrameRelay     Link = 107
	linkENC            Link = 109 // OpenBSD IPsec
	linkPFLOG          Link = 117
	linkPrism          Link = 119
	linkIPoverFC       Link = 122
	linkSunATM         Link = 123
	linkRadiotap       Link = 127
	linkJuniperATM2    Link = 135
	linkJuniperATM1    Link = 137
	linkUser2          Link = 149 // Darwin's PKTAP before it had a number
	linkAVS            Link = 163
	linkPPI            Link = 192
	linkERF            Link = 197
	linkPPPDir         Link = 204
	linkCHDLCDir       Link = 205
	linkFrameRelayDir  Link = 206
	linkNetAnalyzer    Link = 240
	linkNetAnalyzerPre Link = 241 // with preamble
	linkIPoIB          Link = 242
	linkPKTAP          Link = 258
	linkMPacket        Link = 274
	linkDSABroadcom    Link = 281
	linkDSAPrepend     Link = 282
	linkDSA            Link = 283
	linkEDSA           Link = 284
)

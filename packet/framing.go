package packet

// link reads the header of a frame of any link type. Those that name another
// link type inside go one deeper.
func (ps *Parser) link(p *Packet, link Link, b []byte, depth int) Reason {
	if depth > MaxDepth {
		return TooDeep
	}
	switch link {
	case LinkEthernet:
		return ps.ethernet(p, b, depth)
	case LinkRaw, linkRawBSD, linkRawOpenBSD:
		return ps.ipAny(p, b, 0)
	case LinkIPv4:
		return ps.ipv4(p, b, 0)
	case LinkIPv6:
		return ps.ipv6(p, b, 0)
	case LinkSLL:
		// packet type, ARPHRD, address length, address[8], protocol
		if len(b) < 16 {
			return short(p)
		}
		return ps.cooked(p, be16(b[2:]), be16(b[14:]), b[16:])
	case LinkSLL2:
		// protocol, zero, interface[4], ARPHRD, packet type, address length, address[8]
		if len(b) < 20 {
			return short(p)
		}
		return ps.cooked(p, be16(b[8:]), be16(b), b[20:])
	case LinkNull, LinkLoop:
		return ps.null(p, b)
	case LinkPPP, LinkPPPHDLC:
		if len(b) > 3 && b[0]&0x7f == 0x0f && b[1] == 0 { // RFC 1547 section 4.3.1
			return ps.chdlc(p, b, depth)
		}
		return ps.ppp(p, b, depth)
	case linkPPPDir:
		return ps.ppp(p, b[min(1, len(b)):], depth)
	case LinkPPPoE:
		return ps.pppoe(p, b, depth)
	case LinkCHDLC:
		return ps.chdlc(p, b, depth)
	case linkCHDLCDir:
		return ps.chdlc(p, b[min(1, len(b)):], depth)
	case linkFrameRelay:
		return ps.frameRelay(p, b)
	case linkFrameRelayDir:
		return ps.frameRelay(p, b[min(1, len(b)):])
	case LinkARCNET, LinkARCLinux:
		return ps.arcnet(p, link, b)
	case LinkNFLOG:
		return ps.nflog(p, b)
	case linkFDDI: // frame control, addresses
		return ps.llcAt(p, b, 13)
	case linkTokenRing: // access and frame control, addresses; the top bit of the source announces a route
		n := 14
		if len(b) > 14 && b[8]&0x80 != 0 {
			n += int(b[14] & 31)
		}
		return ps.llcAt(p, b, n)
	case linkATM, linkATMClip:
		if len(b) > 2 && b[0] == 0xaa && b[1] == 0xaa {
			return ps.llc(p, b, depth)
		}
		if len(b) > 3 && b[0] == 0xfe && b[1] == 0xfe && b[2] == 3 {
			return ps.nlpid(p, b[3:])
		}
		return ps.ipAny(p, b, depth)
	case linkSunATM:
		return ps.llcAt(p, b, 4)
	case linkSLIP: // direction and 15 bytes for compressed headers
		return ps.ipAny(p, b[min(16, len(b)):], depth)
	case linkENC: // address family, SPI, flags
		return ps.ipAny(p, b[min(12, len(b)):], depth)
	case linkPFLOG: // the header holds its own length, without the pads
		if len(b) == 0 {
			return short(p)
		}
		return ps.ipAny(p, b[min((int(b[0])+3)&^3, len(b)):], depth)
	case link80211:
		return ps.dot11(p, b, depth, 0)
	case linkRadiotap:
		return ps.radiotap(p, b, depth)
	case linkPrism:
		if len(b) < 8 {
			return short(p)
		}
		return ps.dot11(p, b[min(int(le32(b[4:])&0xffff), len(b)):], depth, 0)
	case linkAVS:
		if len(b) < 8 {
			return short(p)
		}
		return ps.dot11(p, b[min(int(be32(b[4:])&0xffff), len(b)):], depth, 0)
	case linkPPI: // version, flags, length, link type
		if len(b) < 8 {
			return short(p)
		}
		return ps.link(p, Link(le32(b[4:])), b[min(int(le16(b[2:])), len(b)):], depth+1)
	case linkPKTAP, linkUser2: // length, kind of record, link type
		if len(b) < 12 {
			return short(p)
		}
		n := le32(b)
		if n < 12 || n > 4096 || le32(b[4:]) != 1 {
			return Unsupported
		}
		return ps.link(p, Link(le32(b[8:])), b[min(int(n), len(b)):], depth+1)
	case linkNetAnalyzer:
		return ps.ethernet(p, b[min(4, len(b)):], depth)
	case linkNetAnalyzerPre:
		return ps.ethernet(p, b[min(12, len(b)):], depth)
	case linkMPacket:
		return ps.ethernet(p, b[min(8, len(b)):], depth)
	case linkDSABroadcom, linkDSA: // a switch's tag between the addresses and the type
		return ps.tagged(p, b, 4, depth)
	case linkEDSA:
		return ps.tagged(p, b, 8, depth)
	case linkDSAPrepend:
		return ps.ethernet(p, b[min(4, len(b)):], depth)
	case linkIPoverFC: // RFC 2625: two network addresses
		return ps.llcAt(p, b, 16)
	case linkIPoIB: // RFC 4391 behind a global routing header
		if len(b) < 44 {
			return short(p)
		}
		return ps.etherType(p, be16(b[40:]), b[44:], depth)
	case linkERF:
		return ps.erf(p, b, depth)
	case linkJuniperATM1, linkJuniperATM2:
		return ps.juniper(p, b, depth)
	}
	return Unsupported
}

// tagged reads an Ethernet frame with n bytes of tag before its type.
func (ps *Parser) tagged(p *Packet, b []byte, n, depth int) Reason {
	if len(b) < n+14 {
		return short(p)
	}
	return ps.etherType(p, be16(b[n+12:]), b[n+14:], depth)
}

// erf reads a record of Endace's extensible record format that holds Ethernet,
// HDLC or IP.
func (ps *Parser) erf(p *Packet, b []byte, depth int) Reason {
	if len(b) < 16 {
		return short(p)
	}
	kind, n := b[8], 16
	for more := kind; more&0x80 != 0; n += 8 { // extension headers
		if len(b) < n+8 {
			return short(p)
		}
		more = b[n]
	}
	b = b[n:]
	switch kind & 0x7f {
	case 1:
		if len(b) > 3 && b[0]&0x7f == 0x0f {
			return ps.chdlc(p, b, depth)
		}
		return ps.ppp(p, b, depth)
	case 2, 11, 16, 20: // two bytes of offset and pad
		return ps.ethernet(p, b[min(2, len(b)):], depth)
	case 22:
		return ps.ipv4(p, b, depth)
	case 23:
		return ps.ipv6(p, b, depth)
	}
	return Unsupported
}

// llcAt reads an 802.2 header behind n bytes.
func (ps *Parser) llcAt(p *Packet, b []byte, n int) Reason {
	if len(b) < n {
		return short(p)
	}
	return ps.llc(p, b[n:], 0)
}

// arcnet reads RFC 1201 packets that are not split. Both forms begin with two
// addresses; Linux puts two bytes of offset before the type, and leaves out
// nothing else.
func (ps *Parser) arcnet(p *Packet, link Link, b []byte) Reason {
	n := 2
	if link == LinkARCLinux {
		n = 4
	}
	if len(b) < n+4 {
		return short(p)
	}
	t := b[n]
	n++
	if t != 240 && t != 241 { // RFC 1051 has neither flag nor sequence
		if flag := b[n]; link == LinkARCNET && flag == 0xff { // an exception frame repeats them
			n += 4
		} else if link == LinkARCNET && flag != 0 {
			return Unsupported
		}
		n += 3
	}
	if len(b) < n {
		return short(p)
	}
	switch t {
	case 212, 240:
		return ps.ipv4(p, b[n:], 0)
	case 196:
		return ps.ipv6(p, b[n:], 0)
	}
	return NotIP
}

// nflog reads the attributes of a netfilter log record, in the byte order of
// the host that captured, up to the packet.
func (ps *Parser) nflog(p *Packet, b []byte) Reason {
	if len(b) < 4 {
		return short(p)
	}
	b = b[4:] // family, version, resource
	for len(b) >= 4 {
		n, t := int(le16(b)), le16(b[2:])
		if n > len(b) || n < 4 || t > 255 {
			n, t = int(be16(b)), be16(b[2:])
		}
		if n < 4 {
			return Malformed
		}
		if t == 9 {
			return ps.ipAny(p, b[4:min(n, len(b))], 0)
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return NotIP
}

// juniper finds the 802.2 header behind Juniper's own one and a cookie.
func (ps *Parser) juniper(p *Packet, b []byte, depth int) Reason {
	if len(b) < 6 || b[0] != 0x4d || b[1] != 0x47 || b[2] != 0x43 {
		return Unsupported
	}
	n := 4
	if b[3]&0x80 != 0 {
		n += 2 + int(be16(b[4:]))
	}
	if b[3]&2 != 0 { // no link header: a protocol field, then the packet
		return ps.ipAny(p, b[min(n+4, len(b)):], depth)
	}
	for _, cookie := range [...]int{0, 4, 8} {
		if at := n + cookie; len(b) > at+3 && b[at] == 0xaa && b[at+1] == 0xaa {
			return ps.llc(p, b[at:], depth)
		}
	}
	return Unsupported
}

// The values of ARPHRD_ (Linux if_arp.h) whose cooked frames name something
// else than an EtherType.
const (
	arphrd80211    = 801
	arphrdPrism    = 802
	arphrdRadiotap = 803
	arphrdNetlink  = 824
)

// cooked reads what follows a Linux cooked header.
func (ps *Parser) cooked(p *Packet, arphrd, proto uint16, b []byte) Reason {
	switch arphrd {
	case arphrdNetlink:
		return NotIP
	case arphrd80211, arphrdPrism, arphrdRadiotap:
		if proto <= maxLLC {
			return ps.link(p, [...]Link{link80211, linkPrism, linkRadiotap}[arphrd-arphrd80211], b, 1)
		}
	}
	switch proto {
	case 1: // Novell 802.3 without LLC
		return NotIP
	case 4: // 802.2 LLC
		return ps.llc(p, b, 0)
	}
	if proto == 0 {
		return ps.ipAny(p, b, 0)
	}
	if proto <= maxLLC {
		return NotIP
	}
	return ps.etherType(p, proto, b, 0)
}

// null reads the address family of BSD loopback. Which order the bytes are in
// shows from the value: all families are small. AF_INET is 2 everywhere,
// AF_INET6 is 10 on Linux and Windows uses 23, the BSDs 24, 28 and 30.
func (ps *Parser) null(p *Packet, b []byte) Reason {
	if len(b) < 4 {
		return short(p)
	}
	f := be32(b)
	if f == 0x0f000800 { // Cisco HDLC under the wrong name
		return ps.ipv4(p, b[4:], 0)
	}
	if f > 0xffff {
		f = f>>24 | f>>8&0xff00
	}
	switch f {
	case 2:
		return ps.ipv4(p, b[4:], 0)
	case 10, 23, 24, 28, 30:
		return ps.ipv6(p, b[4:], 0)
	case typeIPv4, typeIPv6: // some writers put an EtherType there
		return ps.ipAny(p, b[4:], 0)
	}
	return NotIP
}

package packet

// link reads the header of every link type but plain Ethernet.
func (ps *Parser) link(p *Packet, b []byte) Reason {
	switch p.Link {
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
	}
	return Unsupported
}

// The values of ARPHRD_ (Linux if_arp.h) whose cooked frames name something
// else than an EtherType.
const (
	arphrdFrameRelay = 770
	arphrdIPGRE      = 778
	arphrdRadiotap   = 803
	arphrdNetlink    = 824
)

// cooked reads what follows a Linux cooked header.
func (ps *Parser) cooked(p *Packet, arphrd, proto uint16, b []byte) Reason {
	switch arphrd {
	case arphrdNetlink:
		return NotIP
	case arphrdIPGRE: // the protocol field is that of GRE, an EtherType too
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

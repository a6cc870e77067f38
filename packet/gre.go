package packet

// EtherTypes that only GRE carries.
const (
	typeERSPAN2 = 0x88be // and type I, which has no header
	typeERSPAN3 = 0x22eb
	typeWCCP    = 0x883e
	// Aruba's access points name one of their users by the type.
	typeAruba, typeArubaLast = 0x8200, 0x8240
)

// other reads the IP protocols that carry packets.
func (ps *Parser) other(p *Packet, proto Proto, b []byte, missing, depth int) Reason {
	a, z := ps.a, ps.b
	r := Unsupported
	switch proto {
	case protoIPv4:
		p.Tunnel = Tunnel{Kind: IPIP}
		r = ps.ipv4(p, b, depth+1)
	case protoIPv6:
		p.Tunnel = Tunnel{Kind: IPIP}
		r = ps.ipv6(p, b, depth+1)
	case protoGRE:
		r = ps.gre(p, b, depth)
	case protoAH:
		return ps.extensions(p, proto, b, missing, depth)
	case protoEtherIP: // RFC 3378
		if len(b) < 2 {
			return cut(missing)
		}
		if b[0]>>4 == 3 {
			p.Tunnel = Tunnel{Kind: IPIP}
			r = ps.ethernet(p, b[2:], depth+1)
		}
	case protoEthernet: // RFC 8986
		p.Tunnel = Tunnel{Kind: IPIP}
		r = ps.ethernet(p, b, depth+1)
	case protoMPLS: // RFC 4023
		p.Tunnel = Tunnel{Kind: IPIP}
		r = ps.mpls(p, b, depth+1)
	case protoPIM: // a register message holds a multicast packet (RFC 7761 section 4.9.3)
		if len(b) > 8 && b[0] == 0x21 {
			p.Tunnel = Tunnel{Kind: IPIP}
			r = ps.ipAny(p, b[8:], depth+1)
		}
	case protoL2TP:
		r = ps.l2tpIP(p, b, depth)
	}
	if r != OK {
		ps.a, ps.b = a, z // the innermost that could be reached
	}
	return r
}

// gre reads a GRE header, version 0 (RFC 2784, 2890 and the routing of 1701)
// or 1 (PPTP, RFC 2637).
func (ps *Parser) gre(p *Packet, b []byte, depth int) Reason {
	if len(b) < 4 {
		return short(p)
	}
	flags, t := be16(b), be16(b[2:])
	switch flags & 7 {
	case 0:
	case 1:
		return ps.pptp(p, flags, b, depth)
	default:
		return Unsupported
	}
	n := 4
	p.Tunnel = Tunnel{Kind: GRE}
	if flags&0xc000 != 0 {
		n += 4
	}
	if flags&0x2000 != 0 {
		if len(b) < n+4 {
			return short(p)
		}
		p.Tunnel.ID = be32(b[n:])
		n += 4
	}
	seq := flags&0x1000 != 0
	if seq {
		n += 4
	}
	if flags&0x4000 != 0 {
		for { // source route entries: family, offset, length; the last is null
			if len(b) < n+4 {
				return short(p)
			}
			family, size := be16(b[n:]), int(b[n+3])
			n += 4 + size
			if family == 0 && size == 0 {
				break
			}
		}
	}
	if len(b) < n {
		return short(p)
	}
	b = b[n:]
	depth++
	switch t {
	case typeIPv4:
		return ps.ipv4(p, b, depth)
	case typeERSPAN2, typeERSPAN3:
		return ps.erspan(p, b, seq, depth)
	case typeWCCP: // version 2 has a redirect header
		if len(b) > 4 && b[0]>>4 != 4 {
			b = b[4:]
		}
		return ps.ipv4(p, b, depth)
	case 0x9000:
		return ps.dot11(p, b, depth, 0)
	}
	if t <= maxLLC {
		return NotIP
	}
	if t >= typeAruba && t <= typeArubaLast {
		return ps.dot11(p, b, depth, 0)
	}
	return ps.etherType(p, t, b, depth)
}

// pptp reads what follows the first four bytes of an enhanced GRE header. The
// call id differs by direction.
func (ps *Parser) pptp(p *Packet, flags uint16, b []byte, depth int) Reason {
	n := 8
	if flags&0x1000 != 0 {
		n += 4
	}
	if flags&0x0080 != 0 {
		n += 4
	}
	if len(b) < n {
		return short(p)
	}
	if be16(b[2:]) != typePPP || len(b) == n { // an acknowledgement alone
		return NotIP
	}
	p.Tunnel = Tunnel{Kind: GRE}
	return ps.ppp(p, b[n:], depth+1)
}

// erspan reads the header of a mirrored frame. Type I has neither header nor
// sequence number. The session is not part of the flow's identity: many set-ups
// mirror each direction with a session of its own.
func (ps *Parser) erspan(p *Packet, b []byte, seq bool, depth int) Reason {
	p.Tunnel = Tunnel{Kind: ERSPAN}
	if !seq || len(b) == 0 {
		return ps.ethernet(p, b, depth)
	}
	n, ip := 0, false
	switch b[0] >> 4 {
	case 1:
		n = 8
	case 2:
		n = 12
		if len(b) < n {
			return short(p)
		}
		ip = b[10]>>2&0x1f == 2
		if b[11]&1 != 0 { // platform specific part
			n += 8
		}
	}
	if len(b) < n {
		return short(p)
	}
	if n > 0 {
		if id := be16(b) & 0xfff; id != 0 {
			p.VLAN = id
		}
	}
	if ip {
		return ps.ipAny(p, b[n:], depth)
	}
	return ps.ethernet(p, b[n:], depth)
}

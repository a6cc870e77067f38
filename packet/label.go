package packet

// mpls reads a label stack (RFC 3032) and guesses what it carries, since no
// field says so: an IP packet, or an Ethernet frame with or without a control
// word (RFC 4385, 4448). A MAC address may begin with 4 or 6, and one that
// begins with 0 looks like a control word.
func (ps *Parser) mpls(p *Packet, b []byte, depth int) Reason {
	for range maxTags {
		if len(b) < 4 {
			return short(p)
		}
		bottom := b[2]&1 != 0
		b = b[4:]
		if !bottom {
			continue
		}
		if len(b) == 0 {
			return short(p)
		}
		if b[0]>>4 == 0 && len(b) > 4 {
			if r, ok := ps.try(p, b[4:], depth); ok {
				return r
			}
		}
		if r, ok := ps.try(p, b, depth); ok {
			return r
		}
		return NotIP
	}
	return Malformed
}

// macsec reads a SecTAG (IEEE 802.1AE) where the frame is not encrypted. The
// check value at the end falls to the length of the IP packet.
func (ps *Parser) macsec(p *Packet, b []byte, depth int) Reason {
	n := 6
	if len(b) > 0 && b[0]&0x20 != 0 {
		n += 8
	}
	if len(b) < n+2 {
		return short(p)
	}
	if b[0]&0x0c != 0 {
		return Unsupported
	}
	return ps.etherType(p, be16(b[n:]), b[n+2:], depth+1)
}

// pppoe reads a session packet (RFC 2516).
func (ps *Parser) pppoe(p *Packet, b []byte, depth int) Reason {
	if len(b) < 6 {
		return short(p)
	}
	if b[0] != 0x11 {
		return Malformed
	}
	if b[1] != 0 {
		return NotIP
	}
	n := int(be16(b[4:]))
	b = b[6:]
	return ps.ppp(p, b[:min(n, len(b))], depth)
}

// ppp reads a PPP frame: address and control of HDLC framing (RFC 1662) may be
// there, and the protocol field may be compressed to one byte (RFC 1661).
func (ps *Parser) ppp(p *Packet, b []byte, depth int) Reason {
	if depth > MaxDepth {
		return TooDeep
	}
	if len(b) > 0 && b[0] == 0x7e {
		b = b[1:]
	}
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
	}
	if len(b) == 0 {
		return short(p)
	}
	proto := uint16(b[0])
	if b[0]&1 != 0 {
		b = b[1:]
	} else {
		if len(b) < 2 {
			return short(p)
		}
		proto, b = be16(b), b[2:]
	}
	switch proto {
	case 0x21:
		return ps.ipv4(p, b, depth)
	case 0x57:
		return ps.ipv6(p, b, depth)
	case 0x281, 0x283:
		return ps.mpls(p, b, depth)
	case 0x31: // bridging (RFC 3518): flags and pads, MAC type, LAN id
		if len(b) < 2 {
			return short(p)
		}
		n := 2
		if b[0]&0x40 != 0 {
			n += 4
		}
		if b[1] != 1 || len(b) < n {
			return Unsupported
		}
		return ps.ethernet(p, b[n:], depth+1)
	case 0x3d: // multilink (RFC 1990): a frame that is not split is whole
		if len(b) < 4 {
			return short(p)
		}
		if b[0]&0xc0 != 0xc0 {
			return Unsupported
		}
		return ps.ppp(p, b[4:], depth+1)
	case 0x2d, 0x2f, 0xfd, 0x53: // compressed, encrypted
		return Unsupported
	}
	return NotIP
}

// chdlc reads Cisco HDLC: address, control, EtherType.
func (ps *Parser) chdlc(p *Packet, b []byte, depth int) Reason {
	if len(b) < 4 {
		return short(p)
	}
	t := be16(b[2:])
	if t <= maxLLC {
		return NotIP
	}
	return ps.etherType(p, t, b[4:], depth)
}

// frameRelay reads a Q.922 address and the NLPID of RFC 2427, or the EtherType
// that Cisco puts there.
func (ps *Parser) frameRelay(p *Packet, b []byte) Reason {
	n := 0
	for n < len(b) && n < 4 && b[n]&1 == 0 {
		n++
	}
	n++
	if len(b) < n+2 {
		return short(p)
	}
	b = b[n:]
	if b[0] != 3 {
		return ps.chdlcType(p, b)
	}
	b = b[1:]
	if b[0] == 0 && len(b) > 1 { // pad
		b = b[1:]
	}
	return ps.nlpid(p, b)
}

func (ps *Parser) chdlcType(p *Packet, b []byte) Reason {
	if t := be16(b); t > maxLLC {
		return ps.etherType(p, t, b[2:], 0)
	}
	return NotIP
}

// nlpid reads a network layer protocol id (ISO/IEC TR 9577).
func (ps *Parser) nlpid(p *Packet, b []byte) Reason {
	switch b[0] {
	case 0xcc:
		return ps.ipv4(p, b[1:], 0)
	case 0x8e:
		return ps.ipv6(p, b[1:], 0)
	case 0xcf:
		return ps.ppp(p, b[1:], 0)
	case 0x80: // SNAP
		if len(b) < 6 {
			return short(p)
		}
		switch t := be16(b[4:]); {
		case b[1]|b[2]|b[3] == 0:
			return ps.chdlcType(p, b[4:])
		case be16(b[1:]) == 0x0080 && b[3] == 0xc2 && t == 7:
			return ps.ethernet(p, b[6:], 1)
		case be16(b[1:]) == 0x0080 && b[3] == 0xc2 && t == 1 && len(b) > 8:
			return ps.ethernet(p, b[6:], 1)
		}
	}
	return NotIP
}

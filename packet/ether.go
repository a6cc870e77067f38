package packet

// EtherTypes (IEEE registration authority) that the walk knows.
const (
	typeIPv4   = 0x0800
	typeARP    = 0x0806
	typeTRILL  = 0x22f3 // RFC 6325
	typeVLAN   = 0x8100
	typeIPv6   = 0x86dd
	typePPP    = 0x880b
	typeMPLS   = 0x8847
	typeMPLSM  = 0x8848 // with an upstream-assigned label
	typePPPoE  = 0x8864
	typeQinQ   = 0x88a8
	typeMACsec = 0x88e5
	typePBB    = 0x88e7 // I-tag, IEEE 802.1ah
	typeFabric = 0x8903 // Cisco FabricPath
	typeVNTag  = 0x8926
	typeETag   = 0x893f // IEEE 802.1BR
	typeNSH    = 0x894f // RFC 8300
	typeQinQ1  = 0x9100 // before 802.1ad was finished
	typeQinQ2  = 0x9200
	typeTEB    = 0x6558 // transparent Ethernet bridging
	maxLLC     = 1500   // up to here the field is a length, not a type
)

// ethernet reads a frame with two MAC addresses and a type or length.
func (ps *Parser) ethernet(p *Packet, b []byte, depth int) Reason {
	if len(b) < 14 {
		return short(p)
	}
	t := be16(b[12:14])
	if t == typeIPv4 {
		return ps.ipv4(p, b[14:], depth)
	}
	return ps.etherType(p, t, b[14:], depth)
}

// etherType reads what follows a type field, tags and labels first.
func (ps *Parser) etherType(p *Packet, t uint16, b []byte, depth int) Reason {
	if depth > MaxDepth {
		return TooDeep
	}
	for range maxTags {
		skip, at := 0, 0 // bytes of the tag, and where in it the next type stands
		switch t {
		case typeIPv4, typeIPv6:
			if unsaid(t, b) {
				p.VLAN = be16(b) & 0xfff
				b = b[4:]
			}
			if t == typeIPv4 {
				return ps.ipv4(p, b, depth)
			}
			return ps.ipv6(p, b, depth)
		case typeVLAN, typeQinQ, typeQinQ1, typeQinQ2:
			if len(b) >= 2 {
				p.VLAN = be16(b) & 0xfff
			}
			skip, at = 4, 2
		case typeMPLS, typeMPLSM:
			return ps.mpls(p, b, depth)
		case typePPPoE:
			return ps.pppoe(p, b, depth)
		case typeTEB:
			if depth == 0 {
				return NotIP // only a tunnel carries it
			}
			return ps.ethernet(p, b, depth)
		case typePPP:
			return ps.ppp(p, b, depth)
		case typeVNTag:
			skip, at = 6, 4
		case typeETag:
			skip, at = 8, 6
		case typePBB:
			if len(b) < 4 {
				return short(p)
			}
			return ps.ethernet(p, b[4:], depth+1)
		case typeFabric:
			if len(b) < 2 {
				return short(p)
			}
			return ps.ethernet(p, b[2:], depth+1)
		case typeTRILL: // version, multi-destination, option length, hops, nicknames
			if len(b) < 6 {
				return short(p)
			}
			return ps.ethernet(p, b[min(6+int(be16(b)>>6&0x1f)*4, len(b)):], depth+1)
		case typeMACsec:
			return ps.macsec(p, b, depth)
		case typeNSH:
			return ps.nsh(p, b, depth)
		default:
			if t <= maxLLC {
				return ps.llc(p, b[:min(len(b), int(t))], depth)
			}
			return NotIP
		}
		if len(b) < skip {
			return short(p)
		}
		t, b = be16(b[at:]), b[skip:]
	}
	return Malformed
}

// llc reads an IEEE 802.2 header and a SNAP header behind it (RFC 1042).
func (ps *Parser) llc(p *Packet, b []byte, depth int) Reason {
	if len(b) < 3 {
		return short(p)
	}
	switch {
	case b[0] == 0xaa && b[1] == 0xaa && b[2] == 3:
		if len(b) < 8 {
			return short(p)
		}
		// The organization is 0 for an EtherType and 00-00-F8 for the same
		// over bridges; Cisco's carries its own protocols but also 0x2000
		// and up, none of which are IP.
		if b[3] == 0 && b[4] == 0x80 && b[5] == 0xc2 && (be16(b[6:]) == 1 || be16(b[6:]) == 7) {
			return ps.bridged(p, b[8:], depth)
		}
		if b[3]|b[4] != 0 || b[5] != 0 && b[5] != 0xf8 {
			return NotIP
		}
		if t := be16(b[6:]); t > maxLLC {
			switch t {
			case typeIPv4:
				return ps.ipv4(p, b[8:], depth)
			case typeIPv6:
				return ps.ipv6(p, b[8:], depth)
			}
			return ps.etherType(p, t, b[8:], depth+1) // a tag may lead here again
		}
		return NotIP
	case b[0] == 6 && b[1] == 6 && b[2] == 3: // IP's own SAP
		return ps.ipAny(p, b[3:], depth)
	}
	return NotIP
}

// bridged reads an Ethernet frame behind a SNAP header (RFC 2684), with the two
// bytes of pad that ATM puts there.
func (ps *Parser) bridged(p *Packet, b []byte, depth int) Reason {
	if len(b) > 2 && be16(b) == 0 {
		b = b[2:]
	}
	return ps.ethernet(p, b, depth+1)
}

// unsaid tells whether a VLAN tag stands before the IP packet that the type
// before it announces. Linux, since 6.11, shows the inner tag of two so on
// cooked devices: it names the type behind all tags and strips the outer one.
func unsaid(t uint16, b []byte) bool {
	version := byte(4)
	if t == typeIPv6 {
		version = 6
	}
	return len(b) > 4+20 && b[0]>>4 != version && be16(b[2:]) == t && b[4]>>4 == version
}

package packet

// l2tpUDP reads a data message of L2TP version 2 (RFC 2661) or 3 (RFC 3931).
// The ids differ by direction.
func (ps *Parser) l2tpUDP(p *Packet, b []byte, depth int) Reason {
	if len(b) < 8 {
		return NotIP
	}
	flags := be16(b)
	if flags&0x8000 != 0 { // control
		return NotIP
	}
	switch flags & 15 {
	case 2:
		n := 6
		if flags&0x4000 != 0 {
			n += 2
		}
		if flags&0x0800 != 0 {
			n += 4
		}
		if flags&0x0200 != 0 {
			if len(b) < n+2 {
				return NotIP
			}
			n += 2 + int(be16(b[n:]))
		}
		if len(b) < n {
			return NotIP
		}
		return ps.ppp(p, b[n:], depth)
	case 3:
		return ps.pseudowire(p, b[8:], depth)
	}
	return NotIP
}

// l2tpIP reads a data message of L2TP version 3 right over IP.
func (ps *Parser) l2tpIP(p *Packet, b []byte, depth int) Reason {
	if len(b) < 4 {
		return short(p)
	}
	if be32(b) == 0 { // control
		return NotIP
	}
	p.Tunnel = Tunnel{Kind: L2TP}
	return ps.pseudowire(p, b[4:], depth+1)
}

// pseudowire reads what follows a session id: a cookie of 0, 4 or 8 bytes and
// a sublayer of 0 or 4 were agreed on elsewhere, and so was what comes then.
func (ps *Parser) pseudowire(p *Packet, b []byte, depth int) Reason {
	for n := 0; n <= 12 && n < len(b); n += 4 {
		if r, ok := ps.try(p, b[n:], depth); ok {
			return r
		}
	}
	return NotIP
}

// try guesses whether b is an Ethernet, PPP or Cisco HDLC frame or an IP
// packet. It leaves p as it was where none of them fits.
func (ps *Parser) try(p *Packet, b []byte, depth int) (Reason, bool) {
	o, liar := ps.save(p), ps.liar
	ether := len(b) >= 14 && likely(be16(b[12:]), len(b)-14)
	for kind := range 5 {
		ps.liar = liar
		r := NotIP
		switch kind {
		case 0:
			if len(b) < 20 || b[0]>>4 != 4 && b[0]>>4 != 6 || ether && !sound(b) || !ps.guess() {
				continue
			}
			r = ps.ipAny(p, b, depth)
		case 1:
			if !ether || !ps.guess() {
				continue
			}
			r = ps.ethernet(p, b, depth)
		case 2:
			if len(b) < 4 || be16(b) != 0xff03 && be16(b) != 0x0021 && be16(b) != 0x0057 || !ps.guess() {
				continue
			}
			r = ps.ppp(p, b, depth)
		case 3:
			if len(b) < 4 || b[0]&0x7f != 0x0f || b[1] != 0 || !ps.guess() {
				continue
			}
			r = ps.chdlc(p, b, depth)
		case 4: // what case 0 left out
			if !ether || len(b) < 20 || b[0]>>4 != 4 && b[0]>>4 != 6 || sound(b) || !ps.guess() {
				continue
			}
			r = ps.ipAny(p, b, depth)
		}
		switch r {
		case OK:
			if !ps.liar || kind == 4 {
				return OK, true
			}
		case Held, FragmentDuplicate, FragmentBad, FragmentShed, TooDeep, Unsupported, Elsewhere:
			return r, true
		case NotIP:
			if kind == 1 { // the type was a known one: ARP, or an LLC frame
				return r, true
			}
		}
		ps.restore(p, &o)
	}
	ps.liar = liar
	return NotIP, false
}

// guess counts the guesses made for one frame: nested ones would multiply.
func (ps *Parser) guess() bool {
	ps.trials++
	return ps.trials <= maxTrials
}

// sound tells whether an IP header is certainly one: by its checksum, or by
// its length for version 6. An unsound one may still be one whose checksum was
// left to the card.
func sound(b []byte) bool {
	if b[0]>>4 == 6 {
		return len(b) >= 40 && int(be16(b[4:]))+40 <= len(b)
	}
	n := int(b[0]&15) * 4
	if n < 20 || n > len(b) {
		return false
	}
	var sum uint32
	for i := 0; i < n; i += 2 {
		sum += uint32(be16(b[i:]))
	}
	return sum>>16+sum&0xffff == 0xffff
}

// likely tells whether an Ethernet type field is one that a frame with size
// bytes behind it would have.
func likely(t uint16, size int) bool {
	switch t {
	case typeIPv4, typeIPv6, typeARP, typeVLAN, typeQinQ, typeQinQ1, typeMPLS, typePPPoE, typePPPoE - 1, 0x88cc, 0x9000:
		return true
	}
	return t <= maxLLC && int(t) <= size && int(t) > 3
}

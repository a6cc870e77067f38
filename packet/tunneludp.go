package packet

import "net/netip"

// UDP ports of the tunnels (IANA service names, where registered).
const (
	portL2TP      = 1701
	portGTPU      = 2152
	portTeredo    = 3544
	portGTP0      = 3386
	portLISP      = 4341
	portGRE       = 4754
	portVXLAN     = 4789
	portVXLANGPE  = 4790
	portAYIYA     = 5072
	portCAPWAP    = 5247
	portGENEVE    = 6081
	portMPLS      = 6635
	portTZSP      = 37008
	portVXLANOld  = 8472 // Linux before the port was registered
	maxTrials     = 32   // guesses at what an unlabelled payload is, per frame
	vxlanHasVNI   = 0x08
	vxlanHasProto = 0x04
)

// outer is what a packet was before the walk looked inside it.
type outer struct {
	src, dst netip.AddrPort
	a, b     uint64
	tunnel   Tunnel
	vlan     uint16
}

func (ps *Parser) save(p *Packet) outer {
	return outer{p.Src, p.Dst, ps.a, ps.b, p.Tunnel, p.VLAN}
}

func (ps *Parser) restore(p *Packet, o *outer) {
	p.Src, p.Dst, p.Tunnel, p.VLAN = o.src, o.dst, o.tunnel, o.vlan
	ps.a, ps.b = o.a, o.b
}

// udpTunnel looks into the payload b of a datagram whose ports name a tunnel.
// It returns false, and p as it was, where there is none or the payload does not
// hold what the tunnel promises.
func (ps *Parser) udpTunnel(p *Packet, sport, dport uint16, b []byte, depth int) (Reason, bool) {
	var kind TunnelKind
	switch dport {
	case portVXLAN, portVXLANOld, portVXLANGPE:
		kind = VXLAN
	case portGENEVE:
		kind = GENEVE
	case portGTPU, portGTP0:
		kind = GTPU
	case portGRE:
		kind = GRE
	case portTZSP:
		kind = TZSP
	case portTeredo:
		kind = Teredo
	case portL2TP:
		kind = L2TP
	case portAYIYA:
		kind = AYIYA
	case portLISP:
		kind = LISP
	case portCAPWAP:
		kind = CAPWAP
	case portMPLS:
		kind = IPIP
	default:
		switch sport { // these answer from their port
		case portTeredo:
			kind = Teredo
		case portL2TP:
			kind = L2TP
		case portAYIYA:
			kind = AYIYA
		case portCAPWAP:
			kind = CAPWAP
		case portGTPU:
			kind = GTPU
		case portVXLAN:
			kind = VXLAN
		case portVXLANGPE:
			kind, dport = VXLAN, portVXLANGPE
		case portGENEVE:
			kind = GENEVE
		default:
			if ps.ports == nil {
				return OK, false
			}
			if kind = ps.ports[dport]; kind == NoTunnel {
				return OK, false
			}
		}
	}
	return ps.tunnel(p, kind, dport, b, depth)
}

// tunnel tries to take a tunnel header off b.
func (ps *Parser) tunnel(p *Packet, kind TunnelKind, dport uint16, b []byte, depth int) (Reason, bool) {
	o, liar := ps.save(p), ps.liar
	ps.liar = false
	p.Tunnel = Tunnel{Kind: kind}
	r := NotIP
	switch kind {
	case VXLAN:
		r = ps.vxlan(p, b, dport, depth+1)
	case GENEVE:
		r = ps.geneve(p, b, depth+1)
	case GTPU:
		if dport == portGTP0 {
			r = ps.gtp0(p, b, depth+1)
		} else {
			r = ps.gtpu(p, b, depth+1)
		}
	case GRE: // RFC 8086
		r = ps.gre(p, b, depth)
	case TZSP:
		r = ps.tzsp(p, b, depth+1)
	case Teredo:
		r = ps.teredo(p, b, depth+1)
	case L2TP:
		r = ps.l2tpUDP(p, b, depth+1)
	case AYIYA:
		r = ps.ayiya(p, b, depth+1)
	case LISP: // RFC 9300
		if len(b) > 8 {
			r = ps.ipAny(p, b[8:], depth+1)
		}
	case CAPWAP:
		r = ps.capwap(p, b, depth+1)
	case IPIP: // RFC 7510
		r = ps.mpls(p, b, depth+1)
	}
	switch r {
	case OK:
		// Where the tunnel's header proves little, an inner packet that claims
		// more than the outer one had room for was none.
		if !ps.liar || ps.headless || kind == VXLAN || kind == GENEVE || kind == GTPU {
			ps.liar = ps.liar || liar
			return OK, true
		}
	case Held, FragmentDuplicate, FragmentBad, FragmentShed, TooDeep, Elsewhere:
		return r, true
	}
	ps.restore(p, &o)
	ps.liar = liar
	return OK, false
}

// vxlan reads RFC 7348, and the group policy and generic protocol extensions.
// Reserved bits may be set: what follows must parse in any case.
func (ps *Parser) vxlan(p *Packet, b []byte, dport uint16, depth int) Reason {
	if len(b) < 8 || b[0]&vxlanHasVNI == 0 {
		return NotIP
	}
	p.Tunnel.ID = be32(b[4:]) >> 8
	if dport == portVXLANGPE && (b[0]&vxlanHasProto != 0 || b[3] != 0) {
		return ps.nextProto(p, b[3], b[8:], depth)
	}
	return ps.ethernet(p, b[8:], depth)
}

// nextProto reads what the protocol numbers of NSH and VXLAN-GPE name.
func (ps *Parser) nextProto(p *Packet, next byte, b []byte, depth int) Reason {
	switch next {
	case 1:
		return ps.ipv4(p, b, depth)
	case 2:
		return ps.ipv6(p, b, depth)
	case 3:
		return ps.ethernet(p, b, depth)
	case 4:
		return ps.nsh(p, b, depth)
	case 5:
		return ps.mpls(p, b, depth)
	}
	return NotIP
}

// nsh reads a network service header (RFC 8300).
func (ps *Parser) nsh(p *Packet, b []byte, depth int) Reason {
	if len(b) < 8 {
		return short(p)
	}
	n := int(b[1]&0x3f) * 4
	if n < 8 {
		return Malformed
	}
	if len(b) < n {
		return short(p)
	}
	return ps.nextProto(p, b[3], b[n:], depth+1)
}

// geneve reads RFC 8926 and skips the options.
func (ps *Parser) geneve(p *Packet, b []byte, depth int) Reason {
	if len(b) < 8 || b[0]>>6 != 0 {
		return NotIP
	}
	n := 8 + int(b[0]&0x3f)*4
	if len(b) < n || be16(b[2:]) <= maxLLC {
		return NotIP
	}
	p.Tunnel.ID = be32(b[4:]) >> 8
	return ps.etherType(p, be16(b[2:]), b[n:], depth)
}

// gtpu reads a G-PDU of version 1 (3GPP TS 29.281) with its extension headers.
func (ps *Parser) gtpu(p *Packet, b []byte, depth int) Reason {
	if len(b) < 8 || b[0]>>4 != 3 || b[1] != 255 {
		return NotIP
	}
	n := 8
	if b[0]&7 != 0 {
		if len(b) < 12 {
			return NotIP
		}
		next := byte(0)
		if b[0]&4 != 0 {
			next = b[11]
		}
		for n = 12; next != 0; {
			if len(b) < n+4 || b[n] == 0 || len(b) < n+int(b[n])*4 {
				return NotIP
			}
			n += int(b[n]) * 4
			next = b[n-1]
		}
	}
	return ps.ipAny(p, b[n:], depth)
}

// gtp0 reads a T-PDU of version 0 (3GPP TS 09.60).
func (ps *Parser) gtp0(p *Packet, b []byte, depth int) Reason {
	if len(b) < 20 || b[0]>>5 != 0 || b[0]&0x10 == 0 || b[1] != 255 {
		return NotIP
	}
	return ps.ipAny(p, b[20:], depth)
}

// tzsp reads a mirrored frame: version, kind, link, then tags of one byte of
// type and one of length up to the tag 1; the tag 0 has no length.
func (ps *Parser) tzsp(p *Packet, b []byte, depth int) Reason {
	if len(b) < 5 || b[0] != 1 || b[1] > 1 {
		return NotIP
	}
	link, n := be16(b[2:]), 4
	for n < len(b) && b[n] != 1 {
		if b[n] != 0 {
			if len(b) < n+2 {
				return NotIP
			}
			n += 1 + int(b[n+1])
		}
		n++
	}
	b = b[min(n+1, len(b)):]
	switch link {
	case 1:
		return ps.ethernet(p, b, depth)
	case 18:
		return ps.dot11(p, b, depth, 0)
	}
	return NotIP
}

// teredo reads IPv6 behind authentication and origin indications (RFC 4380).
func (ps *Parser) teredo(p *Packet, b []byte, depth int) Reason {
	if len(b) > 13 && be16(b) == 1 {
		n := 13 + int(b[2]) + int(b[3])
		if len(b) < n {
			return NotIP
		}
		b = b[n:]
	}
	if len(b) > 8 && be16(b) == 0 {
		b = b[8:]
	}
	return ps.ipv6(p, b, depth)
}

// ayiya reads a forwarded packet (draft-massar-v6ops-ayiya).
func (ps *Parser) ayiya(p *Packet, b []byte, depth int) Reason {
	if len(b) < 8 || b[2]&15 != 1 {
		return NotIP
	}
	n := 8 + 1<<(b[0]>>4) + int(b[1]>>4)*4
	if len(b) < n {
		return NotIP
	}
	switch b[3] {
	case protoIPv4:
		return ps.ipv4(p, b[n:], depth)
	case protoIPv6:
		return ps.ipv6(p, b[n:], depth)
	}
	return NotIP
}

// capwap reads a data packet in the clear (RFC 5415).
func (ps *Parser) capwap(p *Packet, b []byte, depth int) Reason {
	if len(b) < 8 || b[0] != 0 || b[3]&0x80 != 0 { // version 0, no DTLS, no fragment
		return NotIP
	}
	n := int(b[1]>>3) * 4
	if n < 8 || len(b) < n {
		return NotIP
	}
	if b[2]&1 != 0 { // the frame as it was in the air
		return ps.dot11(p, b[n:], depth, 0)
	}
	return ps.ethernet(p, b[n:], depth)
}

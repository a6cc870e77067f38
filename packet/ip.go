package packet

import "net/netip"

// Protocol numbers beside the exported ones.
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoIPv4     = 4
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoAH       = 51
	protoICMPv6   = 58
	protoDestOpts = 60
	protoEtherIP  = 97
	protoPIM      = 103
	protoL2TP     = 115
	protoMobility = 135
	protoUDPLite  = 136
	protoMPLS     = 137
	protoHIP      = 139
	protoShim6    = 140
	protoEthernet = 143
)

// ipAny reads IPv4 or IPv6 by the version nibble.
func (ps *Parser) ipAny(p *Packet, b []byte, depth int) Reason {
	if len(b) == 0 {
		return short(p)
	}
	switch b[0] >> 4 {
	case 4:
		return ps.ipv4(p, b, depth)
	case 6:
		return ps.ipv6(p, b, depth)
	}
	return NotIP
}

// ipv4 reads an IPv4 header (RFC 791).
func (ps *Parser) ipv4(p *Packet, b []byte, depth int) Reason {
	if len(b) < 20 {
		return short(p)
	}
	head := int(b[0]&15) * 4
	if b[0]>>4 != 4 || head < 20 {
		if b[0]>>4 == 6 { // some cards and rewriters name the wrong version
			return ps.ipv6(p, b, depth)
		}
		return Malformed
	}
	if depth > MaxDepth {
		return TooDeep
	}
	total, missing := int(be16(b[2:4])), 0
	switch {
	case total > len(b):
		missing = ps.lacking(p, total-len(b))
	case total >= head:
		b = b[:total]
	case total == 0: // segmentation offload: the card will fill it in
		missing = max(p.Length-len(p.Data), 0)
	default:
		return Malformed
	}
	if head > len(b) {
		return short(p)
	}
	p.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), 0)
	p.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), 0)
	ps.a, ps.b = uint64(be32(b[12:16])), uint64(be32(b[16:20]))
	if f := be16(b[6:8]); f&0x3fff != 0 {
		return ps.fragment(p, Proto(b[9]), uint32(be16(b[4:6])), int(f&0x1fff)*8, f&0x2000 != 0, b[head:], head, missing, depth)
	}
	return ps.transport(p, Proto(b[9]), b[head:], missing, depth)
}

// lacking is how many of n bytes that a header announces behind the end of the
// frame were there on the wire. A header may lie, or a tool may have shortened
// the frame.
func (ps *Parser) lacking(p *Packet, n int) int {
	if ps.inside {
		return n
	}
	if most := max(p.Length-len(p.Data), 0); n > most {
		ps.liar = true
		return most
	}
	return n
}

// ipv6 reads an IPv6 header (RFC 8200).
func (ps *Parser) ipv6(p *Packet, b []byte, depth int) Reason {
	if len(b) < 40 {
		return short(p)
	}
	if b[0]>>4 != 6 {
		if b[0]>>4 == 4 {
			return ps.ipv4(p, b, depth)
		}
		return Malformed
	}
	if depth > MaxDepth {
		return TooDeep
	}
	p.Src = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), 0)
	p.Dst = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[24:40])), 0)
	ps.addresses6(b[8:24], b[24:40])
	length, missing := int(be16(b[4:6])), 0
	next := Proto(b[6])
	b = b[40:]
	switch {
	case length > len(b):
		missing = ps.lacking(p, length-len(b))
	case length > 0:
		b = b[:length]
	default: // segmentation offload, or a jumbogram (RFC 2675)
		missing = max(p.Length-len(p.Data), 0)
	}
	return ps.extensions(p, next, b, missing, depth)
}

// addresses6 sets what Hash takes of two IPv6 addresses.
func (ps *Parser) addresses6(src, dst []byte) {
	ps.a = fold(be64(src)^ps.seed[0], be64(src[8:])^ps.seed[1])
	ps.b = fold(be64(dst)^ps.seed[0], be64(dst[8:])^ps.seed[1])
}

// extensions walks the extension headers of IPv6, and an AH of either version.
func (ps *Parser) extensions(p *Packet, next Proto, b []byte, missing, depth int) Reason {
	for range maxTags {
		size := 0
		switch next {
		case protoHopByHop, protoRouting, protoDestOpts, protoMobility, protoHIP, protoShim6:
			if len(b) < 8 {
				return short(p)
			}
			size = int(b[1])*8 + 8
		case protoAH:
			if len(b) < 12 {
				return short(p)
			}
			size = int(b[1])*4 + 8
		case protoFragment:
			if len(b) < 8 {
				return short(p)
			}
			if f := be16(b[2:]); f&0xfff9 != 0 {
				return ps.fragment(p, Proto(b[0]), be32(b[4:]), int(f&0xfff8), f&1 != 0, b[8:], 8, missing, depth)
			}
			size = 8 // an atomic fragment (RFC 6946)
		default:
			return ps.transport(p, next, b, missing, depth)
		}
		if size > len(b) {
			return short(p)
		}
		next, b = Proto(b[0]), b[size:]
	}
	return Malformed
}

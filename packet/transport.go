package packet

import "net/netip"

// transport reads what an IP header announced; missing bytes of it were cut by
// the capture.
func (ps *Parser) transport(p *Packet, proto Proto, b []byte, missing, depth int) Reason {
	switch proto {
	case TCP:
		return ps.tcp(p, b, missing)
	case UDP:
		return ps.udp(p, b, missing, depth)
	case SCTP:
		if len(b) < 12 {
			return cut(missing)
		}
		ps.ports2(p, SCTP, b)
		p.Payload, p.Missing = b[12:], missing
		return OK
	}
	return ps.other(p, proto, b, missing, depth)
}

// cut is the reason for a transport header that is not all there.
func cut(missing int) Reason {
	if missing > 0 {
		return Truncated
	}
	return Malformed
}

// ports2 sets the ports that the first four bytes hold, and the hash.
func (ps *Parser) ports2(p *Packet, proto Proto, b []byte) {
	sport, dport := be16(b[0:2]), be16(b[2:4])
	p.Src = netip.AddrPortFrom(p.Src.Addr(), sport)
	p.Dst = netip.AddrPortFrom(p.Dst.Addr(), dport)
	p.Proto = proto
	p.Hash = ps.hash(sport, dport, proto)
}

// tcp reads a TCP header (RFC 9293).
func (ps *Parser) tcp(p *Packet, b []byte, missing int) Reason {
	if len(b) < 20 {
		return cut(missing)
	}
	head := int(b[12]>>4) * 4
	if head < 20 {
		return Malformed
	}
	ps.ports2(p, TCP, b)
	p.TCP = TCPHeader{Seq: be32(b[4:8]), Ack: be32(b[8:12]), Flags: Flags(b[13])}
	if head > len(b) { // options cut: what is known of the payload is its size
		missing -= head - len(b)
		if missing < 0 {
			return Malformed
		}
		head = len(b)
	}
	p.Payload, p.Missing = b[head:], missing
	return OK
}

// udp reads a UDP header (RFC 768) and the tunnels known by its ports.
func (ps *Parser) udp(p *Packet, b []byte, missing, depth int) Reason {
	if len(b) < 8 {
		return cut(missing)
	}
	length := int(be16(b[4:6]))
	switch {
	case length == 0: // a jumbogram, or left to the card
	case length < 8:
		return Malformed
	case length <= len(b):
		b, missing = b[:length], 0
	default:
		missing = min(missing, length-len(b))
	}
	if r, ok := ps.udpTunnel(p, be16(b[0:2]), be16(b[2:4]), b[8:], depth); ok {
		return r
	}
	ps.ports2(p, UDP, b)
	p.Payload, p.Missing = b[8:], missing
	return OK
}

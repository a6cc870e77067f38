package packet

// Several Parsers may share what is captured, each packet going to the one that
// its innermost addresses name. Fragments of a tunnel's own packets do not show
// these, so they go by the ends of the tunnel, and only when they have been put
// together can be told where they belonged. A Parser with a Route then stops,
// and the Parser of those addresses resumes.

// whole is what a Parser with a Route knows of the datagrams it put together.
type whole struct {
	mine  func(Link, []byte) bool
	base  []byte // what is read: nil: Packet.Data; else frame, or that of a Rest
	frame []byte // the frame as it would have been without fragments
	at    int    // where in frame the content of the datagram begins
	rest  Rest
}

// Rest is what is left to read of a packet whose datagram was put together by a
// Parser that is not the one to go on. The Packet holds the rest of it.
type Rest struct {
	// Frame is the frame as it would have been without fragments, but for
	// lengths and checksums. It is the Parser's until its next Parse or Resume:
	// whoever keeps it longer copies it.
	Frame []byte

	at                     int // where the datagram's content begins
	proto                  Proto
	missing, depth, trials int
	liar                   bool
}

// Route makes Parse and Resume ask mine whenever a datagram has been put
// together that may hold a tunnel, with the frame as it would have been without
// fragments, but for lengths and checksums. Where mine says no they return
// Elsewhere, and Rest what is left to read. mine does not keep the frame.
func (ps *Parser) Route(mine func(l Link, frame []byte) bool) { ps.whole.mine = mine }

// Rest returns what Parse or Resume left when it returned Elsewhere.
func (ps *Parser) Rest() Rest { return ps.whole.rest }

// Resume goes on with p, for which Parse or Resume of another Parser returned
// Elsewhere with the rest r. p.Payload is then part of r.Frame, or of this
// Parser's memory until its next Parse or Resume.
func (ps *Parser) Resume(p *Packet, r Rest) Reason {
	if ps.inside {
		ps.leave()
	}
	ps.inside = true
	ps.whole.base = r.Frame
	ps.trials, ps.liar = r.trials, r.liar
	src, dst := p.Src.Addr(), p.Dst.Addr()
	if src.Is6() {
		a, b := src.As16(), dst.As16()
		ps.addresses6(a[:], b[:])
	} else {
		a, b := src.As4(), dst.As4()
		ps.a, ps.b = uint64(be32(a[:])), uint64(be32(b[:]))
	}
	return ps.payload(p, r.proto, r.Frame[r.at:], r.missing, r.depth)
}

// leave ends the reading of a datagram that was put together.
func (ps *Parser) leave() {
	ps.frags.takeBack()
	ps.inside, ps.whole.base = false, nil
}

// payload reads what p's innermost IP header carries.
func (ps *Parser) payload(p *Packet, proto Proto, b []byte, missing, depth int) Reason {
	if p.Src.Addr().Is6() {
		return ps.extensions(p, proto, b, missing, depth)
	}
	return ps.transport(p, proto, b, missing, depth)
}

// mayTunnel tells whether there may be other addresses inside of proto.
func mayTunnel(proto Proto) bool {
	switch proto {
	case TCP, SCTP, protoICMP, protoICMPv6:
		return false
	}
	return true
}

// lay sets whole to the frame as it would have been, had not the datagram joined
// come in fragments, of which b was the last: with what stands before b, whose
// header of head bytes says that it is one. It fails where b is in no such frame.
func (ps *Parser) lay(p *Packet, proto Proto, b []byte, head int, joined []byte) bool {
	w := &ps.whole
	base := w.base
	if base == nil {
		base = p.Data
	}
	// Nobody limits the capacity of a slice on the way here.
	at := cap(base) - cap(b)
	if len(b) == 0 || at < head || at >= len(base) || &base[at] != &b[0] {
		return false
	}
	w.frame = append(append(w.frame[:0], base[:at]...), joined...)
	w.at, w.base = at, w.frame
	switch h := w.frame[at-head : at]; {
	case !p.Src.Addr().Is6():
		h[6], h[7] = 0, 0
	default:
		h[0], h[2], h[3] = byte(proto), 0, 0
	}
	return true
}

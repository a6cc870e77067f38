package protocol

import (
	"slices"

	"github.com/passiflow/passiflow/flow"
)

// probe looks for the protocol in the first bytes of a side, and later at the
// start of further segments: a conversation may have begun before the capture,
// or with the greeting of a proxy.
func (s *stream) probe(from flow.Side, c *flow.Chunk) {
	d := &s.sides[from]
	if c.Lost > 0 {
		s.pass(from, len(d.held))
		d.gap = gap{from: c.Offset - c.Lost, to: c.Offset, by: c.LostBy, set: true}
	}
	if len(c.Data) > 0 {
		s.look(from, c)
	}
	if !c.End {
		return
	}
	if s.phase == decoding {
		s.finish(from, c.Time, false)
		return
	}
	s.pass(from, len(d.held))
	d.ended = true
	if s.sides[from.Peer()].ended {
		s.giveUp()
	}
}

// look adds a chunk to what a side holds and asks the protocols.
func (s *stream) look(from flow.Side, c *flow.Chunk) {
	d := &s.sides[from]
	before := len(d.held)
	if before == 0 {
		d.held = s.core.buffer()
		d.off, d.edge = c.Offset, c.Edge
	}
	d.held = append(d.held, c.Data...)
	d.note(mark{c.Offset, c.Ack, c.Time})
	for {
		p, m := s.match(d.held, from)
		switch {
		case s.phase == opaque:
			return // a probe panicked
		case m == Yes || m == Reversed:
			s.begin(p, m == Reversed, from)
			return
		case m == More && len(d.held) <= s.core.cfg.Probe:
			return
		}
		if d.tries++; d.tries >= s.core.cfg.Tries {
			s.giveUp()
			return
		}
		if before == 0 {
			s.pass(from, len(d.held))
			return
		}
		// What began before this chunk is nothing; the chunk may be.
		s.pass(from, before)
		d.edge, before = c.Edge, 0
	}
}

// pass gives up the first n bytes a side holds: they are not the beginning of
// anything known.
func (s *stream) pass(from flow.Side, n int) {
	d := &s.sides[from]
	if n > 0 {
		b := d.held[:n]
		if d.sample == "" {
			d.sample = Sample(b)
			if next, server := Recognise(d.held, from == flow.Client); server != "" || s.next == "" {
				s.next, s.server = next, server
			}
		}
		end := d.off + uint64(n)
		if from == flow.Server {
			s.newest = reply{d.off, d.at(end - 1).ack}
		} else if !d.gap.set {
			d.gap = gap{from: d.off, to: end, by: flow.AckUnknown, set: true}
		}
		s.core.stats.SkippedBytes += uint64(n)
		s.core.held -= n
		if d.off = end; n < len(d.held) {
			d.held = append(d.held[:0], d.held[n:]...)
			d.prune()
		} else {
			s.core.release(d.held)
			d.held, d.marks, d.marked = nil, d.marks[:0], false
		}
	}
	d.mid = true
	s.sure = false
	s.doubt = s.doubt || from == flow.Client
	s.holes = true
}

// match asks the protocols, those whose port it is first.
func (s *stream) match(head []byte, from flow.Side) (*Protocol, Match) {
	defer s.guard()
	result := No
	port := s.flow.Server.Port()
	for pass := range 2 {
		for i := range s.core.cfg.Protocols {
			p := &s.core.cfg.Protocols[i]
			if p.Transport != s.flow.Transport || slices.Contains(p.Ports, port) != (pass == 0) {
				continue
			}
			s.proto = p // for guard
			switch m := p.Probe(head, from); m {
			case Yes, Reversed:
				return p, m
			case More:
				result = More
			}
		}
	}
	if result == No && TLSHello(head) == More {
		result = More // the server's name may still come
	}
	return nil, result
}

// begin starts the decoder with what is held of both sides.
func (s *stream) begin(p *Protocol, reversed bool, from flow.Side) {
	s.core.stats.Identified++
	if reversed {
		s.flip ^= 1
		s.flow = s.flow.Reversed()
		s.sides[0], s.sides[1] = s.sides[1], s.sides[0]
		from = from.Peer()
		s.swapped()
	}
	s.start(p)
	// What the other side said first, then this side.
	for _, x := range [...]flow.Side{from.Peer(), from} {
		if d := &s.sides[x]; s.phase == decoding && len(d.held) > 0 {
			s.decode(x, d.held, &Input{})
		}
	}
}

func (s *stream) start(p *Protocol) {
	defer s.guard()
	s.phase, s.proto = decoding, p
	s.dec = p.New(s.flow)
	s.keeper, _ = s.dec.(Keeper)
}

// giveUp ends the search.
func (s *stream) giveUp() {
	for _, x := range [...]flow.Side{flow.Client, flow.Server} {
		if n := len(s.sides[x].held); n > 0 {
			s.pass(x, n)
		}
	}
	o := &Opaque{Cause: NotSpoken, Next: s.next, Server: s.server, Sample: s.sides[0].sample}
	if o.Sample == "" {
		o.Sample = s.sides[1].sample
	}
	if o.Sample != "" { // something was said
		s.core.stats.Unknown++
		s.core.take.Opaque(s.flow, o)
	}
	s.drop()
}

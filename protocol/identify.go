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
		s.pass(from)
		d.gap = gap{from: c.Offset - c.Lost, to: c.Offset, by: c.LostBy, set: true}
	}
	if len(c.Data) > 0 {
		d.marks = append(d.marks, mark{c.Offset, c.Ack, c.Time})
		head := c.Data
		if len(d.held) > 0 {
			d.held = append(d.held, c.Data...)
			head = d.held
		} else {
			d.first, d.off, d.edge = c.Time, c.Offset, c.Edge
		}
		p, m := s.match(head, from)
		if m == More && len(head) > s.core.cfg.Probe {
			m = No
		}
		switch m {
		case Yes, Reversed:
			s.begin(p, m == Reversed, from, c)
			return
		case More:
			if len(d.held) == 0 {
				d.held = append(s.core.buffer(), head...)
			}
		case No:
			if d.tries++; d.tries >= s.core.cfg.Tries {
				if len(d.held) == 0 {
					s.core.stats.OpaqueBytes += uint64(len(c.Data))
				}
				s.giveUp()
				return
			}
			if len(d.held) > 0 {
				// What began before this chunk is nothing; the chunk may be.
				d.held = d.held[:len(d.held)-len(c.Data)]
				s.pass(from)
				s.probe(from, &flow.Chunk{From: c.From, Time: c.Time, Offset: c.Offset, Ack: c.Ack, Data: c.Data, Edge: c.Edge, End: c.End, Peer: c.Peer})
				return
			}
			d.held = append(s.core.buffer(), head...)
			s.pass(from)
		}
	}
	if c.End {
		s.pass(from)
		d.ended = true
		if s.sides[from.Peer()].ended {
			s.giveUp()
		}
	}
}

// pass gives up what a side holds: it is not the beginning of anything known.
func (s *stream) pass(from flow.Side) {
	d := &s.sides[from]
	if d.sample == "" && len(d.held) > 0 {
		d.sample = Sample(d.held)
		if next, server := Recognise(d.held, from == flow.Client); next != "" {
			s.next, s.server = next, server
		}
	}
	s.core.stats.SkippedBytes += uint64(len(d.held))
	s.core.release(d.held)
	if n := uint64(len(d.held)); n > 0 {
		if from == flow.Server {
			s.newest = reply{d.off, d.marks[len(d.marks)-1].ack}
		} else if !d.gap.set {
			d.gap = gap{from: d.off, to: d.off + n, by: flow.AckUnknown, set: true}
		}
	}
	d.held = nil
	d.marks = d.marks[:0]
	d.mid = true
	s.sure = false
	s.doubt = s.doubt || from == flow.Client
}

// match asks the protocols, those whose port it is first.
func (s *stream) match(head []byte, from flow.Side) (*Protocol, Match) {
	result := No
	port := s.flow.Server.Port()
	for pass := range 2 {
		for i := range s.core.cfg.Protocols {
			p := &s.core.cfg.Protocols[i]
			if p.Transport != s.flow.Transport || slices.Contains(p.Ports, port) != (pass == 0) {
				continue
			}
			switch m := p.Probe(head, from); m {
			case Yes, Reversed:
				return p, m
			case More:
				result = More
			}
		}
	}
	return nil, result
}

// begin starts the decoder with what is held of both sides and the chunk that
// settled the protocol.
func (s *stream) begin(p *Protocol, reversed bool, from flow.Side, c *flow.Chunk) {
	s.core.stats.Identified++
	s.state, s.proto = decoding, p
	if reversed {
		s.flip ^= 1
		s.flow = s.flow.Reversed()
		s.sides[0], s.sides[1] = s.sides[1], s.sides[0]
		from = from.Peer()
	}
	s.dec = p.New(s.flow)
	// What the other side said first, then this side.
	for _, x := range [...]flow.Side{from.Peer(), from} {
		d := &s.sides[x]
		held, marks := d.held, d.marks
		if x == from && len(held) == 0 {
			held = c.Data
		}
		if len(held) == 0 || s.state != decoding {
			continue
		}
		d.held = nil
		d.to = d.off + uint64(len(held))
		used := s.decode(x, held, d.off, d.edge, false)
		rest := held[used:]
		switch {
		case s.state == opaque:
			s.core.stats.OpaqueBytes += uint64(len(rest))
		case len(rest) > 0:
			d.held = append(s.core.buffer(), rest...)
			d.off, d.edge = d.off+uint64(used), d.edge && used == 0
			d.prune()
		default:
			d.marks = marks[:0]
		}
		if x != from || &held[0] != &c.Data[0] {
			s.core.release(held)
		}
	}
	if c.End {
		s.finish(from, c.Time, false)
	}
	if s.sides[from.Peer()].ended && s.state == decoding {
		s.sides[from.Peer()].ended = false
		s.finish(from.Peer(), c.Time, false)
	}
}

// giveUp ends the search.
func (s *stream) giveUp() {
	for _, x := range [...]flow.Side{flow.Client, flow.Server} {
		if len(s.sides[x].held) > 0 {
			s.pass(x)
		}
	}
	if s.sides[0].sample == "" && s.sides[1].sample == "" {
		s.drop() // nothing was said
		return
	}
	s.core.stats.Unknown++
	o := &Opaque{Cause: NotSpoken, Next: s.next, Server: s.server, Sample: s.sides[0].sample}
	if o.Sample == "" {
		o.Sample = s.sides[1].sample
	}
	s.core.take.Opaque(s.flow, o)
	s.drop()
}

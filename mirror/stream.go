package mirror

import (
	"bytes"
	"net/netip"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
)

// stream is one conversation.
type stream struct {
	s     *session
	sides [2]side
}

// side is what one side of a conversation sends.
type side struct {
	outlet
	wanted  bool
	holding bool // until the end: its beginning was not seen, or it has a gap
	over    bool // dropped for want of room, or at its end
	held    []*ObservedTrafficChunk
	bytes   int // of held
}

// heldBytes is about what a held chunk takes beside its bytes.
const heldBytes = 160

// open implements the table's callback for a new conversation.
func (s *session) open(f *flow.Flow) flow.Stream {
	st := &stream{s: s}
	ends := [2]netip.AddrPort{f.Client, f.Server}
	for i := range st.sides {
		src, dst := ends[i], ends[1-i]
		d := &st.sides[i]
		d.direction, d.wanted = direct(src.Port(), dst.Port(), s.m.config.ObservedPort)
		d.from, d.to = src.String(), dst.String()
	}
	return st
}

// Chunk implements flow.Stream.
func (st *stream) Chunk(c *flow.Chunk) packet.Time {
	d := &st.sides[c.From]
	if d.wanted && !d.over {
		st.take(d, c)
		if c.End {
			st.end(d)
		}
	}
	return 0
}

// Tick implements flow.Stream.
func (st *stream) Tick(packet.Time) packet.Time { return 0 }

// Close implements flow.Stream.
func (st *stream) Close(flow.Reason) {
	for i := range st.sides {
		st.end(&st.sides[i])
	}
}

func (st *stream) take(d *side, c *flow.Chunk) {
	if len(c.Data) == 0 && c.Lost == 0 {
		return
	}
	chunk := &ObservedTrafficChunk{Data: bytes.Clone(c.Data), From: d.from, To: d.to, Direction: d.direction, Type: TCPType,
		SeenAt: c.Time.Time(), Lost: c.Lost, MidStream: c.Mid}
	if (c.Mid || c.Lost > 0) && !st.s.m.config.Options.MidStream {
		d.holding = true
	}
	if d.holding {
		st.hold(d, chunk)
		return
	}
	st.s.deliver(&d.outlet, chunk)
}

// hold keeps chunk for the end of the stream. A stream that finds no room is
// dropped as a whole.
func (st *stream) hold(d *side, chunk *ObservedTrafficChunk) {
	n := heldBytes + cap(chunk.Data)
	if st.s.held+n <= st.s.m.config.Options.MaxHeld {
		d.held = append(d.held, chunk)
		d.bytes += n
		st.s.held += n
		return
	}
	for _, c := range append(d.held, chunk) {
		st.s.count.Unheld += uint64(len(c.Data))
	}
	st.release(d)
	d.over = true
	st.s.finish(&d.outlet)
}

func (st *stream) release(d *side) {
	st.s.held -= d.bytes
	d.held, d.bytes = nil, 0
}

// end hands on what was held of a side and ends its connection.
func (st *stream) end(d *side) {
	if d.over {
		return
	}
	d.over = true
	for _, c := range d.held {
		st.s.deliver(&d.outlet, c)
	}
	st.release(d)
	st.s.finish(&d.outlet)
}

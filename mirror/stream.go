package mirror

import (
	"bytes"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// stream is one conversation.
type stream struct {
	s     *session
	f     *flow.Flow
	sides [2]side
}

// side is what one side of a conversation sends.
type side struct {
	*outlet
	wanted  bool
	holding bool // until the end: its beginning was not seen, or it has a gap
	over    bool // dropped for want of room, or at its end
	begun   bool // something was handed on
	held    []*message.Chunk
	bytes   int // of held
}

// heldBytes is about what a held chunk takes beside its bytes.
const heldBytes = 160

// open implements the table's callback for a new conversation.
func (s *session) open(f *flow.Flow) flow.Stream {
	st := &stream{s: s, f: f}
	for i := range st.sides {
		st.sides[i].outlet, st.sides[i].wanted = s.outlet(f, flow.Side(i))
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
	chunk := &message.Chunk{Flow: st.f, From: c.From, Time: c.Time, Offset: c.Offset, Lost: c.Lost, Data: bytes.Clone(c.Data), Mid: c.Mid}
	if (c.Mid || c.Lost > 0) && !st.s.m.config.Options.MidStream {
		d.holding = true
	}
	if d.holding {
		st.hold(d, chunk)
		return
	}
	st.hand(d, chunk)
}

// hand delivers chunk, or gives it to those who do.
func (st *stream) hand(d *side, chunk *message.Chunk) {
	if st.s.ended.Load() {
		return
	}
	chunk.First, d.begun = !d.begun, true
	if st.s.queue != nil {
		st.s.push(chunk)
	} else if err := st.s.deliver(st.s.out, d.outlet, chunk); err != nil {
		st.s.fail(err)
	}
}

// hold keeps chunk for the end of the stream. A stream that finds no room is
// dropped as a whole.
func (st *stream) hold(d *side, chunk *message.Chunk) {
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
	st.finish(d)
}

// finish ends the connection of a side.
func (st *stream) finish(d *side) {
	d.over = true
	if st.s.queue == nil {
		st.s.finish(d.outlet)
	} else if d.begun {
		st.s.push(&message.Chunk{Flow: st.f, From: d.outlet.side, End: true})
	}
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
	for _, c := range d.held {
		st.hand(d, c)
	}
	st.release(d)
	st.finish(d)
}

package protocol

import (
	"errors"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

type phase uint8

const (
	probing phase = iota
	decoding
	opaque
)

// mark says which packet brought the bytes from off on.
type mark struct {
	off, ack uint64
	time     packet.Time
}

// side is one side of a conversation as the decoder sees it.
type side struct {
	held   []byte // what the decoder left, or what is not identified yet
	off    uint64 // offset of held
	marks  []mark // of held and of the chunk at hand
	first  packet.Time
	edge   bool // held begins where a segment begins
	seen   bool
	mid    bool // bytes before the next ones are not known
	begun  bool // the decoder had an Input
	ended  bool // the decoder had its last Input
	tries  int
	lost   uint64 // to be told with the next Input
	gap    gap    // to be judged when the decoder went over it
	cur    *message.Message
	size   int // of cur.Body, as counted in Core.bytes
	index  uint32
	to     uint64 // offset behind what was given to the decoder
	peered bool   // a packet of the other side was seen
	sample string // the first bytes, masked, where they are nothing known
}

// gap is a hole that the decoder was just told.
type gap struct {
	from, to uint64
	by       uint64           // flow.Chunk.LostBy
	open     *message.Message // the message that was open before it
	set      bool
}

// stream reads one conversation.
type stream struct {
	core         *Core
	flow         *flow.Flow
	flip         flow.Side // 1: the roles are exchanged
	state        phase
	proto        *Protocol
	dec          Decoder
	next, server string  // what is spoken instead, where that is known
	sides        [2]side // by role

	// Of pair.go.
	queue     []*ask       // requests without an answer, and gaps between them
	asking    *ask         // the request that is open
	answering *ask         // the request whose answer is open; nil: unknown
	replyWhy  message.Half // why the newest answer has no request
	sure      bool         // the next answer belongs to the first request of queue
	pipelined bool         // the client was seen to send a request before the answer to the one before
	newest    reply
	spent     uint64 // offset behind the last answer that has its request
	hidden    bool   // bytes of the answering side were lost since newest
	doubt     bool   // requests may have been lost
	trial     bool   // sure rests on turns taken after a gap: see trial.go
	held      []*message.Exchange
	last      packet.Time // of the newest chunk
}

// Chunk implements flow.Stream.
func (s *stream) Chunk(c *flow.Chunk) packet.Time {
	if s.state == opaque {
		s.core.stats.OpaqueBytes += uint64(len(c.Data))
		return 0
	}
	from := c.From ^ s.flip
	d := &s.sides[from]
	if !d.seen {
		d.seen, d.mid = true, c.Mid
		if c.Mid && from == flow.Client {
			s.sure, s.doubt = false, true
		}
		if c.Mid && from == flow.Server && c.Offset != d.to {
			s.sure, s.hidden = false, true // answers before it were not seen
		}
	}
	d.peered = d.peered || c.Peer
	s.last = max(s.last, c.Time)
	if s.state == probing {
		s.probe(from, c)
		return s.wake()
	}
	s.feed(from, c)
	return s.wake()
}

// feed gives one chunk to the decoder.
func (s *stream) feed(from flow.Side, c *flow.Chunk) {
	if c.Lost > 0 {
		s.lose(from, c.Offset-c.Lost, c.Offset, c.LostBy)
		if s.state == opaque {
			return
		}
	}
	if len(c.Data) > 0 {
		s.give(from, c.Offset, c.Data, c.Time, c.Ack, c.Edge)
	}
	if c.End && s.state == decoding {
		s.finish(from, c.Time, false)
	}
}

// lose tells the decoder that what it left will not be completed, and notes the
// gap for its next Input.
func (s *stream) lose(from flow.Side, begin, end, by uint64) {
	d := &s.sides[from]
	if held := d.held; len(held) > 0 {
		d.held = nil
		used := s.decode(from, held, d.off, d.edge, true)
		s.core.stats.SkippedBytes += uint64(len(held) - used)
		s.core.release(held)
		d.marks = d.marks[:0]
		if s.state == opaque {
			return
		}
	}
	d.lost += end - begin
	if !d.gap.set {
		d.gap = gap{from: begin, open: d.cur, set: true}
	}
	d.gap.to, d.gap.by = end, by
}

// give hands bytes to the decoder and keeps what it leaves.
func (s *stream) give(from flow.Side, off uint64, data []byte, at packet.Time, ack uint64, edge bool) {
	d := &s.sides[from]
	d.marks = append(d.marks, mark{off, ack, at})
	held := d.held
	if d.held = nil; len(held) > 0 {
		held = append(held, data...)
		data, off, edge = held, d.off, d.edge
	} else {
		d.first = at
	}
	d.to = off + uint64(len(data))
	used := s.decode(from, data, off, edge, false)
	rest := data[used:]
	switch {
	case s.state == opaque:
		s.core.stats.OpaqueBytes += uint64(len(rest))
		s.core.release(held)
		return
	case len(rest) == 0:
		s.core.release(held)
		d.marks = d.marks[:0]
		return
	case len(rest) > s.core.cfg.Hold:
		s.core.stats.HoldExceeded++
		s.core.stats.OpaqueBytes += uint64(len(rest))
		s.letGo(&Opaque{Cause: NotSpoken, Protocol: s.proto.Name, Sample: Sample(rest)})
		s.core.release(held)
		return
	}
	if held == nil {
		held = s.core.buffer()
	}
	d.held = append(held[:0], rest...)
	d.off, d.edge = off+uint64(used), edge && used == 0
	d.prune()
}

// prune drops the marks of what is not held any more.
func (d *side) prune() {
	k := 0
	for k+1 < len(d.marks) && d.marks[k+1].off <= d.off {
		k++
	}
	if k > 0 {
		d.marks = append(d.marks[:0], d.marks[k:]...)
	}
	d.first = d.marks[0].time
	if n := len(d.marks); n > 512 {
		// Dribbled bytes: halve the marks, keeping the first of each pair.
		for i := 0; i < n/2; i++ {
			d.marks[i] = d.marks[2*i]
		}
		d.marks = d.marks[:n/2]
	}
}

// at returns the mark of the packet that brought the byte at off.
func (d *side) at(off uint64) mark {
	for i := len(d.marks) - 1; i >= 0; i-- {
		if d.marks[i].off <= off {
			return d.marks[i]
		}
	}
	if len(d.marks) > 0 {
		return d.marks[0]
	}
	return mark{off: off, ack: flow.AckUnknown, time: d.first}
}

// decode calls the decoder once.
func (s *stream) decode(from flow.Side, data []byte, off uint64, edge, final bool) (used int) {
	d := &s.sides[from]
	in := &s.core.in
	*in = Input{From: from, First: d.first, Time: d.first, Offset: off, Data: data, Lost: d.lost, Mid: d.mid, Edge: edge, Final: final}
	if n := len(d.marks); n > 0 {
		in.Time = d.marks[n-1].time
	}
	return s.call(from, in)
}

// call runs the decoder and accounts for what it did.
func (s *stream) call(from flow.Side, in *Input) (used int) {
	d := &s.sides[from]
	d.lost, d.mid, d.begun = 0, false, true
	defer s.guard()
	used, err := s.dec.Decode(in, s)
	if d.gap.set {
		s.judge(from)
	}
	s.account(d)
	switch {
	case err != nil:
		o := new(Opaque)
		if !errors.As(err, &o) {
			o = &Opaque{Cause: NotSpoken, Protocol: s.proto.Name, Sample: Sample(in.Data)}
		}
		used = min(max(used, 0), len(in.Data))
		s.letGo(o)
	case used < 0 || used > len(in.Data):
		used = len(in.Data)
	case s.core.bytes > s.core.cfg.Memory:
		s.shed()
	}
	s.core.stats.Decoded += uint64(used)
	return used
}

// guard keeps a fault of a decoder inside its conversation.
func (s *stream) guard() {
	if r := recover(); r != nil {
		s.core.stats.Broken++
		s.core.take.Broken(s.flow, s.proto.Name, r)
		s.drop()
	}
}

// account keeps Core.bytes true to what the open messages hold.
func (s *stream) account(d *side) {
	n := 0
	if d.cur != nil {
		n = len(d.cur.Body)
	}
	s.core.bytes += n - d.size
	d.size = n
}

// finish gives a side its last Input.
func (s *stream) finish(from flow.Side, at packet.Time, cut bool) {
	d := &s.sides[from]
	if d.ended || s.state != decoding {
		return
	}
	d.ended = true
	if !d.begun && len(d.held) == 0 && d.lost == 0 {
		return
	}
	in := &s.core.in
	*in = Input{From: from, First: d.first, Time: at, Offset: d.to, Lost: d.lost, Mid: d.mid, Final: true, End: true, Cut: cut}
	held := d.held
	if d.held = nil; len(held) > 0 {
		in.Data, in.Offset, in.Edge = held, d.off, d.edge
	}
	if at == 0 {
		in.Time = d.first
	}
	used := s.call(from, in)
	s.core.stats.SkippedBytes += uint64(len(held) - used)
	s.core.release(held)
	d.marks = d.marks[:0]
}

// Tick implements flow.Stream.
func (s *stream) Tick(now packet.Time) packet.Time {
	if s.state == opaque {
		return 0
	}
	s.overdue(now)
	return s.wake()
}

// Close implements flow.Stream.
func (s *stream) Close(flow.Reason) {
	if s.state == probing {
		s.giveUp()
	}
	if s.state == decoding {
		s.finish(flow.Client, 0, true)
		s.finish(flow.Server, 0, true)
	}
	s.settle()
	s.recycle()
}

// letGo ends decoding; what was begun is handed on as it is.
func (s *stream) letGo(o *Opaque) {
	if s.state == opaque {
		return
	}
	s.core.stats.Opaque++
	if o.Cause == NotSpoken {
		s.refute()
	}
	s.core.take.Opaque(s.flow, o)
	s.settle()
	s.drop()
}

// shed drops the conversation because memory ran out. Nothing of it is handed
// on half.
func (s *stream) shed() {
	s.core.stats.ShedFlows++
	s.drop()
}

// drop forgets all the stream holds and makes it opaque.
func (s *stream) drop() {
	s.state = opaque
	s.forget()
	for i := range s.sides {
		d := &s.sides[i]
		s.core.bytes -= d.size
		d.size, d.cur = 0, nil
		s.core.stats.OpaqueBytes += uint64(len(d.held))
		s.core.release(d.held)
		d.held = nil
		d.marks = d.marks[:0]
	}
	s.dec = nil
}

func (s *stream) recycle() {
	s.drop()
	if c := s.core; len(c.streams) < maxFree {
		s.flow, s.proto = nil, nil
		c.streams = append(c.streams, s)
	}
}

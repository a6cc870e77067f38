package protocol

import (
	"errors"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
)

type phase uint8

const (
	probing phase = iota
	decoding
	opaque
)

// stream reads one conversation. What it knows of pairs is in ask.go.
type stream struct {
	core    *Core
	flip    flow.Side // 1: the roles are exchanged
	phase   phase
	listed  bool // in Core.holders
	crossed bool // a side's message changed while the decoder had the other side's bytes
	dec     Decoder
	keeper  Keeper      // dec, if it is one
	moved   packet.Time // when it went to the end of Core.holders
	waiting int         // its part of Core.waiting
	sides   [2]side     // by role
	pairs
	kept         int // bytes of complete messages not handed on
	flow         *flow.Flow
	proto        *Protocol
	older, newer *stream // in Core.holders
	next, server string  // what is spoken instead, where that is known
}

// Chunk implements flow.Stream.
func (s *stream) Chunk(c *flow.Chunk) packet.Time {
	if s.phase == opaque {
		s.core.stats.OpaqueBytes += uint64(len(c.Data))
		return 0
	}
	from := c.From ^ s.flip
	d := &s.sides[from]
	if !d.seen {
		d.seen, d.mid = true, c.Mid
		s.meet(from, c)
	}
	d.peered = d.peered || c.Peer
	d.newest = max(d.newest, c.Time)
	s.core.held += len(c.Data)
	if s.phase == probing {
		s.probe(from, c)
		s.crossed = true
	} else {
		s.feed(from, c)
	}
	if s.phase == opaque {
		return 0
	}
	s.weigh(d)
	if s.crossed {
		s.crossed = false
		s.weigh(&s.sides[flow.Client])
		s.weigh(&s.sides[flow.Server])
	}
	return s.bounded(d.newest)
}

// bounded keeps the memory bound after something came at the time now. It
// returns when the stream wants Tick.
func (s *stream) bounded(now packet.Time) packet.Time {
	s.core.holders.touch(s, now)
	if s.core.bytes > s.core.cfg.Memory {
		if s.core.shed(); s.phase == opaque {
			return 0
		}
	}
	return s.wake()
}

// feed gives one chunk to the decoder.
func (s *stream) feed(from flow.Side, c *flow.Chunk) {
	if c.Lost > 0 {
		s.lose(from, c.Offset-c.Lost, c.Offset, c.LostBy)
	}
	if len(c.Data) > 0 {
		s.give(from, c)
	}
	if c.End {
		s.finish(from, c.Time, false)
	}
}

// lose tells the decoder that what it left will not be completed, and notes the
// gap for its next Input.
func (s *stream) lose(from flow.Side, begin, end, by uint64) {
	d := &s.sides[from]
	if len(d.held) > 0 {
		s.decode(from, d.held, &Input{Final: true})
	}
	d.lost += end - begin
	if !d.gap.set {
		d.gap = gap{from: begin, open: d.cur, set: true}
	}
	d.gap.to, d.gap.by = end, by
}

// give hands the bytes of a chunk to the decoder, behind what it left before.
func (s *stream) give(from flow.Side, c *flow.Chunk) {
	if s.phase == opaque {
		s.core.held -= len(c.Data)
		s.core.stats.OpaqueBytes += uint64(len(c.Data))
		return
	}
	d := &s.sides[from]
	d.note(mark{c.Offset, c.Ack, c.Time})
	data := c.Data
	if len(d.held) > 0 {
		d.held = append(d.held, data...)
		data = d.held
	} else {
		d.off, d.edge = c.Offset, c.Edge
	}
	s.decode(from, data, &Input{})
}

// finish gives a side its last Input.
func (s *stream) finish(from flow.Side, at packet.Time, cut bool) {
	d := &s.sides[from]
	if d.ended || s.phase != decoding {
		return
	}
	d.ended = true
	if !d.begun && len(d.held) == 0 && d.lost == 0 {
		return
	}
	d.newest = max(d.newest, at)
	if len(d.held) == 0 {
		d.off, d.edge = d.to+d.lost, false
	}
	s.decode(from, d.held, &Input{Time: at, Final: true, End: true, Cut: cut})
}

// decode calls the decoder with data, which is what the side holds or the bytes
// of a chunk, and keeps what it leaves. Of how, Time and what tells of the end
// are set.
func (s *stream) decode(from flow.Side, data []byte, how *Input) {
	d := &s.sides[from]
	d.to = max(d.to, d.off+uint64(len(data)))
	in := &s.core.in
	*in = *how
	in.From, in.Offset, in.Data, in.Edge, in.Lost, in.Mid = from, d.off, data, d.edge, d.lost, d.mid
	in.First = d.newest
	if in.Time == 0 {
		in.Time = d.newest
	}
	if d.marked {
		in.First = d.mark.time
		if !in.End {
			in.Time = d.last().time
		}
	}
	d.lost, d.mid, d.begun = 0, false, true
	held := d.held // on its way
	d.held = nil
	used, o := s.call(in)
	if s.phase == decoding && d.gap.set {
		s.judge(from)
	}
	if from == flow.Server && s.phase == decoding && d.cur == nil {
		s.stray(in.Offset + uint64(used))
	}
	rest := data[used:]
	s.core.held -= len(data)
	s.core.stats.Decoded += uint64(used)
	switch {
	case o != nil:
		s.letGo(o)
	case s.phase == decoding && len(rest) > s.core.cfg.Hold && !in.Final:
		s.core.stats.HoldExceeded++
		s.letGo(&Opaque{Cause: NotSpoken, Protocol: s.proto.Name, Sample: Sample(rest)})
	}
	switch {
	case in.Final:
		s.core.stats.SkippedBytes += uint64(len(rest))
	case s.phase == opaque:
		s.core.stats.OpaqueBytes += uint64(len(rest))
	case len(rest) > 0:
		if held == nil {
			held = s.core.buffer()
		}
		s.core.held += len(rest)
		d.held = append(held[:0], rest...)
		d.off, d.edge = d.off+uint64(used), d.edge && used == 0
		d.prune()
		return
	}
	s.core.release(held)
	d.unmark()
}

// call runs the decoder. Its error, if any, comes as an *Opaque.
func (s *stream) call(in *Input) (used int, o *Opaque) {
	defer s.guard()
	n, err := s.dec.Decode(in, s)
	if n < 0 || n > len(in.Data) {
		n = len(in.Data)
	}
	if err != nil {
		o = s.fault(err, in.Data)
	}
	return n, o
}

// fault returns the error of a decoder as an *Opaque.
func (s *stream) fault(err error, data []byte) *Opaque {
	var o *Opaque
	if errors.As(err, &o) {
		return o
	}
	return &Opaque{Cause: NotSpoken, Protocol: s.proto.Name, Sample: Sample(data)}
}

// guard keeps a fault of a decoder inside its conversation.
func (s *stream) guard() {
	if r := recover(); r != nil {
		s.core.stats.Broken++
		s.core.take.Broken(s.flow, s.proto.Name, r)
		s.drop()
	}
}

// Tick implements flow.Stream.
func (s *stream) Tick(now packet.Time) packet.Time {
	if s.phase == opaque {
		return 0
	}
	defer s.guard()
	s.overdue(now)
	if s.phase == opaque {
		return 0
	}
	return s.bounded(now)
}

// Close implements flow.Stream.
func (s *stream) Close(r flow.Reason) {
	s.end(r)
	s.drop()
	if c := s.core; len(c.streams) < maxStreams && cap(s.queue)+cap(s.onTrial) <= 2*spareMarks {
		c.streams = append(c.streams, s)
	}
}

func (s *stream) end(r flow.Reason) {
	defer s.guard()
	if s.phase == probing {
		s.giveUp()
	}
	answered := s.sides[flow.Server].ended
	s.finish(flow.Client, 0, true)
	s.finish(flow.Server, 0, true)
	if s.phase != decoding {
		return
	}
	if !answered && s.holes && (r == flow.Evicted || r == flow.Stopped) {
		s.refute() // an answer too many may have been to come
	}
	s.settle()
}

// letGo ends decoding; what was begun is handed on as it is.
func (s *stream) letGo(o *Opaque) {
	defer s.guard()
	s.core.stats.Opaque++
	if o.Cause == NotSpoken {
		s.refute()
	}
	s.core.take.Opaque(s.flow, o)
	s.settle()
	s.drop()
}

// drop forgets all the stream holds and makes it opaque.
func (s *stream) drop() {
	c := s.core
	s.phase = opaque
	c.holders.remove(s)
	s.dec, s.keeper = nil, nil
	s.forget()
	for i := range s.sides {
		d := &s.sides[i]
		c.bytes -= d.size
		c.held -= len(d.held)
		c.stats.OpaqueBytes += uint64(len(d.held))
		c.release(d.held)
		d.held, d.size, d.cur = nil, 0, nil
		d.unmark()
	}
}

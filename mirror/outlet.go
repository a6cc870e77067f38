package mirror

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// outlet is where the chunks of one side of a conversation go. It is used by one
// goroutine at a time.
type outlet struct {
	side      flow.Side
	from, to  string // host:port
	direction TrafficDirection
	conn      net.Conn // nil: nothing was sent yet
	oneWay    *sink.OneWay
	cut       bool // the connection broke; no more is sent

	// Of a chunk whose delivery is to be tried again:
	chunk *message.Chunk
	data  []byte // to be sent
}

// outlet makes that of one side of f and tells whether it is looked at.
func (s *session) outlet(f *flow.Flow, side flow.Side) (o *outlet, wanted bool) {
	c := message.Chunk{Flow: f, From: side}
	src, dst := c.Src(), c.Dst()
	o = &outlet{side: side, from: plain(src), to: plain(dst)}
	o.direction, wanted = direct(src.Port(), dst.Port(), s.m.config.ObservedPort)
	return o, wanted
}

// plain writes an IPv4 address within IPv6 as the original does.
func plain(a netip.AddrPort) string { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String() }

// deliver gives c to the hooks and does what they say. An error ends the
// session, unless it is errAgain: then c was recorded, and is to be sent by
// another call.
func (s *session) deliver(ctx context.Context, o *outlet, c *message.Chunk) error {
	if o.chunk == c {
		if err := s.send(ctx, o, o.data); err != nil {
			return err
		}
		o.chunk, o.data = nil, nil
		return nil
	}
	chunk := &ObservedTrafficChunk{Data: c.Data, From: o.from, To: o.to, Direction: o.direction, Type: TCPType,
		SeenAt: c.Time.Time(), Lost: c.Lost, MidStream: c.Mid}
	if err := s.tellGap(chunk); err != nil || len(chunk.Data) == 0 {
		return err
	}
	s.sent.chunks.Add(1)
	s.sent.chunkBytes.Add(uint64(len(chunk.Data)))
	data, err := s.toForward(chunk)
	if err != nil {
		return err
	}
	again := s.send(ctx, o, data)
	if again != nil && !errors.Is(again, errAgain) {
		return again
	}
	if err := s.record(chunk); err != nil {
		return err
	}
	if again != nil {
		o.chunk, o.data = c, data
	}
	return again
}

// tellGap tells of the bytes missing before chunk.
func (s *session) tellGap(chunk *ObservedTrafficChunk) error {
	if chunk.Lost == 0 {
		return nil
	}
	s.sent.gaps.Add(1)
	s.sent.lost.Add(chunk.Lost)
	hook := s.m.config.Options.GapHook
	if hook == nil {
		return nil
	}
	return hook(s.ctx, &ObservedTrafficGap{From: chunk.From, To: chunk.To, Direction: chunk.Direction, SeenAt: chunk.SeenAt, Lost: chunk.Lost})
}

// toForward returns what ForwardHook keeps of chunk.
func (s *session) toForward(chunk *ObservedTrafficChunk) ([]byte, error) {
	c := &s.m.config
	if c.TargetAddr == "" {
		return nil, nil
	}
	data, keep, err := c.ForwardHook.Handle(s.ctx, chunk)
	if err != nil || !keep {
		return nil, err
	}
	return data, nil
}

// errAgain marks an error of the target that may pass.
var errAgain = errors.New("trying again")

// send sends data to the target.
func (s *session) send(ctx context.Context, o *outlet, data []byte) error {
	if len(data) == 0 || o.cut {
		return nil
	}
	retry := s.m.config.Options.RetryTarget
	if err := s.connect(ctx, o); err != nil {
		if retry {
			return fmt.Errorf("%w: %w", errAgain, err)
		}
		return err
	}
	stall := time.Duration(0)
	if retry {
		stall = s.m.config.Options.StallTimeout
	}
	n, err := o.write(ctx, data, stall)
	s.sent.forwarded.Add(uint64(n))
	switch {
	case err == nil:
	case retry && ctx.Err() == nil:
		// Nobody knows how much of it has arrived.
		s.sent.cut.Add(1)
		s.finish(o)
		o.cut = true
	default:
		return fmt.Errorf("send to the mirror's target %s: %w", s.m.config.TargetAddr, err)
	}
	return nil
}

// write writes b until ctx ends, or for the time stall; 0: for ever.
func (o *outlet) write(ctx context.Context, b []byte, stall time.Duration) (int, error) {
	if o.oneWay != nil {
		return o.oneWay.Write(ctx, b, stall)
	}
	if stall > 0 {
		_ = o.conn.SetWriteDeadline(time.Now().Add(stall))
	}
	stop := context.AfterFunc(ctx, func() { _ = o.conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	n, err := o.conn.Write(b)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return n, err
}

// again is how long after a failure to connect nobody else tries: there may be
// thousands who would.
const again = 50 * time.Millisecond

// connect makes the connection of o where there is none.
func (s *session) connect(ctx context.Context, o *outlet) error {
	if o.conn != nil {
		return nil
	}
	c := &s.m.config
	s.downMu.Lock()
	down := s.down
	if down != nil && time.Since(s.downAt) > again {
		down = nil
	}
	s.downMu.Unlock()
	if down != nil {
		return down
	}
	conn, err := c.DialContext(ctx, "tcp", c.TargetAddr)
	if err != nil {
		err = fmt.Errorf("connect to the mirror's target %s: %w", c.TargetAddr, err)
		s.downMu.Lock()
		s.down, s.downAt = err, time.Now()
		s.downMu.Unlock()
		return err
	}
	s.sent.connections.Add(1)
	o.conn = conn
	if c.Options.DrainResponses {
		o.oneWay = sink.NewOneWay(conn, c.Options.DrainTimeout, func(n int) { s.sent.answered.Add(uint64(n)) })
	}
	return nil
}

// finish ends the connection of o.
func (s *session) finish(o *outlet) {
	switch {
	case o.oneWay != nil:
		o.oneWay.End()
		done := o.oneWay.Done()
		s.drains.Go(func() { <-done })
	case o.conn != nil:
		o.conn.Close()
	}
	o.conn, o.oneWay = nil, nil
}

// The names of what the context of a WriteFunc holds.
const (
	ListenType = "ListenType" // ClientType
	FromIP     = "FromIP"     // string, host:port
	ToIP       = "ToIP"       // string, host:port
	FromTo     = "FromTo"     // string, both with ... between
)

// writeContext says where a record comes from.
type writeContext struct {
	context.Context
	chunk *ObservedTrafficChunk
}

// Value implements context.Context.
func (c writeContext) Value(key any) any {
	switch key {
	case ListenType:
		return c.chunk.Type
	case FromIP:
		return c.chunk.From
	case ToIP:
		return c.chunk.To
	case FromTo:
		return c.chunk.From + "..." + c.chunk.To
	}
	return c.Context.Value(key)
}

// record writes what RecordHook keeps of chunk.
func (s *session) record(chunk *ObservedTrafficChunk) error {
	c := &s.m.config
	data, keep, err := c.RecordHook.Handle(s.ctx, chunk)
	if err != nil || !keep || len(data) == 0 || c.Writer == nil && c.WriteFunc == nil {
		return err
	}
	at := time.Now()
	if c.Options.CaptureTime {
		at = chunk.SeenAt
	}
	r := record.Record{Time: at, Type: byte(chunk.Type), From: chunk.From, To: chunk.To, Data: data}
	b, err := record.Append(nil, &r)
	if err != nil {
		return err
	}
	if !c.Options.ParallelWrites {
		s.m.recordMu.Lock()
		defer s.m.recordMu.Unlock()
	}
	if c.WriteFunc != nil {
		_, err = c.WriteFunc(b, writeContext{s.ctx, chunk})
	} else {
		_, err = c.Writer.Write(b)
	}
	if err != nil {
		return fmt.Errorf("write a record of the mirror: %w", err)
	}
	s.sent.records.Add(1)
	s.sent.recorded.Add(uint64(len(b)))
	return nil
}

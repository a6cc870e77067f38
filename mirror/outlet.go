package mirror

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/sink"
)

// outlet is where the chunks of one side of a conversation go. It is used by one
// goroutine at a time.
type outlet struct {
	from, to  string // host:port
	direction TrafficDirection
	conn      net.Conn // nil: nothing was sent yet
	oneWay    *sink.OneWay
}

// deliver gives chunk to the hooks and does what they say. An error ends the
// session; nothing is delivered after it.
func (s *session) deliver(o *outlet, chunk *ObservedTrafficChunk) {
	if s.ended.Load() {
		return
	}
	c := &s.m.config
	if chunk.Lost > 0 {
		s.sent.gaps.Add(1)
		s.sent.lost.Add(chunk.Lost)
		if c.Options.GapHook != nil {
			if err := c.Options.GapHook(s.ctx, &ObservedTrafficGap{From: chunk.From, To: chunk.To, Direction: chunk.Direction, SeenAt: chunk.SeenAt, Lost: chunk.Lost}); err != nil {
				s.fail(err)
				return
			}
		}
	}
	if len(chunk.Data) == 0 {
		return
	}
	s.sent.chunks.Add(1)
	s.sent.chunkBytes.Add(uint64(len(chunk.Data)))
	if err := s.forward(o, chunk); err != nil {
		s.fail(err)
		return
	}
	if err := s.record(chunk); err != nil {
		s.fail(err)
	}
}

// forward sends what ForwardHook keeps of chunk to the target.
func (s *session) forward(o *outlet, chunk *ObservedTrafficChunk) error {
	c := &s.m.config
	if c.TargetAddr == "" {
		return nil
	}
	data, keep, err := c.ForwardHook.Handle(s.ctx, chunk)
	if err != nil || !keep || len(data) == 0 {
		return err
	}
	if err := s.connect(o); err != nil {
		return err
	}
	return s.send(o, data)
}

// connect makes the connection of o where there is none.
func (s *session) connect(o *outlet) error {
	if o.conn != nil {
		return nil
	}
	c := &s.m.config
	conn, err := c.DialContext(s.ctx, "tcp", c.TargetAddr)
	if err != nil {
		return fmt.Errorf("connect to the mirror's target %s: %w", c.TargetAddr, err)
	}
	s.sent.connections.Add(1)
	o.conn = conn
	if c.Options.DrainResponses {
		o.oneWay = sink.NewOneWay(conn, c.Options.DrainTimeout, func(n int) { s.sent.answered.Add(uint64(n)) })
	}
	return nil
}

func (s *session) send(o *outlet, data []byte) error {
	n, err := sink.WriteConn(s.out, o.conn, data)
	s.sent.forwarded.Add(uint64(n))
	if err != nil {
		return fmt.Errorf("send to the mirror's target %s: %w", s.m.config.TargetAddr, err)
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

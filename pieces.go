package passiflow

import (
	"bytes"
	"context"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// pieces are the bytes of conversations on their way to one output of UnitChunk.
// They belong to one worker.
type pieces struct {
	to    Pusher[*message.Chunk]
	wants func(*flow.Flow, flow.Side) bool // nil: all
	held  []*message.Chunk
}

func newPieces(c *Config) (all []*pieces) {
	for _, o := range c.Outputs {
		if o.Unit == UnitChunk {
			all = append(all, &pieces{to: o.Chunks, wants: o.Wants})
		}
	}
	return all
}

func (p *pieces) push(ctx context.Context) {
	if len(p.held) > 0 {
		p.to.Push(ctx, p.held)
		clear(p.held)
		p.held = p.held[:0]
	}
}

// cutter is a conversation whose bytes go to outputs of UnitChunk, and what else
// becomes of it.
type cutter struct {
	f     *flow.Flow
	next  flow.Stream // nil: nothing
	to    [2][]*pieces
	begun [2]bool
	mid   [2]bool // its beginning was not seen
	count *Walk
}

// cut returns the stream of f whose bytes also go to the outputs that want them.
func (w *worker) cut(f *flow.Flow, next flow.Stream) flow.Stream {
	c := &cutter{f: f, next: next, count: &w.count}
	for i := range c.to {
		for _, p := range w.pieces {
			if p.wants == nil || p.wants(f, flow.Side(i)) {
				c.to[i] = append(c.to[i], p)
			}
		}
	}
	if len(c.to[0])+len(c.to[1]) == 0 {
		return next
	}
	return c
}

// Chunk implements flow.Stream.
func (c *cutter) Chunk(k *flow.Chunk) packet.Time {
	if len(c.to[k.From]) > 0 {
		c.take(k)
	}
	if c.next == nil {
		return 0
	}
	return c.next.Chunk(k)
}

func (c *cutter) take(k *flow.Chunk) {
	x := &message.Chunk{Flow: c.f, From: k.From, Time: k.Time, Offset: k.Offset, Lost: k.Lost, End: k.End}
	if !c.begun[k.From] {
		c.mid[k.From] = c.mid[k.From] || k.Mid || k.Lost > 0
		if len(k.Data) == 0 {
			return // nothing of it was seen yet
		}
		c.begun[k.From] = true
		x.First, x.Mid, x.Lost = true, c.mid[k.From], 0
	}
	x.Data = bytes.Clone(k.Data)
	c.hand(x)
}

func (c *cutter) hand(x *message.Chunk) {
	c.count.Chunks++
	c.count.ChunkBytes += uint64(len(x.Data))
	for _, p := range c.to[x.From] {
		p.held = append(p.held, x)
	}
	if x.End {
		c.to[x.From] = nil
	}
}

// Tick implements flow.Stream.
func (c *cutter) Tick(now packet.Time) packet.Time {
	if c.next == nil {
		return 0
	}
	return c.next.Tick(now)
}

// Close implements flow.Stream.
func (c *cutter) Close(r flow.Reason) {
	for i := range c.to {
		if c.begun[i] && len(c.to[i]) > 0 {
			c.hand(&message.Chunk{Flow: c.f, From: flow.Side(i), End: true})
		}
	}
	if c.next != nil {
		c.next.Close(r)
	}
}

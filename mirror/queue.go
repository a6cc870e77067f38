package mirror

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// openQueue puts a queue before the delivery of chunks.
func (s *session) openQueue() {
	o := &s.m.config.Options
	c := sink.DefaultQueueConfig()
	c.Bytes = o.QueueBytes
	c.Retry.Closing = math.MaxInt64 // the context bounds that
	if o.WaitForRoom {
		c.Policy = sink.Wait
	}
	s.queue = sink.NewChunks(&workers{s: s, outlets: map[stretch]*outlet{}}, c)
}

// push hands c to the queue.
func (s *session) push(c *message.Chunk) {
	s.one[0] = c
	s.queue.Push(s.out, s.one[:])
}

// stretch is one direction of a conversation.
type stretch struct {
	flow *flow.Flow
	from flow.Side
}

// workers deliver the chunks of a session, those of several streams at a time.
type workers struct {
	s       *session
	mu      sync.Mutex
	outlets map[stretch]*outlet
}

// Parallel implements sink.Parallel.
func (w *workers) Parallel() int { return w.s.m.config.Options.Workers }

// Write implements sink.ChunkSink.
func (w *workers) Write(ctx context.Context, batch []*message.Chunk) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key := stretch{batch[0].Flow, batch[0].From}
	w.mu.Lock()
	o := w.outlets[key]
	if o == nil {
		o, _ = w.s.outlet(key.flow, key.from)
		w.outlets[key] = o
	}
	w.mu.Unlock()
	for i, c := range batch {
		if w.s.ended.Load() {
			return sink.Broken(w.s.failed())
		}
		switch err := w.s.deliver(ctx, o, c); {
		case errors.Is(err, errAgain):
			return sink.Partial(i, err)
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			w.s.fail(err)
			return sink.Broken(err)
		}
		if c.End {
			w.s.finish(o)
			w.mu.Lock()
			delete(w.outlets, key)
			w.mu.Unlock()
		}
	}
	return nil
}

// Close implements sink.ChunkSink.
func (w *workers) Close(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.outlets {
		w.s.finish(o)
	}
	clear(w.outlets)
	return nil
}

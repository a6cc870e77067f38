package webhook

import (
	"context"
	"sync"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// each posts every line that the format makes of a record, or all that it makes
// where that is no line. Several records are under way at once: those that are
// delivered ahead of one that fails are remembered, and left out when the queue
// comes back with them.
func (w *webhook) each(ctx context.Context, batch []*message.Exchange) error {
	for done := 0; done < len(batch); {
		some := batch[done:min(done+len(w.lanes), len(batch))]
		var all sync.WaitGroup
		for i, x := range some {
			l := &w.lanes[i]
			l.err = nil
			if l.known = w.ahead.Has(x); l.known {
				continue
			}
			if cap(l.room) > keep {
				l.room = nil
			}
			l.room = w.format.Append(l.room[:0], x) // a format is for one goroutine
			if len(some) == 1 {
				l.err = w.post1(ctx, l.room)
				continue
			}
			all.Go(func() { l.err = w.post1(ctx, l.room) })
		}
		all.Wait() // none is left running when Write returns
		for i, x := range some {
			if w.lanes[i].err != nil {
				w.remember(some[i+1:], w.lanes[i+1:])
				return sink.Partial(done+i, w.lanes[i].err)
			}
			w.ahead.Forget(x)
		}
		done += len(some)
	}
	return nil
}

// lane is one request at a time.
type lane struct {
	room  []byte // kept between batches
	err   error
	known bool // it was delivered before
}

// remember keeps what was delivered ahead of a failure.
func (w *webhook) remember(some []*message.Exchange, lanes []lane) {
	for i, x := range some {
		if lanes[i].err != nil || lanes[i].known {
			continue
		}
		w.ahead.Add(x)
	}
}

// post1 posts what the format made of one record.
func (w *webhook) post1(ctx context.Context, b []byte) error {
	for len(b) > 0 {
		body := b
		if w.lines {
			body, b = cut(b)
		} else {
			b = nil
		}
		if _, err := w.post.Post(ctx, w.kind, body); err != nil {
			return err
		}
	}
	return nil
}

func cut(b []byte) (line, rest []byte) {
	for i, c := range b {
		if c == '\n' {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

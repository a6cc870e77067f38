package replay

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/passiflow/passiflow/sink/shadow/diff"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// talk holds one conversation: it sends while a line reads.
type talk struct {
	*run
	*conversation
	begun  time.Time
	ctx    context.Context // of the run
	buffer []byte

	mu    sync.Mutex
	cond  sync.Cond // told when over grows, and when ctx ends
	over  int       // steps that were answered, or never will be
	lines []*line   // the last one is in use; others may still have answers to come
	ended bool      // nothing more is sent
}

// hold sends every request of the conversation, in order, and waits for the
// answers.
func (t *talk) hold() {
	ctx := t.ctx
	t.cond.L = &t.mu
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.cond.Broadcast()
		for _, l := range t.lines {
			l.conn.Close()
		}
	})
	defer stop()
	var lines sync.WaitGroup
	for i := range t.steps {
		s := &t.steps[i]
		due := t.due(t.begun, s.start())
		if !sleep(ctx, time.Until(due)) || !t.wait(s.after) {
			break
		}
		t.send(s, due, &lines)
	}
	t.mu.Lock()
	t.ended = true
	for _, l := range t.lines {
		l.finish()
	}
	t.mu.Unlock()
	lines.Wait()
}

// wait waits until so many steps are over.
func (t *talk) wait(n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.over < n && t.ctx.Err() == nil {
		t.cond.Wait()
	}
	return t.ctx.Err() == nil
}

// send sends one request, on a new connection where there is none.
func (t *talk) send(s *step, due time.Time, lines *sync.WaitGroup) {
	t.buffer, _ = t.options.Request.Append(t.buffer[:0], s.x) // which it was when it was planned
	f := &flight{step: s}
	l, err := t.connect(lines)
	if err != nil {
		t.lost(f, err)
		return
	}
	if t.options.Speed > 0 {
		t.tally.Late(time.Since(due))
	}
	if !l.expect(f, t.options.Timeout) {
		// It was closed in this moment: nothing was sent.
		if l, err = t.connect(lines); err != nil || !l.expect(f, t.options.Timeout) {
			t.lost(f, errors.Join(err, io.EOF))
			return
		}
	}
	if err := l.conn.Send(t.buffer, t.options.Timeout); err != nil {
		// An answer that came before the end of the request still counts, and
		// the line tells what became of it.
		l.broken(err)
	}
}

// connect returns the line of the conversation, a new one where it has ended.
func (t *talk) connect(lines *sync.WaitGroup) (*line, error) {
	t.mu.Lock()
	n := len(t.lines)
	if n > 0 && !t.lines[n-1].ended() {
		defer t.mu.Unlock()
		return t.lines[n-1], nil
	}
	t.mu.Unlock()
	l, err := t.dial()
	if err != nil {
		return nil, err
	}
	t.enter(l)
	lines.Go(l.read)
	return l, nil
}

// dial opens a connection.
func (t *talk) dial() (*line, error) {
	conn, err := t.options.Target.Connect(t.ctx, t.options.Connect)
	if err != nil {
		return nil, err
	}
	t.connections.Add(1)
	return &line{talk: t, conn: conn}, nil
}

// enter makes l the line in use.
func (t *talk) enter(l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(slices.DeleteFunc(t.lines, func(l *line) bool { return l.ended() }), l)
	if t.ended {
		l.finish()
	}
	if t.ctx.Err() != nil {
		l.conn.Close()
	}
}

// done says that one more step is over.
func (t *talk) done() {
	t.mu.Lock()
	t.over++
	t.cond.Broadcast()
	t.mu.Unlock()
}

// lost counts a request that is not answered.
func (t *talk) lost(f *flight, err error) {
	o := t.outcome(f)
	if o.Why = wire.Why(err); over(t.ctx) {
		o.Why = diff.Stopped
	}
	t.tally.Take(o)
	t.done()
}

// over tells whether ctx has ended; a dialler sees a deadline pass before ctx does.
func over(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(end)
}

func (t *talk) outcome(f *flight) *diff.Outcome {
	return diff.NewOutcome(f.step.x, t.options.Request.Target(f.step.x.Request))
}

package replay

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// flight is a request on its way.
type flight struct {
	step  *step
	sent  time.Time
	again bool // for the second time
}

// streams tells whether the recorded answer had no end while it was looked at.
func (f *flight) streams() bool {
	a := f.step.x.Response
	return a != nil && a.Marks&message.StillOpen != 0
}

// patience is how long an answer may take. One that went on and on is read for
// about as long as it was recorded.
func (f *flight) patience(timeout time.Duration) time.Duration {
	if !f.streams() {
		return timeout
	}
	return min(timeout, max(f.step.x.Response.End.Sub(f.step.start()), 0)+grace)
}

// line is one connection of a conversation.
type line struct {
	talk *talk
	conn *wire.Conn

	mu      sync.Mutex
	flights []*flight // in the order sent
	last    bool      // nothing more is sent
	over    bool      // nothing more can be sent
	failed  error     // why a request could not be sent whole

	answered int // of the reading goroutine alone
}

// expect tells the line of a request before it is sent. It returns false where
// the line is over.
func (l *line) expect(f *flight, timeout time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	f.sent = time.Now()
	if l.flights = append(l.flights, f); len(l.flights) == 1 {
		l.conn.Deadline(f.sent.Add(f.patience(timeout)))
	}
	return true
}

func (l *line) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// finish says that nothing more is sent.
func (l *line) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last = true; len(l.flights) == 0 {
		l.conn.Close()
	}
}

// broken says that a request could not be sent whole.
func (l *line) broken(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed, l.over = err, true
	l.conn.Deadline(time.Now().Add(grace))
}

// grace is how long an answer may still come on a line that takes nothing more.
const grace = time.Second

// read takes the answers as they come, also the end of a line that nobody asks
// anything, so that the next request gets a new one.
func (l *line) read() {
	defer l.conn.Close()
	t := l.talk
	for {
		err := l.conn.Wait()
		f := l.front()
		if f == nil {
			l.end(errors.Join(err, io.EOF)) // closed, or an answer that nobody asked for
			return
		}
		if err != nil && l.retry(f, err) {
			return
		}
		var a *wire.Answer
		if err == nil {
			a, err = l.conn.Receive(f.step.x.Request.Op, t.options.BodyLimit)
		}
		if err != nil && a != nil && a.Message != nil && f.streams() {
			a.Marks |= message.StillOpen
			a.Close, a.Last, err = true, time.Now(), nil
		}
		if err != nil {
			l.end(err)
			return
		}
		o := t.outcome(f)
		o.Replayed = a.Message
		o.IsFirst, o.IsLast = a.First.Sub(f.sent), a.Last.Sub(f.sent)
		t.tally.Take(o)
		l.answered++
		more := l.next(a.Close)
		t.done()
		if !more {
			l.end(io.EOF)
			return
		}
	}
}

// retry sends f once more, on a new line, where the server has ended this one
// while nothing was asked on it, and f came too late to see that (RFC 9112
// section 9.3.1). It returns when that line has ended, too.
func (l *line) retry(f *flight, err error) bool {
	t := l.talk
	if l.answered == 0 || f.again || !wire.Over(err) || !wire.Safe(f.step.x.Request.Op) || over(t.ctx) {
		return false
	}
	l.mu.Lock()
	if len(l.flights) != 1 { // pipelined: how much of it the server has seen, nobody knows
		l.mu.Unlock()
		return false
	}
	l.flights, l.over = nil, true
	l.mu.Unlock()
	l.conn.Close()
	f.again = true
	n, err := t.dial()
	if err != nil {
		t.lost(f, err)
		return true
	}
	n.expect(f, t.options.Timeout)
	t.enter(n)
	request, _ := t.options.Request.Append(nil, f.step.x)
	if err := n.conn.Send(request, t.options.Timeout); err != nil {
		n.broken(err)
	}
	n.read()
	return true
}

func (l *line) front() *flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.flights) == 0 {
		l.over = true
		return nil
	}
	return l.flights[0]
}

// next takes the first flight off. It returns false where no other can follow.
func (l *line) next(closed bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flights = l.flights[1:]
	if closed {
		l.over = true
	}
	switch {
	case l.over || l.last && len(l.flights) == 0:
		return len(l.flights) > 0 && !closed
	case len(l.flights) == 0:
		l.conn.Deadline(time.Time{})
	default:
		l.conn.Deadline(time.Now().Add(l.flights[0].patience(l.talk.options.Timeout)))
	}
	return true
}

// end counts what was never answered.
func (l *line) end(err error) {
	l.mu.Lock()
	l.over = true
	left := l.flights
	l.flights = nil
	if l.failed != nil {
		err = l.failed
	}
	l.mu.Unlock()
	for _, f := range left {
		l.talk.lost(f, err)
	}
}

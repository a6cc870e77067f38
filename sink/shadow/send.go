package shadow

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink/shadow/diff"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// overRate is why a request is not sent that comes too soon.
const overRate = "over the rate"

// one sends the request of x and takes its answer. An error says that nothing
// was sent, and that it is worth trying again.
func (s *shadow) one(ctx context.Context, x *message.Exchange) error {
	if x.Request == nil { // an answer alone, or a conversation
		return nil
	}
	request, why := s.config.Request.Append(nil, x)
	if why != wire.Sendable {
		s.count()
		s.tally.Refuse(string(why), 1)
		return nil
	}
	switch ok, err := s.pace.take(ctx, s.config.Wait); {
	case err != nil:
		return err
	case !ok:
		s.count()
		s.tally.Refuse(overRate, 1)
		return nil
	}
	c, used, err := s.connection(ctx, x)
	if err != nil {
		s.pace.giveBack()
		return err
	}
	s.count()
	o, began := diff.NewOutcome(x, s.config.Request.Target(x.Request)), time.Now()
	a, err := s.exchange(ctx, c, x, request)
	if err != nil && used && a == nil && ctx.Err() == nil && wire.Over(err) {
		// The server had closed the connection while nobody used it, and has not
		// seen the request (RFC 9112 section 9.3.1). It is one that changes
		// nothing, or the connection would be a new one.
		if c, err = s.dial(ctx); err == nil {
			began = time.Now()
			a, err = s.exchange(ctx, c, x, request)
		}
	}
	if err != nil {
		if o.Why = wire.Why(err); ctx.Err() != nil {
			o.Why = diff.Stopped
		}
		s.tally.Take(o)
		return nil
	}
	o.Replayed, o.IsFirst, o.IsLast = a.Message, a.First.Sub(began), a.Last.Sub(began)
	s.tally.Take(o)
	return nil
}

// exchange sends a request and takes its answer. The connection is kept where it
// can be used again.
func (s *shadow) exchange(ctx context.Context, c *wire.Conn, x *message.Exchange, request []byte) (*wire.Answer, error) {
	stop := context.AfterFunc(ctx, c.Close)
	defer stop()
	patience, streams := s.config.Timeout, x.Response != nil && x.Response.Marks&message.StillOpen != 0
	if streams { // one that went on and on is read for about as long as it was seen
		patience = min(patience, max(x.Response.End.Sub(x.Request.Start), 0)+time.Second)
	}
	c.Deadline(time.Now().Add(patience))
	if err := c.Send(request, s.config.Timeout); err != nil {
		c.Close()
		return nil, err
	}
	a, err := c.Receive(x.Request.Op, s.config.BodyLimit)
	if streams && err != nil && a != nil && a.Message != nil && ctx.Err() == nil {
		a.Marks |= message.StillOpen
		a.Close, a.Last, err = true, time.Now(), nil
	}
	if err != nil || a.Close {
		c.Close()
		return a, err
	}
	s.keep(c)
	return a, nil
}

func (s *shadow) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
}

// connection returns one for the request of x, and whether it was used before.
// What may change something gets a new one: it cannot be sent again.
func (s *shadow) connection(ctx context.Context, x *message.Exchange) (c *wire.Conn, used bool, err error) {
	s.mu.Lock()
	if n := len(s.idle); n > 0 && wire.Safe(x.Request.Op) {
		c, s.idle = s.idle[n-1], s.idle[:n-1]
	}
	s.mu.Unlock()
	if c != nil {
		return c, true, nil
	}
	c, err = s.dial(ctx)
	return c, false, err
}

func (s *shadow) dial(ctx context.Context) (*wire.Conn, error) {
	c, err := s.target.Connect(ctx, s.config.Connect)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections++
	return c, nil
}

// keep takes a connection back.
func (s *shadow) keep(c *wire.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) >= s.config.Concurrency {
		c.Close()
		return
	}
	s.idle = append(s.idle, c)
}

// pace lets so many pass in a second, and as many as in one second at once.
type pace struct {
	mu   sync.Mutex
	rate float64
	room float64 // requests that may be sent now
	last time.Time
}

var errStopped = errors.New("stopped")

// take tells whether one more may pass. With wait it waits until it may.
func (p *pace) take(ctx context.Context, wait bool) (bool, error) {
	p.mu.Lock()
	now := time.Now()
	p.room = min(p.room+now.Sub(p.last).Seconds()*p.rate, max(p.rate, 1))
	p.last = now
	if p.room < 1 && !wait {
		p.mu.Unlock()
		return false, nil
	}
	p.room-- // below 0: who comes later waits longer
	short := -p.room
	p.mu.Unlock()
	if short <= 0 {
		return true, nil
	}
	t := time.NewTimer(time.Duration(short / p.rate * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
		return true, nil
	case <-ctx.Done():
		p.giveBack()
		return false, errStopped
	}
}

// giveBack says that one that passed was not sent.
func (p *pace) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room++
}

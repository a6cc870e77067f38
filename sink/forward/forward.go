// Package forward sends the bytes that one side of each conversation sent to a
// target, over one connection for each.
package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// Config is what can be set.
type Config struct {
	// Address of the target, host:port. No default.
	Address string
	// Side says whose bytes are sent: client, server or both, these over a
	// connection each. Default client.
	Side string
	// Whole sends only what was seen from its beginning. Default false.
	Whole bool
	// Gaps says what becomes of a stream of which bytes are missing: end, so that
	// the target has its beginning and nothing wrong, or pass, which goes on
	// behind the gap. Default end.
	Gaps string
	// Connections bounds those that are open at once; the streams of more are not
	// sent, and counted as refused. Default 16384.
	Connections int
	// DialTimeout is how long connecting may take. Default 5 s.
	DialTimeout time.Duration
	// Stall is how long the target may take nothing before its connection is
	// given up, and the stream with it. Default 1 min.
	Stall time.Duration
	// Linger is how long the target has, after the end of a stream, to say the
	// rest of its answer, which is thrown away. Default 5 s.
	Linger time.Duration
	// Dial opens connections. Default that of a net.Dialer.
	Dial sink.Dial
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Side: "client", Gaps: "end", Connections: 16384, DialTimeout: 5 * time.Second, Stall: time.Minute, Linger: 5 * time.Second}
}

// New returns the sink. A target that cannot be reached is an error that may
// pass; a connection that breaks ends its stream, because nobody knows how much
// of it has arrived. It is Parallel.
func New(c Config) (sink.ChunkSink, error) {
	sides, err := sink.ParseSides(c.Side)
	if err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	if strings.ContainsAny(c.Address, "@/?#") { // not repeated: it may hold a password
		return nil, errors.New("forward: address: must be host:port and no URL")
	}
	if _, port, err := net.SplitHostPort(c.Address); err != nil || port == "" {
		return nil, fmt.Errorf("forward to %q: must be host:port", c.Address)
	}
	if c.Gaps != "end" && c.Gaps != "pass" {
		return nil, fmt.Errorf("forward: gaps %q: must be end or pass", c.Gaps)
	}
	if c.Connections < 1 {
		return nil, fmt.Errorf("forward: connections %d: must be at least 1", c.Connections)
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	return &forward{Sides: sides, config: c, lines: map[stream]*line{}}, nil
}

type stream struct {
	flow *flow.Flow
	from flow.Side
}

// line is the connection of one stream.
type line struct{ *sink.OneWay }

type forward struct {
	sink.Sides
	config Config

	mu     sync.Mutex
	lines  map[stream]*line
	open   int // lines, and those whose end the target has not answered yet
	ending sync.WaitGroup
	closed bool
	down   error // what dialling said last
	since  time.Time
}

var (
	errClosed  = errors.New("forward: the sink is closed")
	errGap     = errors.New("forward: bytes of the stream are missing")
	errMid     = errors.New("forward: the beginning of the stream was not seen")
	errTooMany = errors.New("forward: too many connections at once: raise connections")
)

// Parallel implements sink.Parallel.
func (f *forward) Parallel() int { return f.config.Connections }

// Write implements sink.ChunkSink.
func (f *forward) Write(ctx context.Context, batch []*message.Chunk) error {
	if err := ctx.Err(); err != nil || len(batch) == 0 {
		return err
	}
	if !f.Sides[batch[0].From] {
		return nil
	}
	key := stream{batch[0].Flow, batch[0].From}
	f.mu.Lock()
	l, closed := f.lines[key], f.closed
	f.mu.Unlock()
	if closed {
		return sink.Broken(errClosed)
	}
	if l == nil {
		var err error
		if l, err = f.connect(ctx, key, batch[0]); err != nil {
			return err
		}
	}
	for i, c := range batch {
		if err := f.send(ctx, l, c); err != nil {
			if ctx.Err() != nil {
				return sink.Partial(i, ctx.Err()) // there is no other attempt
			}
			f.end(key, l, !errors.Is(err, errGap))
			return sink.Partial(i, sink.Permanent(err))
		}
		if c.End {
			f.end(key, l, false)
		}
	}
	return nil
}

// send sends one chunk. Part of it may have gone out where there is an error.
func (f *forward) send(ctx context.Context, l *line, c *message.Chunk) error {
	if c.Lost > 0 && f.config.Gaps == "end" {
		return errGap
	}
	if len(c.Data) == 0 {
		return nil
	}
	if _, err := l.Write(ctx, c.Data, f.config.Stall); err != nil {
		return fmt.Errorf("forward to %s: %w", f.config.Address, err)
	}
	return nil
}

// again is how long after a failure to connect nobody else tries: there may be
// thousands who would.
const again = 50 * time.Millisecond

// connect makes the connection of a stream that begins with c.
func (f *forward) connect(ctx context.Context, key stream, c *message.Chunk) (*line, error) {
	if !c.First || c.Mid && f.config.Whole {
		return nil, sink.Permanent(errMid)
	}
	f.mu.Lock()
	switch {
	case f.open >= f.config.Connections:
		f.mu.Unlock()
		return nil, sink.Permanent(errTooMany)
	case f.down != nil && time.Since(f.since) < again:
		defer f.mu.Unlock()
		return nil, f.down
	}
	f.open++
	f.mu.Unlock()

	dialing, cancel := context.WithTimeout(ctx, f.config.DialTimeout)
	conn, err := f.config.Dial(dialing, "tcp", f.config.Address)
	cancel()

	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.open--
		f.down, f.since = fmt.Errorf("forward: %w", err), time.Now()
		return nil, f.down
	}
	f.down = nil
	l := &line{OneWay: sink.NewOneWay(conn, f.config.Linger, nil)}
	f.lines[key] = l
	return l, nil
}

// end ends the connection of a stream, at once where it is broken.
func (f *forward) end(key stream, l *line, broken bool) {
	if broken {
		l.Abort()
	} else {
		l.End()
	}
	f.mu.Lock()
	delete(f.lines, key)
	f.mu.Unlock()
	f.ending.Go(func() {
		<-l.Done()
		f.mu.Lock()
		f.open--
		f.mu.Unlock()
	})
}

// Close ends all connections and waits until the target has ended, too, or ctx
// ends.
func (f *forward) Close(ctx context.Context) error {
	f.mu.Lock()
	f.closed = true
	left := f.lines
	f.lines = map[stream]*line{}
	f.mu.Unlock()
	for key, l := range left {
		f.end(key, l, false)
	}
	done := make(chan struct{})
	go func() {
		f.ending.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done(): // they end with Linger
	}
	return nil
}

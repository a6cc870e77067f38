// Package shadow sends the requests of records to a target while the traffic
// goes on, and compares what that answers with what was answered before.
package shadow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/shadow/diff"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// Config is what can be set.
type Config struct {
	// URL is the target: HOST:PORT, http://HOST or https://HOST. No default.
	URL string
	// Allow is asked before anything is sent to a target that is not this
	// machine's loopback; its error refuses. nil refuses.
	Allow func(question string) error
	// Production refuses a target that is not https. Default false.
	Production bool
	// TLS says whom to trust.
	TLS sink.TLSConfig
	// Rate is how many requests are sent in a second at most. Default 100.
	Rate float64
	// Wait makes requests over Rate wait, and with them those behind; otherwise
	// they are not sent, and counted. Default false.
	Wait bool
	// Concurrency is how many requests are under way at once. Default 16.
	Concurrency int
	// Connect bounds the time for a connection. Default 5 s.
	Connect time.Duration
	// Timeout bounds the time for a request to be taken, and for its answer to
	// come whole. Default 10 s.
	Timeout time.Duration
	// BodyLimit is how many bytes of an answer's body are compared. Default 1 MiB.
	BodyLimit int
	// Request says which requests are sent and what is changed in them.
	Request wire.Config
	// Compare says what is compared.
	Compare diff.Config
	// Examples is how many exchanges that differ the report shows. Default 100.
	Examples int
	// Report is a file that the report is written to: .html, .json, or text.
	// Default: none.
	Report string
	// Every is how often it is written anew, and a summary logged. Default 1 min.
	Every time.Duration
	// Log takes the summary; nil is silent.
	Log *slog.Logger
	// Dial opens connections. Default that of a net.Dialer.
	Dial sink.Dial
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Rate: 100, Concurrency: 16, Connect: 5 * time.Second, Timeout: 10 * time.Second, BodyLimit: 1 << 20,
		Request: wire.DefaultConfig(), Compare: diff.DefaultConfig(), Examples: 100, Every: time.Minute}
}

// lookup bounds the time for the target's name.
const lookup = 10 * time.Second

// Open returns the sink. It looks the target's name up, asks where that is
// another machine, and writes an empty report.
func Open(c Config) (sink.Sink, error) {
	s, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("shadow: %w", err)
	}
	return s, nil
}

func open(c Config) (*shadow, error) {
	switch {
	case !(c.Rate > 0) || math.IsInf(c.Rate, 0):
		return nil, fmt.Errorf("rate %g: must be more than 0", c.Rate)
	case c.Concurrency < 1 || c.Concurrency > 10_000:
		return nil, fmt.Errorf("concurrency %d: must be from 1 to 10000", c.Concurrency)
	case c.Connect <= 0 || c.Timeout <= 0:
		return nil, errors.New("timeout: must be more than 0")
	case c.Every <= 0:
		return nil, fmt.Errorf("report every %v: must be more than 0", c.Every)
	case c.BodyLimit < 0:
		return nil, fmt.Errorf("body limit %d: must not be negative", c.BodyLimit)
	}
	target, err := wire.ParseTarget(c.URL)
	if err != nil {
		return nil, err
	}
	if target.TLS != nil {
		c.TLS.Name = target.TLS.ServerName
		own, err := c.TLS.Client()
		if err != nil {
			return nil, err
		}
		own.NextProtos = target.TLS.NextProtos
		target.TLS = own
	} else if c.Production {
		return nil, fmt.Errorf("%s: must use https in production mode", target)
	}
	target.Dial = c.Dial
	compare, err := diff.New(c.Compare)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookup)
	defer cancel()
	loopback, err := target.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	if !loopback {
		question := fmt.Sprintf("Send a copy of the requests to %s, which is not this machine?", target)
		if c.Allow == nil {
			return nil, errors.New(question + " Nobody is there to ask")
		}
		if err := c.Allow(question); err != nil {
			return nil, err
		}
	}
	s := &shadow{config: c, target: target, tally: diff.NewTally(compare, c.Examples), begun: time.Now()}
	s.reported = s.begun
	s.pace = pace{rate: c.Rate, room: max(c.Rate, 1), last: s.begun}
	return s, s.write(s.report())
}

type shadow struct {
	config   Config
	target   *wire.Target
	tally    *diff.Tally
	begun    time.Time
	reported time.Time
	pace     pace
	sent     sink.Ahead // guarded by mu while requests are under way
	closed   bool

	mu          sync.Mutex
	idle        []*wire.Conn
	connections int64
	requests    int64
}

// Write sends the requests of batch, those of one conversation one after the
// other. A target to which no connection can be made is an error that may pass:
// nothing was sent then. A request that was sent is never sent again, whatever
// became of it.
func (s *shadow) Write(ctx context.Context, batch []*message.Exchange) error {
	if s.closed {
		return sink.Broken(errors.New("shadow: the sink is closed"))
	}
	if err := ctx.Err(); err != nil || len(batch) == 0 {
		return err
	}
	err := s.spread(ctx, batch)
	if time.Since(s.reported) >= s.config.Every {
		s.reported = time.Now()
		if err := s.summary(); err != nil && s.config.Log != nil { // ends nothing before the end
			s.config.Log.Error("the report cannot be written", "error", err.Error())
		}
	}
	n := 0
	for n < len(batch) && (err == nil || s.sent.Has(batch[n])) {
		s.sent.Forget(batch[n])
		n++
	}
	if err == nil {
		return nil
	}
	return sink.Partial(n, fmt.Errorf("shadow to %s: %w", s.target, err))
}

// spread deals the conversations of batch out to as many goroutines as may be
// under way, and waits for them.
func (s *shadow) spread(ctx context.Context, batch []*message.Exchange) error {
	lanes := map[uint64][]*message.Exchange{} // by Flow.ID: of a spool, each record has its own Flow
	var order []uint64
	for _, x := range batch {
		if s.sent.Has(x) { // in an earlier try
			continue
		}
		id := x.Flow.ID
		if lanes[id] == nil {
			order = append(order, id)
		}
		lanes[id] = append(lanes[id], x)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan []*message.Exchange)
	var group sync.WaitGroup
	for range min(s.config.Concurrency, len(order)) {
		group.Go(func() {
			for lane := range next {
				for _, x := range lane {
					if ctx.Err() != nil {
						break
					}
					if err := s.one(ctx, x); err != nil {
						cancel(err)
						break
					}
					s.mu.Lock()
					s.sent.Add(x)
					s.mu.Unlock()
				}
			}
		})
	}
	for _, id := range order {
		next <- lanes[id]
	}
	close(next)
	group.Wait()
	return context.Cause(ctx)
}

// Close writes the last report and ends the connections.
func (s *shadow) Close(context.Context) error {
	if s.closed {
		return nil
	}
	s.closed = true
	for _, c := range s.idle {
		c.Close()
	}
	s.idle = nil
	err := s.summary()
	if log := s.config.Log; log != nil {
		for _, c := range s.tally.Report().Refused {
			log.Info("shadow: not sent", "reason", c.What, "requests", c.Count)
		}
	}
	return err
}

func (s *shadow) report() *diff.Report {
	r := s.tally.Report()
	r.Target, r.Started, r.Took = s.target.String(), s.begun.UTC(), time.Since(s.begun)
	s.mu.Lock()
	r.Connections, r.Requests = s.connections, s.requests
	s.mu.Unlock()
	return r
}

// summary tells what was found so far.
func (s *shadow) summary() error {
	r := s.report()
	if log := s.config.Log; log != nil {
		refused := int64(0)
		for _, c := range r.Refused {
			refused += c.Count
		}
		level := slog.LevelInfo
		if r.Different > 0 {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, "shadow", "target", r.Target, "sent", r.Sent, "same", r.Same, "different", r.Different,
			"unanswered", r.Sent-r.Answered, "not_sent", refused, "p50_recorded", r.LastByte.Recorded.P50.String(), "p50", r.LastByte.Replayed.P50.String())
	}
	return s.write(r)
}

// write puts the report in the place of the one before, whole: it may be looked
// at meanwhile. It is for its owner alone, because it shows what servers said.
func (s *shadow) write(r *diff.Report) (err error) {
	name := s.config.Report
	if name == "" {
		return nil
	}
	to, err := os.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	err = errors.Join(r.Write(to, name), to.Close())
	if err == nil {
		err = os.Rename(name+".part", name)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

package sinktest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/sink"
)

// Gate stands before a place that takes records by HTTP, and keeps requests from
// it. It holds sinks to what the queue before them relies on.
type Gate struct {
	URL string // of the gate

	next    http.Handler
	mu      sync.Mutex
	passes  int // so many requests more are let in; -1: all
	refused int
	stall   chan struct{} // requests wait until it is closed
}

// NewGate opens a gate before next that lets everything in.
func NewGate(t *testing.T, next http.Handler) *Gate {
	g := &Gate{next: next, passes: -1}
	s := httptest.NewServer(g)
	g.URL = s.URL
	t.Cleanup(func() { g.Let(); s.Close() })
	return g
}

// ServeHTTP implements http.Handler.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	stall := g.stall
	shut := g.passes == 0
	if shut {
		g.refused++
	} else if g.passes > 0 {
		g.passes--
	}
	g.mu.Unlock()
	if stall != nil {
		<-stall
		return
	}
	if shut {
		http.Error(w, "later", http.StatusServiceUnavailable)
		return
	}
	g.next.ServeHTTP(w, r)
}

// Refuse lets n requests more in and answers those behind them with 503.
func (g *Gate) Refuse(n int) { g.set(n, nil) }

// Let lets in what comes from now on.
func (g *Gate) Let() { g.set(-1, nil) }

// Stall leaves requests without an answer until Let.
func (g *Gate) Stall() { g.set(0, make(chan struct{})) }

func (g *Gate) set(passes int, stall chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stall != nil {
		close(g.stall)
	}
	g.passes, g.stall, g.refused = passes, stall, 0
}

// Refused returns how many requests were turned away since the last change.
func (g *Gate) Refused() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused
}

// runGate tests what a sink does when the place refuses or does not answer.
func runGate(t *testing.T, open func(t *testing.T) Place) {
	gated := func(t *testing.T) Place {
		p := open(t)
		if p.Gate == nil {
			t.Skip("the place has no gate")
		}
		return p
	}
	// Each record arrives once, although the place refuses some requests: what
	// was delivered before an error is told with Partial, what was not is not.
	t.Run("retried", func(t *testing.T) {
		for _, passes := range []int{0, 1, 7} {
			p := gated(t)
			p.Gate.Refuse(passes)
			c := sink.DefaultQueueConfig()
			c.Retry.Min, c.Retry.Max = time.Millisecond, 5*time.Millisecond
			q := sink.NewRecords(p.Sink, c)
			var want []string
			for range 3 {
				batch := exchanges(len(want), 20)
				for _, x := range batch {
					want = append(want, Name(x))
				}
				q.Push(t.Context(), batch)
			}
			for end := time.Now().Add(time.Minute); p.Gate.Refused() < 8; time.Sleep(time.Millisecond) {
				if time.Now().After(end) || q.Stats().Written.Records == int64(len(want)) {
					break // fewer requests than are let in
				}
			}
			p.Gate.Let()
			if err := q.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, p.Received()); d != "" {
				t.Errorf("%d requests let in, then none, then all: %s", passes, d)
			}
			if st := q.Stats(); st.Written.Records != int64(len(want)) {
				t.Errorf("%+v", st)
			}
		}
	})
	// A place that does not answer holds nobody up for longer than the context.
	t.Run("stalled", func(t *testing.T) {
		p := gated(t)
		p.Gate.Stall()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := p.Sink.Write(ctx, exchanges(0, 5)); !errors.Is(err, context.DeadlineExceeded) || sink.Delivered(err) != 0 {
			t.Errorf("got %v", err)
		}
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("took %v", d)
		}
		p.Gate.Let()
		if err := p.Sink.Write(t.Context(), exchanges(0, 5)); err != nil {
			t.Errorf("after it: %v", err)
		}
		closeSink(t, p.Sink)
	})
}

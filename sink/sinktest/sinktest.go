// Package sinktest holds what every sink promises, as a test.
package sinktest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
)

// Format writes one line for each exchange, which Received of a Place reads
// back: for sinks that take a format.
type Format struct{}

// Append appends the target of the request, or what stands for it.
func (Format) Append(dst []byte, x *message.Exchange) []byte {
	dst = append(dst, Name(x)...)
	return append(dst, '\n')
}

// ContentType returns "text/plain".
func (Format) ContentType() string { return "text/plain" }

// Name returns the one word by which the kit knows an exchange again.
func Name(x *message.Exchange) string {
	switch {
	case x.Summary != nil:
		return fmt.Sprintf("flow-%d", x.Flow.ID)
	case x.Request != nil:
		return x.Request.Target
	case x.Response != nil:
		return x.Response.Reason
	}
	return "nothing"
}

// Lines splits what Format has written.
func Lines(b []byte) []string {
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// Files returns the names of what is in a directory, in their order.
func Files(t testing.TB, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// Place is a sink under test with the place it delivers to.
type Place struct {
	Sink sink.Sink
	// Received returns, after Close, the Names of what has arrived, in order.
	Received func() []string
	// Break makes the place refuse what comes from now on; nil where that
	// cannot be arranged.
	Break func()
	// Gate stands before the place; nil where records do not go by HTTP.
	Gate *Gate
}

// Run holds the sinks that open returns to their promises.
func Run(t *testing.T, open func(t *testing.T) Place) {
	runGate(t, open)
	t.Run("order", func(t *testing.T) {
		p := open(t)
		var want []string
		for _, size := range []int{1, 0, 2, 1000, 1, 33} {
			batch := exchanges(len(want), size)
			for _, x := range batch {
				want = append(want, Name(x))
			}
			if err := p.Sink.Write(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			spoil(batch)
			if i, ok := p.Sink.(sink.Idler); ok {
				i.Idle(t.Context())
			}
		}
		closeSink(t, p.Sink)
		if d := cmp.Diff(want, p.Received()); d != "" {
			t.Error(d)
		}
	})
	t.Run("read only", func(t *testing.T) {
		p := open(t)
		batch, copied := exchanges(0, 50), exchanges(0, 50)
		if err := p.Sink.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(copied, batch, cmpopts.EquateComparable(netip.AddrPort{})); d != "" {
			t.Errorf("the sink has changed what it was given: %s", d)
		}
		closeSink(t, p.Sink)
	})
	t.Run("every shape", func(t *testing.T) {
		p := open(t)
		f := &flow.Flow{ID: 7}
		if err := p.Sink.Write(t.Context(), []*message.Exchange{
			{Flow: f, Protocol: "http", Request: &message.Message{Target: "/request-only"}, Half: message.NoAnswer},
			{Flow: f, Protocol: "http", Response: &message.Message{Reason: "response-only"}, Half: message.RequestUnseen},
			{Flow: f, Protocol: "http", Response: &message.Message{Reason: "unit"}, Half: message.Unit},
			{Flow: f, Summary: &flow.Summary{Flow: f}},
			{Flow: f, Protocol: "http", Request: &message.Message{Target: "/large", Body: make([]byte, 3<<20)}, Response: &message.Message{}},
		}); err != nil {
			t.Fatal(err)
		}
		closeSink(t, p.Sink)
		if d := cmp.Diff([]string{"/request-only", "response-only", "unit", "flow-7", "/large"}, p.Received()); d != "" {
			t.Error(d)
		}
	})
	t.Run("behind a queue", func(t *testing.T) {
		p := open(t)
		c := sink.DefaultQueueConfig()
		c.Policy, c.Bytes, c.Batch = sink.Wait, 64<<10, 8<<10
		q := sink.NewRecords(p.Sink, c)
		var want []string
		for range 100 {
			batch := exchanges(len(want), 20)
			for _, x := range batch {
				want = append(want, Name(x))
			}
			q.Push(t.Context(), batch)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, p.Received()); d != "" {
			t.Error(d)
		}
		if s := q.Stats(); s.Written.Records != int64(len(want)) || s.Depth.Records != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("ended context", func(t *testing.T) {
		p := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		err := p.Sink.Write(ctx, exchanges(0, 1))
		if !errors.Is(err, context.Canceled) || time.Since(began) > 30*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		closeSink(t, p.Sink)
	})
	t.Run("closed", func(t *testing.T) {
		p := open(t)
		closeSink(t, p.Sink)
		closeSink(t, p.Sink) // may be called again
		if err := p.Sink.Write(t.Context(), exchanges(0, 1)); err == nil {
			t.Error("a closed sink takes records")
		}
	})
	t.Run("broken", func(t *testing.T) {
		p := open(t)
		if p.Break == nil {
			t.Skip("the place cannot be broken")
		}
		p.Break()
		err := p.Sink.Write(t.Context(), exchanges(0, 10))
		if err == nil {
			err = p.Sink.Close(t.Context())
		}
		if err == nil {
			t.Error("neither Write nor Close says that nothing was delivered")
		}
	})
}

func closeSink(t *testing.T, s sink.Sink) {
	t.Helper()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func exchanges(from, n int) []*message.Exchange {
	all := make([]*message.Exchange, n)
	for i := range all {
		k := from + i
		at := packet.Time(1767323045e9 + int64(k)*1e6)
		all[i] = &message.Exchange{Protocol: "http",
			Flow: &flow.Flow{ID: uint64(k), Transport: packet.TCP, Source: "eth0", Start: at,
				Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:80")},
			Request: &message.Message{Start: at, End: at, Op: "POST", Target: fmt.Sprintf("/%d", k), Version: "1.1", Index: uint32(k),
				Fields: []message.Field{{Name: "Host", Value: "h"}}, Body: []byte("a=1"), Size: 3, WireSize: 3},
			Response: &message.Message{From: flow.Server, Start: at, End: at + 1e5, Status: "200", Reason: "OK", Version: "1.1",
				Fields: []message.Field{{Name: "Content-Length", Value: "2"}}, Body: []byte("ok"), Size: 2, WireSize: 2},
		}
	}
	return all
}

// spoil destroys a batch: whoever kept it sees that.
func spoil(batch []*message.Exchange) {
	for i, x := range batch {
		*x = message.Exchange{}
		batch[i] = nil
	}
}

package passiflow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/http1"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// shelf keeps records as lines.
type shelf struct {
	mu    sync.Mutex
	lines []string
	grown chan struct{}
}

func (s *shelf) Push(_ context.Context, batch []*message.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range batch {
		line := fmt.Sprint(x.Flow.ID, x.Flow.Client, x.Half, x.Pair)
		for _, m := range append([]*message.Message{x.Request, x.Response}, x.Interim...) {
			if m != nil {
				line += fmt.Sprint(" ", m.Index, m.Start, m.End, m.Op, m.Target, m.Status, len(m.Body), m.Marks.Names(nil))
			}
		}
		s.lines = append(s.lines, line)
	}
	if s.grown != nil {
		select {
		case s.grown <- struct{}{}:
		default:
		}
	}
}

func (s *shelf) sorted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.lines))
}

type summaries struct{ n atomic.Int64 }

func (s *summaries) Push(_ context.Context, batch []*flow.Summary) { s.n.Add(int64(len(batch))) }

func open(t testing.TB, b []byte) source.Source {
	t.Helper()
	s, err := pcapfile.Open(pcapfile.Config{Paths: []string{"-"}, Stdin: bytes.NewReader(b)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// capture is many conversations at once, some with a gap.
func capture(conversations, exchanges int) []byte {
	tape := packettest.NewTape()
	var all []*packettest.Conversation
	for i := range conversations {
		all = append(all, tape.Open(fmt.Sprintf("10.0.%d.%d:%d", i/200, 1+i%200, 20000+i), "10.1.0.1:80", nil))
	}
	for k := range exchanges {
		for i, c := range all {
			c.Client(fmt.Sprintf("POST /%d/%d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", i, k))
			if i%7 == 3 && k == 1 {
				c.Lose(20)
			}
			c.Server("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + strings.Repeat("x", 3000))
		}
	}
	for i, c := range all {
		if i%5 != 0 {
			c.Close()
		}
	}
	return tape.Bytes()
}

func config(sources ...source.Source) (passiflow.Config, *shelf) {
	out := &shelf{}
	cfg := passiflow.DefaultConfig()
	cfg.Sources = sources
	cfg.Protocols = func() []protocol.Protocol { return []protocol.Protocol{http1.New(http1.DefaultConfig())} }
	cfg.Outputs = []passiflow.Output{{Unit: passiflow.UnitExchange, Records: out}}
	return cfg, out
}

func start(t testing.TB, cfg passiflow.Config) *passiflow.Passiflow {
	t.Helper()
	p, err := passiflow.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// laws holds the sums of a ledger.
func laws(t testing.TB, s passiflow.Stats) {
	t.Helper()
	var parsed uint64
	for _, n := range s.Walk.Parsed {
		parsed += n
	}
	c, f := &s.Core, &s.Flow
	for _, x := range []struct {
		what    string
		in, out uint64
	}{
		{"packets", s.Walk.Packets, s.Walk.Filtered + s.Walk.BeyondCount + parsed + s.Walk.Given - s.Walk.Taken},
		{"parsed", s.Walk.Parsed[packet.OK], s.Walk.OtherPort + f.Packets},
		{"payload", f.Payload, f.Delivered + f.Duplicate + f.OutOfWindow + f.AfterReset + f.Refused + f.Unsampled + f.Copies + uint64(s.Pending)},
		{"bytes", f.Delivered, c.Decoded + c.SkippedBytes + c.OpaqueBytes + uint64(s.Undecoded)},
		{"messages", c.Requests + c.Answers + c.Interim, 2*c.Pairs + c.Interims + c.Halves + c.ShedMessages + uint64(s.Waiting)},
		{"records", c.Pairs + c.Halves, s.Walk.Exchanges},
	} {
		if x.in != x.out {
			t.Errorf("%s: %d in, %d out", x.what, x.in, x.out)
		}
	}
}

func run(ctx context.Context, t testing.TB, p *passiflow.Passiflow) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	select {
	case err := <-done:
		laws(t, p.Stats())
		return err
	case <-time.After(time.Minute):
		t.Fatal("Run does not end")
		return nil
	}
}

func TestWorkersGiveTheSame(t *testing.T) {
	file := capture(60, 4)
	var want []string
	for _, workers := range []int{1, 2, 3, 8} {
		for _, packets := range []uint64{0, 777} {
			cfg, out := config(open(t, file))
			cfg.Workers, cfg.Packets = workers, packets
			p := start(t, cfg)
			if err := run(t.Context(), t, p); err != nil {
				t.Fatal(err)
			}
			s := p.Stats()
			if packets > 0 && s.Walk.Packets-s.Walk.BeyondCount != packets {
				t.Errorf("%d workers took %d packets, want %d", workers, s.Walk.Packets-s.Walk.BeyondCount, packets)
			}
			if s.Walk.Packets != s.Source.Received && packets == 0 {
				t.Errorf("%d packets walked of %d", s.Walk.Packets, s.Source.Received)
			}
			if s.Waiting != 0 || s.Held != 0 || s.Undecoded != 0 || s.Flows != 0 || s.Pending != 0 {
				t.Errorf("left at the end: %+v", s)
			}
			got := out.sorted()
			if packets > 0 {
				got = append([]string{"bounded"}, got...)
			} else {
				if len(got) < 240 {
					t.Errorf("%d records, want at least 240", len(got))
				}
			}
			if workers == 1 {
				want = append(want, got...)
				continue
			}
			i := slices.Index(want, "bounded")
			if expect := map[bool][]string{false: want[:i], true: want[i:]}[packets > 0]; !slices.Equal(expect, got) {
				t.Errorf("%d workers (bound %d) give other records:\n%s", workers, packets, cmp.Diff(expect, got))
			}
		}
	}
}

func TestTwoSources(t *testing.T) {
	a, b := packettest.NewTape(), packettest.NewTape()
	for i, tape := range []*packettest.Tape{a, b} {
		c := tape.Open(fmt.Sprintf("10.0.0.%d:40000", i), "10.1.0.1:80", nil)
		c.Client("GET / HTTP/1.1\r\n\r\n")
		c.Server("HTTP/1.1 204 No Content\r\n\r\n")
	}
	cfg, out := config(open(t, a.Bytes()), open(t, b.Bytes()))
	flows := &summaries{}
	cfg.Outputs = append(cfg.Outputs, passiflow.Output{Unit: passiflow.UnitFlow, Flows: flows})
	if err := run(t.Context(), t, start(t, cfg)); err != nil {
		t.Fatal(err)
	}
	if len(out.lines) != 2 || flows.n.Load() != 2 {
		t.Errorf("%d records and %d conversations of two sources: %v", len(out.lines), flows.n.Load(), out.lines)
	}
}

// wire is a live source that a test feeds.
type wire struct {
	packets chan packet.Packet
	done    chan struct{}
	once    sync.Once
	err     error // of a Read when packets is closed
	closed  atomic.Int32
	read    atomic.Uint64
}

func newWire() *wire {
	return &wire{packets: make(chan packet.Packet, 1000), done: make(chan struct{})}
}

func (w *wire) Read(batch []packet.Packet) (int, error) {
	select {
	case p, ok := <-w.packets:
		if !ok {
			return 0, w.err
		}
		batch[0] = p
		w.read.Add(1)
		return 1, nil
	case <-w.done:
		return 0, fmt.Errorf("read wire: %w", os.ErrClosed)
	case <-time.After(20 * time.Millisecond):
		return 0, nil
	}
}
func (w *wire) Stats() source.Stats            { return source.Stats{Received: w.read.Load()} }
func (w *wire) Interfaces() []source.Interface { return []source.Interface{{Name: "wire"}} }
func (w *wire) Live() bool                     { return true }
func (w *wire) Close() error {
	w.closed.Add(1)
	w.once.Do(func() { close(w.done) })
	return nil
}

// after calls f when n packets were read, and a while has passed in which none
// came.
func (w *wire) after(n uint64, f func()) {
	for w.read.Load() < n {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	f()
}

// feed puts a capture on the wire.
func (w *wire) feed(t testing.TB, b []byte) {
	f := open(t, b)
	batch := make([]packet.Packet, 1)
	for {
		n, err := f.Read(batch)
		if err != nil {
			return
		}
		if n == 1 {
			p := batch[0]
			p.Data = bytes.Clone(p.Data)
			p.Time = packet.Time(time.Now().UnixNano())
			w.packets <- p
		}
	}
}

func TestEnds(t *testing.T) {
	fault := errors.New("the card caught fire")
	for _, workers := range []int{1, 3} {
		for _, x := range []struct {
			name string
			two  bool
			do   func(w *wire, cfg *passiflow.Config, cancel func())
			want error
		}{
			{"EOF", false, func(w *wire, _ *passiflow.Config, _ func()) { w.err = io.EOF; close(w.packets) }, nil},
			{"the context", false, func(w *wire, _ *passiflow.Config, cancel func()) { go w.after(5, cancel) }, nil},
			{"the context of two", true, func(w *wire, _ *passiflow.Config, cancel func()) { go w.after(5, cancel) }, nil},
			{"an error", false, func(w *wire, _ *passiflow.Config, _ func()) { w.err = fault; close(w.packets) }, fault},
			{"an error of one of two", true, func(w *wire, _ *passiflow.Config, _ func()) { w.err = fault; close(w.packets) }, fault},
			{"the last packet asked for", false, func(_ *wire, cfg *passiflow.Config, _ func()) { cfg.Packets = 5 }, nil},
			{"the last packet asked of two", true, func(_ *wire, cfg *passiflow.Config, _ func()) { cfg.Packets = 5 }, nil},
		} {
			t.Run(fmt.Sprintf("%s %d", x.name, workers), func(t *testing.T) {
				tape := packettest.NewTape()
				tape.Open("10.0.0.1:40000", "10.1.0.1:80", nil).Client("GET / HTTP/1.1\r\n\r\n") // 5 packets
				w, other := newWire(), newWire()
				w.feed(t, tape.Bytes())
				all := []source.Source{w}
				if x.two {
					all = append(all, other)
				}
				cfg, out := config(all...)
				cfg.Workers = workers
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				x.do(w, &cfg, cancel)
				if err := run(ctx, t, start(t, cfg)); !errors.Is(err, x.want) || x.want == nil && err != nil {
					t.Errorf("Run: %v, want %v", err, x.want)
				}
				if w.closed.Load() == 0 || x.two && other.closed.Load() == 0 {
					t.Error("a source was not closed")
				}
				if len(out.lines) != 1 {
					t.Errorf("%d records, want the request that waited: %v", len(out.lines), out.lines)
				}
			})
		}
	}
}

// Nothing that Run began is left when it has returned.
func TestRunLeavesNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		cfg, _ := config(w)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := run(ctx, t, start(t, cfg)); err != nil {
			t.Fatal(err)
		}
		n := w.closed.Load()
		time.Sleep(time.Minute)
		if m := w.closed.Load(); n == 0 || m != n {
			t.Errorf("closed %d times by Run, and %d times after it", n, m-n)
		}
	})
}

// The clock hands on what waits while a live source is silent, also where
// several workers share it.
func TestIdleLive(t *testing.T) {
	for _, workers := range []int{1, 2} {
		tape := packettest.NewTape()
		tape.Open("10.0.0.1:40000", "10.1.0.1:80", nil).Client("GET / HTTP/1.1\r\n\r\n")
		w := newWire()
		w.feed(t, tape.Bytes())
		cfg, out := config(w)
		cfg.Workers = workers
		cfg.Core.AnswerWait = 100 * time.Millisecond
		out.grown = make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		p := start(t, cfg)
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		select {
		case <-out.grown:
		case <-time.After(time.Minute):
			t.Errorf("%d workers: the request is not told while nothing comes", workers)
		}
		laws(t, p.Stats())
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Stats may be read at any time, and its sums hold then too.
func TestStatsWhileRunning(t *testing.T) {
	for _, workers := range []int{1, 4} {
		cfg, _ := config(open(t, capture(100, 5)))
		cfg.Workers = workers
		p := start(t, cfg)
		laws(t, p.Stats())
		done := make(chan error, 1)
		go func() { done <- p.Run(t.Context()) }()
		for running := true; running; {
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
				running = false
			default:
				laws(t, p.Stats())
			}
		}
		laws(t, p.Stats())
		if err := p.Run(t.Context()); err == nil {
			t.Error("a second Run is accepted")
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*passiflow.Config){
		"no source":         func(c *passiflow.Config) { c.Sources = nil },
		"workers":           func(c *passiflow.Config) { c.Workers = 300 },
		"sample":            func(c *passiflow.Config) { c.Flow.Sample = 2 },
		"nobody takes":      func(c *passiflow.Config) { c.Outputs[0].Records = nil },
		"nobody takes flow": func(c *passiflow.Config) { c.Outputs[0].Unit = passiflow.UnitFlow },
	} {
		w := newWire()
		cfg, _ := config(w)
		change(&cfg)
		if _, err := passiflow.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if cfg.Sources != nil && w.closed.Load() != 1 {
			t.Errorf("%s: the source was closed %d times", name, w.closed.Load())
		}
	}
}

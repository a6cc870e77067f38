package forward_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/forward"
	"github.com/passiflow/passiflow/sink/sinktest"
)

// target keeps what each connection brings, until that ends.
type target struct {
	net.Listener
	serve func(net.Conn) // nil: read all
	mu    sync.Mutex
	got   []string
	all   sync.WaitGroup
}

func listen(t *testing.T, address string) *target {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	x := &target{Listener: ln}
	t.Cleanup(func() { ln.Close() })
	return x
}

func (x *target) run() *target {
	x.all.Go(func() {
		for {
			c, err := x.Accept()
			if err != nil {
				return
			}
			x.all.Go(func() {
				defer c.Close()
				if x.serve != nil {
					x.serve(c)
					return
				}
				var b bytes.Buffer
				_, _ = b.ReadFrom(c)
				x.mu.Lock()
				defer x.mu.Unlock()
				x.got = append(x.got, b.String())
			})
		}
	})
	return x
}

// received returns what came, sorted, when all connections have ended.
func (x *target) received() []string {
	x.Listener.Close()
	x.all.Wait()
	slices.Sort(x.got)
	return x.got
}

func conversation(port int) *flow.Flow {
	return &flow.Flow{ID: uint64(port), Client: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(port)), Server: netip.MustParseAddrPort("10.0.0.2:80")}
}

func open(t *testing.T, address string, change func(*forward.Config)) *sink.Chunks {
	t.Helper()
	c := forward.DefaultConfig()
	c.Address = address
	if change != nil {
		change(&c)
	}
	s, err := forward.New(c)
	if err != nil {
		t.Fatal(err)
	}
	q := sink.DefaultQueueConfig()
	q.Retry.Min, q.Retry.Max = 5*time.Millisecond, 20*time.Millisecond
	return sink.NewChunks(s, q)
}

func say(q *sink.Chunks, f *flow.Flow, from flow.Side, texts ...string) {
	at := uint64(0)
	var all []*message.Chunk
	for i, s := range texts {
		all = append(all, &message.Chunk{Flow: f, From: from, Offset: at, Data: []byte(s), First: i == 0, End: i == len(texts)-1})
		at += uint64(len(s))
	}
	q.Push(context.Background(), all)
}

func stop(t *testing.T, q *sink.Chunks) (sink.Stats, sink.StreamStats) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := q.Close(ctx); err != nil {
		t.Error(err)
	}
	return q.Stats(), q.Streams()
}

func TestSides(t *testing.T) {
	for side, want := range map[string][]string{"client": {"one", "two"}, "server": {"three"}, "both": {"one", "three", "two"}} {
		to := listen(t, "127.0.0.1:0").run()
		q := open(t, to.Addr().String(), func(c *forward.Config) { c.Side = side })
		a, b := conversation(1), conversation(2)
		say(q, a, flow.Client, "o", "n", "e")
		say(q, b, flow.Client, "two", "")
		say(q, a, flow.Server, "three")
		_, f := stop(t, q)
		if d := cmp.Diff(want, to.received()); d != "" {
			t.Errorf("%s: %s", side, d)
		}
		if f.Whole != 3 {
			t.Errorf("%+v", f)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, change := range []func(*forward.Config){
		func(c *forward.Config) { c.Address = "nowhere" },
		func(c *forward.Config) { c.Address = "http://user:s3cr3t@127.0.0.1:1/in" },
		func(c *forward.Config) { c.Side = "left" },
		func(c *forward.Config) { c.Gaps = "maybe" },
		func(c *forward.Config) { c.Connections = 0 },
	} {
		c := forward.DefaultConfig()
		c.Address = "127.0.0.1:1"
		change(&c)
		if _, err := forward.New(c); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A target that comes late gets everything.
func TestUnreachable(t *testing.T) {
	address := sinktest.Nobody(t)
	q := open(t, address, nil)
	for i := range 20 {
		say(q, conversation(i), flow.Client, "a", "b", "c")
	}
	for q.Stats().Retries < 25 {
		time.Sleep(time.Millisecond)
	}
	to := listen(t, address).run()
	s, f := stop(t, q)
	if got := to.received(); len(got) != 20 || slices.ContainsFunc(got, func(s string) bool { return s != "abc" }) {
		t.Errorf("%q", got)
	}
	if f.Whole != 20 || s.Lost().Records != 0 {
		t.Errorf("%+v %+v", s, f)
	}
}

// A connection that breaks ends its stream and no other.
func TestBroken(t *testing.T) {
	to := listen(t, "127.0.0.1:0")
	closed := make(chan struct{})
	to.serve = func(c net.Conn) {
		var one [1]byte
		if _, err := c.Read(one[:]); err == nil && one[0] == 'x' {
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
			close(closed)
			return
		}
		var b bytes.Buffer
		_, _ = b.ReadFrom(c)
		to.mu.Lock()
		defer to.mu.Unlock()
		to.got = append(to.got, string(one[:])+b.String())
	}
	to.run()
	q := open(t, to.Addr().String(), nil)
	bad, good := conversation(1), conversation(2)
	push := func(f *flow.Flow, at uint64, text string, end bool) {
		q.Push(t.Context(), []*message.Chunk{{Flow: f, Data: []byte(text), Offset: at, First: at == 0, End: end}})
	}
	push(bad, 0, "x", false)
	push(good, 0, "good ", false)
	<-closed
	for at := uint64(1); q.Streams().Cut == 0; at++ {
		push(bad, at, "y", false)
		time.Sleep(time.Millisecond)
	}
	push(bad, 1000, "z", true)
	push(good, 5, "stream", true)
	s, f := stop(t, q)
	if d := cmp.Diff([]string{"good stream"}, to.received()); d != "" {
		t.Error(d)
	}
	if f.Whole != 1 || f.Cut != 1 || s.Dropped[sink.Refused].Records == 0 || s.Dropped[sink.Shed].Records == 0 {
		t.Errorf("%+v %+v", s, f)
	}
}

func TestGapsAndBeginnings(t *testing.T) {
	for _, c := range []struct {
		gaps  string
		whole bool
		want  []string
	}{
		{"end", false, []string{"before", "mid"}},
		{"pass", true, []string{"beforeafter"}},
	} {
		to := listen(t, "127.0.0.1:0").run()
		q := open(t, to.Addr().String(), func(x *forward.Config) { x.Gaps, x.Whole = c.gaps, c.whole })
		a, b := conversation(1), conversation(2)
		q.Push(t.Context(), []*message.Chunk{{Flow: a, Data: []byte("before"), First: true}, {Flow: a, Offset: 10, Lost: 4, Data: []byte("after")}, {Flow: a, End: true},
			{Flow: b, Offset: 1 << 20, Data: []byte("mid"), First: true, Mid: true, End: true}})
		stop(t, q)
		if d := cmp.Diff(c.want, to.received()); d != "" {
			t.Errorf("%s: %s", c.gaps, d)
		}
	}
}

func TestTooManyConnections(t *testing.T) {
	to := listen(t, "127.0.0.1:0").run()
	q := open(t, to.Addr().String(), func(c *forward.Config) { c.Connections = 2 })
	for i := range 5 {
		q.Push(t.Context(), []*message.Chunk{{Flow: conversation(i), Data: []byte("x"), First: true}})
	}
	for q.Stats().Depth.Records > 0 {
		time.Sleep(time.Millisecond)
	}
	_, f := stop(t, q)
	if f.Cut != 3 || len(to.received()) != 2 {
		t.Errorf("%+v", f)
	}
}

// A target that takes nothing is given up after a while, and does not keep
// others waiting. Nothing rests between it and the sink, where sockets may hold
// many megabytes.
func TestStall(t *testing.T) { synctest.Test(t, stall) }

func stall(t *testing.T) {
	var got atomic.Value
	q := open(t, "127.0.0.1:1", func(c *forward.Config) {
		c.Stall, c.Linger = 500*time.Millisecond, 10*time.Millisecond
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				first := make([]byte, 1)
				if _, err := far.Read(first); err != nil || first[0] == 0 {
					return
				}
				rest, _ := io.ReadAll(far)
				got.Store(string(first) + string(rest))
			}()
			return near, nil
		}
	})
	began := time.Now()
	say(q, conversation(1), flow.Client, string(make([]byte, 1000)))
	say(q, conversation(2), flow.Client, "short")
	synctest.Wait()
	if got.Load() != "short" || time.Since(began) > 0 {
		t.Errorf("%v after %v", got.Load(), time.Since(began))
	}
	_, f := stop(t, q)
	if took := time.Since(began); f.Cut != 1 || f.Whole != 1 || took < 500*time.Millisecond || took > time.Second {
		t.Errorf("%+v after %v", f, took)
	}
}

// Answers are thrown away, so that a target which waits for that goes on.
func TestAnswersAreRead(t *testing.T) {
	to := listen(t, "127.0.0.1:0")
	to.serve = func(c net.Conn) {
		b := make([]byte, 1)
		var got []byte
		for {
			if _, err := c.Read(b); err != nil {
				break
			}
			got = append(got, b[0])
			if _, err := c.Write(make([]byte, 4<<20)); err != nil {
				got = append(got, err.Error()...)
				break
			}
		}
		to.mu.Lock()
		defer to.mu.Unlock()
		to.got = append(to.got, string(got))
	}
	to.run()
	q := open(t, to.Addr().String(), nil)
	say(q, conversation(1), flow.Client, "a", "b", "c")
	stop(t, q)
	if d := cmp.Diff([]string{"abc"}, to.received()); d != "" {
		t.Error(d)
	}
}

func TestClosed(t *testing.T) {
	c := forward.DefaultConfig()
	c.Address = "127.0.0.1:1"
	s, err := forward.New(c)
	if err != nil {
		t.Fatal(err)
	}
	one := []*message.Chunk{{Flow: conversation(1), Data: []byte("x"), First: true}}
	if err := s.Write(t.Context(), one); !errors.Is(err, syscall.ECONNREFUSED) || sink.IsPermanent(err) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Write(ctx, one); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := s.Write(t.Context(), one); !sink.IsBroken(err) {
		t.Error(err)
	}
}

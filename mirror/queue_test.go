package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"

	"github.com/passiflow/passiflow/mirror"
)

// long is a conversation whose client says n pieces that tell their place.
func long(port uint16, n int) (x *talk, said string) {
	x = newTalk(port)
	for i := range n {
		s := fmt.Sprintf("%d-%d;", port, i)
		x.client(s)
		said += s
	}
	x.close()
	return x, said
}

// mixed lets the conversations take turns.
func mixed(all ...*talk) (out []gopacket.Packet) {
	for i := 0; ; i++ {
		more := false
		for _, x := range all {
			if i < len(x.packets) {
				out, more = append(out, x.packets[i]), true
			}
		}
		if !more {
			return out
		}
	}
}

// With workers WriteFunc is called for several conversations at once, and for
// each in order.
func TestWorkers(t *testing.T) {
	var all []*talk
	want := map[string]string{}
	for i := range 50 {
		x, said := long(uint16(40000+i), 20)
		all = append(all, x)
		want[fmt.Sprintf("10.0.0.1:%d", 40000+i)] = said
	}
	var mu sync.Mutex
	got := map[string]string{}
	var now, most atomic.Int32
	end := time.Now().Add(time.Minute)
	m, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: observed,
		WriteFunc: func(b []byte, ctx context.Context) (int, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
			}
			for most.Load() < 2 && time.Now().Before(end) {
				time.Sleep(time.Millisecond) // for another, who must not wait for this one
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range records(t, bytes.NewReader(b)) {
				got[r.From] += string(r.Data)
			}
			return len(b), nil
		},
		Options: mirror.Options{Workers: 8, ParallelWrites: true, WaitForRoom: true, QueueBytes: 64 << 10},
	}, mixed(all...)...)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if s := m.Stats(); most.Load() < 2 || s.Streams.Whole != 50 || s.Dropped != 0 || s.Waiting != 0 {
		t.Errorf("%d at once, %+v", most.Load(), s)
	}
}

// A target that comes late gets everything, hooks are asked once for each chunk,
// and what is recorded is whole.
func TestRetryTarget(t *testing.T) {
	to := newTarget(t, nil)
	address := to.address()
	var refused atomic.Int64
	forward := &keeper{}
	var out bytes.Buffer
	var want []string
	var all []*talk
	for i := range 5 {
		x, said := long(uint16(40000+i), 3)
		all, want = append(all, x), append(want, said)
	}
	m, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: observed, TargetAddr: address, ForwardHook: forward, Writer: &out,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if refused.Add(1) <= 8 {
				return nil, syscall.ECONNREFUSED
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		Options: mirror.Options{RetryTarget: true},
	}, mixed(all...)...)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, to.received(t, 5)); d != "" {
		t.Error(d)
	}
	if got := forward.text(mirror.TrafficDirectionToObserved); len(got) != len(strings.Join(want, "")) || len(records(t, &out)) != 15 {
		t.Errorf("%q", got)
	}
	if s := m.Stats(); s.Streams.Whole != 5 || s.Connections != 5 {
		t.Errorf("%+v", s)
	}
}

// A connection that breaks ends what is sent of its conversation; what is
// recorded goes on.
func TestBrokenConnection(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var broken atomic.Int64
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
			broken.Add(1)
		}
	}()
	for _, retry := range []bool{true, false} {
		chunks, before := 0, broken.Load()
		var out bytes.Buffer
		x, said := long(40000, 20)
		m, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: observed, TargetAddr: ln.Addr().String(), Writer: &out,
			ForwardHook: mirror.TrafficMirrorHookFunc(func(_ context.Context, c *mirror.ObservedTrafficChunk) ([]byte, bool, error) {
				chunks++ // of one conversation, one after the other
				for end := time.Now().Add(time.Minute); chunks == 10 && broken.Load() == before && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(5 * time.Millisecond)
				return c.Data, true, nil
			}),
			Options: mirror.Options{RetryTarget: retry, Workers: 2}}, x.packets...)
		if !retry {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Error(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for _, r := range records(t, &out) {
			got += string(r.Data)
		}
		if s := m.Stats(); got != said || s.Cut != 1 {
			t.Errorf("%q, %+v", got, s)
		}
	}
}

// Without room a direction of a conversation ends where it is, and the mirror
// goes on.
func TestShed(t *testing.T) {
	hold := make(chan struct{})
	var mu sync.Mutex
	got := map[string]string{}
	var all []*talk
	said := map[string]string{}
	for i := range 4 {
		x, s := long(uint16(40000+i), 200)
		all = append(all, x)
		said[fmt.Sprintf("10.0.0.1:%d", 40000+i)] = s
	}
	c := make(chan gopacket.Packet)
	m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{ObservedPort: observed,
		RecordHook: mirror.TrafficMirrorHookFunc(func(_ context.Context, c *mirror.ObservedTrafficChunk) ([]byte, bool, error) {
			<-hold
			mu.Lock()
			defer mu.Unlock()
			got[c.From] += string(c.Data)
			return nil, false, nil
		}),
		Options: mirror.Options{Workers: 2, QueueBytes: 20_000}})
	go func() {
		for _, p := range mixed(all...) {
			c <- p
		}
		close(hold)
		close(c)
	}()
	if err := m.Start(t.Context(), mirror.NewChannelObservedPacketSource(c)); err != nil {
		t.Fatal(err)
	}
	s := m.Stats()
	if s.Streams.Shed == 0 || s.Dropped == 0 || s.Streams.Peak > 20_000 {
		t.Errorf("%+v", s)
	}
	for from, text := range got {
		if !strings.HasPrefix(said[from], text) || text == "" {
			t.Errorf("%s: %.100q is no beginning", from, text)
		}
	}
}

// When the context ends the target has a while for what waits.
func TestCloseTimeout(t *testing.T) { synctest.Test(t, closeTimeout) }

func closeTimeout(t *testing.T) {
	x, _ := long(40000, 5)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{ObservedPort: observed, TargetAddr: "x",
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED },
		Options:     mirror.Options{RetryTarget: true, CloseTimeout: 100 * time.Millisecond}})
	began := time.Now()
	err := m.Start(ctx, channel(x.packets...))
	if took := time.Since(began); !errors.Is(err, context.Canceled) || took < 150*time.Millisecond || took > time.Second {
		t.Error(err, took)
	}
	if s := m.Stats(); s.Dropped == 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

package passiflow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/source"
)

// These tests have a time of their own, which passes while everybody waits: that
// a machine is busy makes nobody late.

// branch is one of several wires that share what is captured.
type branch struct {
	*wire
	of   int
	idle time.Duration // how long Read waits
}

func (b *branch) Read(batch []packet.Packet) (int, error) {
	select {
	case p, ok := <-b.packets:
		if !ok {
			return 0, b.err
		}
		batch[0] = p
		b.read.Add(1)
		return 1, nil
	case <-b.done:
		return 0, io.EOF
	case <-time.After(b.idle):
	}
	return 0, nil
}

func (b *branch) Place(_ packet.Link, frame []byte) int { return home(frame, b.of) }

// home is the wire of a frame: by the client of the conversation inside of the
// tunnel, and by the tunnel's ends, 1, where it is a fragment.
func home(frame []byte, n int) int {
	at := 14 + 40
	if frame[14+6] == 44 {
		if frame[at+2] != 0 || frame[at+3]&0xf9 != 0 {
			return 1 % n
		}
		at += 8
	}
	ip := frame[at+8+8+14:]
	a, b := int(ip[15]), int(ip[19])
	return max(a, b) % n
}

// tunnelled is a capture of conversations in a tunnel over IPv6, of whose packets
// the large ones come in fragments, beginning now.
func tunnelled(t testing.TB, conversations, exchanges int) (all []packet.Packet) {
	tape := packettest.NewTape()
	for i := range conversations {
		c := tape.Open(fmt.Sprintf("10.0.0.%d:%d", 10+i, 20000+i), "10.1.0.1:80", func(in packettest.Piece) packettest.Piece {
			return packettest.Ether(packettest.IPv6("fd00::1", "fd00::2", packettest.UDP(5000, 4789, packettest.VXLAN(7, packettest.Ether(in)))))
		})
		for k := range exchanges {
			c.Client(fmt.Sprintf("GET /%d/%d HTTP/1.1\r\nHost: a\r\n\r\n", i, k))
			c.Server("HTTP/1.1 200 OK\r\nContent-Length: 2500\r\n\r\n" + string(bytes.Repeat([]byte("x"), 2500)))
		}
		c.Close()
	}
	f, batch := open(t, tape.Bytes()), make([]packet.Packet, 1)
	defer f.Close()
	now, id := time.Now(), uint32(0)
	var first packet.Time
	for {
		n, err := f.Read(batch)
		if errors.Is(err, io.EOF) {
			return all
		}
		if n == 0 || err != nil {
			t.Fatal(n, err)
		}
		p := batch[0]
		if first == 0 {
			first = p.Time
		}
		p.Time = packet.Time(now.UnixNano()).Add(p.Time.Sub(first))
		frames := [][]byte{bytes.Clone(p.Data)}
		if len(p.Data) > 600 {
			frames, id = nil, id+1
			in := packettest.Raw(bytes.Clone(p.Data[14+40:])).As(0, packet.UDP)
			for _, x := range packettest.Fragments6("fd00::1", "fd00::2", id, 700, in) {
				frames = append(frames, packettest.Ether(x).Bytes)
			}
		}
		for _, x := range frames {
			p.Data, p.Length = x, len(x)
			all = append(all, p)
		}
	}
}

// branches returns n wires, and what puts packets on them as time passes.
func branches(n int) (all []*branch, sources []source.Source, feed func([]packet.Packet)) {
	for range n {
		b := &branch{wire: newWire(), of: n, idle: 100 * time.Millisecond}
		all, sources = append(all, b), append(sources, b)
	}
	return all, sources, func(packets []packet.Packet) {
		var last packet.Time
		for _, p := range packets {
			if last != 0 {
				time.Sleep(p.Time.Sub(last))
			}
			last = p.Time
			all[home(p.Data, n)].packets <- p
		}
	}
}

// What comes in fragments, to whichever worker, is read by the one of its
// conversation, while it goes on and when the end was asked for.
func TestHandover(t *testing.T) { synctest.Test(t, testHandover) }

func testHandover(t *testing.T) {
	packets := tunnelled(t, 6, 4)
	var want []string
	for _, n := range []int{1, 2, 4} {
		_, sources, feed := branches(n)
		cfg, out := config(sources...)
		p := start(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			feed(packets)
			cancel()
		}()
		if err := run(ctx, t, p); err != nil {
			t.Error(err)
		}
		got := out.sorted()
		if n == 1 {
			if want = got; len(want) != 24 {
				t.Fatalf("%d records: %v", len(want), want)
			}
			continue
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%d workers: %s", n, d)
		}
		w := p.Stats().Walk
		if w.Given == 0 || w.Given != w.Taken || w.Parsed[packet.Elsewhere] != 0 || w.Packets != uint64(len(packets)) {
			t.Errorf("%d workers, %d packets: %+v", n, len(packets), w)
		}
	}
}

// After a pause all workers have much to read at once. None runs ahead of what
// the others have for it.
func TestHandoverAfterAPause(t *testing.T) { synctest.Test(t, testHandoverAfterAPause) }

func testHandoverAfterAPause(t *testing.T) {
	packets := tunnelled(t, 12, 6)
	for i := range packets {
		packets[i].Time -= 1e10 // what is read is all older than the end
	}
	var want []string
	for _, n := range []int{1, 3} {
		all, sources, feed := branches(n)
		for _, b := range all {
			b.idle = time.Minute // it is not that nothing came: it does not run
		}
		cfg, out := config(sources...)
		p := start(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			feed(packets[:150])
			time.Sleep(50 * time.Millisecond)
			for _, x := range packets[150:] { // those with most to do begin last
				if i := home(x.Data, n); i != 1 {
					all[i].packets <- x
				}
			}
			time.Sleep(300 * time.Millisecond)
			for _, x := range packets[150:] {
				if n > 1 && home(x.Data, n) == 1 {
					all[1].packets <- x
				}
			}
			for _, b := range all {
				for len(b.packets) > 0 {
					time.Sleep(time.Millisecond)
				}
			}
			time.Sleep(100 * time.Millisecond)
			cancel()
		}()
		if err := run(ctx, t, p); err != nil {
			t.Error(err)
		}
		if got := out.sorted(); n == 1 {
			want = got
		} else if d := cmp.Diff(want, got); d != "" || len(want) != 72 {
			t.Errorf("%d workers, %d records: %s", n, len(want), d)
		}
	}
}

// A worker whose own wire is silent takes what it is handed soon, and not only
// when it has packets of its own, or at the end.
func TestHandoverToTheSilent(t *testing.T) { synctest.Test(t, testHandoverToTheSilent) }

func testHandoverToTheSilent(t *testing.T) {
	all, sources, _ := branches(2)
	packets := tunnelled(t, 1, 1)
	for i := range packets {
		packets[i].Time -= 1e10 // its own wire has nothing that old
	}
	cfg, out := config(sources...)
	out.grown = make(chan struct{}, 1)
	p := start(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for i := range packets {
		all[home(packets[i].Data, 2)].packets <- packets[i]
	}
	select {
	case <-out.grown:
	case <-time.After(30 * time.Second):
		t.Error("nothing is told")
	}
	laws(t, p.Stats())
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Whoever has nothing more to read still takes what others hand over.
func TestHandoverAfterTheEnd(t *testing.T) { synctest.Test(t, testHandoverAfterTheEnd) }

func testHandoverAfterTheEnd(t *testing.T) {
	all, sources, _ := branches(2)
	cfg, out := config(sources...)
	p := start(t, cfg)
	var late []packet.Packet
	for _, x := range tunnelled(t, 4, 2) {
		if home(x.Data, 2) == 1 {
			late = append(late, x)
			continue
		}
		all[0].packets <- x
	}
	all[0].err = io.EOF
	close(all[0].packets)
	go func() {
		for all[0].read.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond)
		for _, x := range late {
			all[1].packets <- x
		}
		all[1].err = io.EOF
		close(all[1].packets)
	}()
	if err := run(t.Context(), t, p); err != nil {
		t.Error(err)
	}
	w := p.Stats().Walk
	if w.Given == 0 || w.Given != w.Taken || len(out.sorted()) < 8 {
		t.Errorf("%+v\n%v", w, out.sorted())
	}
}

// What finds no room is counted, and the conversation says what it misses.
func TestHandoverFull(t *testing.T) { synctest.Test(t, testHandoverFull) }

func testHandoverFull(t *testing.T) {
	_, sources, feed := branches(3)
	packets := tunnelled(t, 3, 2)
	cfg, _ := config(sources...)
	cfg.HandoverBytes = 1000
	p := start(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		feed(packets)
		cancel()
	}()
	if err := run(ctx, t, p); err != nil {
		t.Error(err)
	}
	if w := p.Stats().Walk; w.Parsed[packet.Elsewhere] == 0 || w.Given != w.Taken || p.Stats().Flow.Lost == 0 {
		t.Errorf("%+v", w)
	}
}

// The sums hold at any time, and the end may come at any time.
func TestHandoverStats(t *testing.T) { synctest.Test(t, testHandoverStats) }

func testHandoverStats(t *testing.T) {
	for _, count := range []uint64{0, 30} {
		_, sources, feed := branches(3)
		packets := tunnelled(t, 6, 3)
		cfg, _ := config(sources...)
		cfg.Packets = count
		p := start(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		var feeder sync.WaitGroup
		feeder.Go(func() {
			feed(packets)
			cancel()
		})
		for running := true; running; {
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
				running = false
			case <-time.After(time.Millisecond):
				s := p.Stats()
				laws(t, s)
				if s.Walk.Taken > s.Walk.Given {
					t.Errorf("%d taken of %d", s.Walk.Taken, s.Walk.Given)
				}
			}
		}
		if w := p.Stats().Walk; w.Given != w.Taken {
			t.Errorf("%+v", w)
		}
		feeder.Wait()
	}
}

// Packets from the future, of before the clock was set back, hold up nobody.
func TestHandoverClockSetBack(t *testing.T) { synctest.Test(t, testHandoverClockSetBack) }

func testHandoverClockSetBack(t *testing.T) {
	all, sources, _ := branches(2)
	cfg, _ := config(sources...)
	p := start(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for i, x := range tunnelled(t, 4, 1) {
		if x.Time -= 1e10; i < 9 {
			x.Time += 3600e9
		}
		all[home(x.Data, 2)].packets <- x
	}
	for end := time.Now().Add(10 * time.Second); p.Stats().Walk.Taken < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("before the end: %+v", p.Stats().Walk)
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A worker that stands still is waited for once, not again and again.
func TestHandoverStuck(t *testing.T) { synctest.Test(t, testHandoverStuck) }

func testHandoverStuck(t *testing.T) {
	all, sources, _ := branches(2)
	all[0].idle = time.Hour // it is not that nothing came: it does not run
	cfg, _ := config(sources...)
	p := start(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	packets := tunnelled(t, 4, 2)
	for i, x := range packets {
		x.Time = x.Time.Add(-time.Hour + time.Duration(i)*300*time.Millisecond)
		if home(x.Data, 2) == 1 {
			all[1].packets <- x
		}
	}
	begin := time.Now()
	for len(all[1].packets) > 0 && time.Since(begin) < 5*time.Second {
		time.Sleep(time.Millisecond)
	}
	if n := len(all[1].packets); n > 0 {
		t.Errorf("%d packets not read after %v", n, time.Since(begin))
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Workers wait for each other while something is handed over, and for a while
// after; then no more.
func TestHandoverCalm(t *testing.T) { synctest.Test(t, testHandoverCalm) }

func testHandoverCalm(t *testing.T) {
	all, sources, _ := branches(2)
	all[0].idle = time.Hour // it is not that nothing came: it does not run
	cfg, _ := config(sources...)
	run := start(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run.Run(ctx) }()
	base := time.Now().Add(-time.Hour)
	show := func(i int, p packet.Packet, at time.Duration) {
		p.Time = packet.Time(base.Add(at).UnixNano())
		n := run.Stats().Walk.Packets
		for all[i].packets <- p; run.Stats().Walk.Packets == n; {
			time.Sleep(100 * time.Microsecond)
		}
	}
	var small packet.Packet
	for _, x := range tunnelled(t, 2, 1) {
		if x.Data[14+6] == 44 {
			show(1, x, 0) // some of what they make is for the other
		} else if small.Data == nil {
			small = x
		}
	}
	// far shows how long the second takes, at several times, for a packet that is
	// much younger than what the first has; which then catches up.
	far := func(at time.Duration, times int) time.Duration {
		begin := time.Now()
		for k := range times {
			at := at + time.Duration(k)*time.Second
			show(1, small, at)
			show(0, small, at+400*time.Millisecond)
			show(1, small, at+600*time.Millisecond)
		}
		return time.Since(begin)
	}
	if took := far(2*time.Second, 2); took < time.Second || run.Stats().Walk.Given == 0 {
		t.Errorf("it waited %v: the test shows nothing", took)
	}
	if took := far(60*time.Second, 15); took > 10*time.Second {
		t.Errorf("15 packets took %v", took)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Sources that do not share what is captured hand nothing over.
func TestNoHandover(t *testing.T) { synctest.Test(t, testNoHandover) }

func testNoHandover(t *testing.T) {
	all, _, _ := branches(2)
	cfg, _ := config(all[0].wire, all[1].wire)
	p := start(t, cfg)
	for _, x := range tunnelled(t, 2, 1) {
		all[home(x.Data, 2)].packets <- x
	}
	for _, b := range all {
		b.err = io.EOF
		close(b.packets)
	}
	if err := run(t.Context(), t, p); err != nil {
		t.Error(err)
	}
	if w := p.Stats().Walk; w.Given != 0 || w.Parsed[packet.Elsewhere] != 0 {
		t.Errorf("%+v", w)
	}
}

var _ source.Shared = (*branch)(nil)

package flow

import (
	"net/netip"
	"runtime"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// TestShed holds the order in which conversations make room.
func TestShed(t *testing.T) {
	var ends []*Summary
	cfg := DefaultConfig()
	cfg.MaxFlows = 6
	b := NewTable(cfg, func(*Flow) Stream { return quiet{} }, func(s *Summary) { ends = append(ends, s) })
	now := packet.Time(1e18)
	send := func(i int, from Side, seq, ack uint32, f packet.Flags, data string) {
		now += 2e9
		c, s := pair(i)
		p := packet.Packet{Time: now, Src: c, Dst: s, Proto: packet.TCP, Hash: scramble(i), Payload: []byte(data), TCP: packet.TCPHeader{Seq: seq, Ack: ack, Flags: f}}
		if from == Server {
			p.Src, p.Dst = s, c
		}
		b.Packet(&p)
		laws(t, b)
	}
	establish := func(i int) {
		send(i, Client, 10, 0, packet.SYN, "")
		send(i, Server, 20, 11, packet.SYN|packet.ACK, "")
		send(i, Client, 11, 21, packet.ACK, "x")
	}
	b.cfg.Linger, b.wait[closed], b.wait[dying] = 1e12, 1e12, 1e12
	establish(0)
	establish(1)
	send(9, Client, 10, 0, packet.SYN, "") // half open
	establish(2)
	send(2, Server, 21, 12, packet.RST, "") // reset
	establish(3)
	send(3, Client, 12, 21, packet.FIN|packet.ACK, "")
	send(3, Server, 21, 13, packet.FIN|packet.ACK, "") // finished
	send(0, Client, 12, 21, packet.ACK, "y")           // no longer the oldest
	establish(4)
	for i := range 5 {
		establish(10 + i)
	}
	want := []struct {
		i    int
		why  Reason
		half bool
	}{{3, Finished, false}, {2, Finished, false}, {9, Evicted, true}, {1, Evicted, false}, {0, Evicted, false}}
	if len(ends) < len(want) {
		t.Fatalf("%d ended", len(ends))
	}
	for k, w := range want {
		c, _ := pair(w.i)
		if e := ends[k]; e.Flow.Client != c || e.Reason != w.why || e.HalfOpen != w.half {
			t.Errorf("ended as number %d: %v, %v, half open %v; want %v", k, e.Flow.Client, e.Reason, e.HalfOpen, w)
		}
	}
	if b.n != 6 {
		t.Errorf("%d conversations", b.n)
	}
	if x := b.Stats(); x.EvictedHalfOpen != 1 || x.Evicted != 3 {
		t.Errorf("%+v", x)
	}
}

// TestFlood holds that handshakes that never end do not push out conversations
// that live, and that memory stays within bounds.
func TestFlood(t *testing.T) {
	ended := map[Reason]int{}
	cfg := DefaultConfig()
	cfg.MaxFlows = 20000
	live := 0
	b := NewTable(cfg, func(*Flow) Stream { live++; return quiet{} }, func(s *Summary) {
		ended[s.Reason]++
		if !s.HalfOpen && s.Reason == Evicted {
			t.Fatal("a living conversation was evicted")
		}
	})
	now := packet.Time(1e18)
	const good = 500
	send := func(i int, from Side, seq, ack uint32, f packet.Flags, data []byte) {
		now += 20000
		c, s := pair(i)
		p := packet.Packet{Time: now, Src: c, Dst: s, Proto: packet.TCP, Hash: scramble(i), Payload: data, TCP: packet.TCPHeader{Seq: seq, Ack: ack, Flags: f}}
		if from == Server {
			p.Src, p.Dst = s, c
		}
		b.Packet(&p)
	}
	for i := range good {
		send(i, Client, 10, 0, packet.SYN, nil)
		send(i, Server, 20, 11, packet.SYN|packet.ACK, nil)
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	data := []byte("x")
	for i := range 200000 {
		send(good+i, Client, 10, 0, packet.SYN, nil)
		if i%400 == 0 {
			for k := range good {
				send(k, Client, 11+uint32(i/400), 21, packet.ACK, data)
			}
		}
	}
	laws(t, b)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 24<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if b.n > cfg.MaxFlows || live != good || b.Flows() < good {
		t.Errorf("%d conversations, %d live", b.n, live)
	}
	if x := b.Stats(); x.Delivered != 500*good {
		t.Errorf("delivered %d", x.Delivered)
	}
	b.Close()
	if total := ended[Evicted] + ended[Idle] + ended[Stopped]; total != good+200000 {
		t.Errorf("%d summaries: %v", total, ended)
	}
}

// TestMaxPending holds that one side cannot make the table hold more than its
// share, whatever the size of its segments.
func TestMaxPending(t *testing.T) {
	for _, size := range []int{1, 1400, 60000} {
		s := newScene(t, func(c *Config) { c.MaxPending = 256 << 10 })
		s.handshake()
		data := string(make([]byte, size))
		for i := range 2 * (256 << 10) / 2048 {
			s.now++
			p := packet.Packet{Time: s.now, Src: alice, Dst: bob, Proto: packet.TCP, Hash: 42, Payload: []byte(data), TCP: packet.TCPHeader{Seq: s.isn[Client] + 1 + uint32(i*(size+1)), Flags: packet.ACK, Ack: s.isn[Server]}}
			s.table.Packet(&p)
			if s.table.held > 256<<10+64<<10 {
				t.Fatalf("%d bytes held", s.table.held)
			}
		}
		laws(t, s.table)
		x := s.table.Stats()
		if x.Lost == 0 || x.Delivered == 0 {
			t.Errorf("%+v", x)
		}
		s.table.Close()
		laws(t, s.table)
	}
}

// TestMaxBytes holds that all sides together stay within the bound, that
// conversations that are seen from their middle are refused above it, and
// accepted again below it.
func TestMaxBytes(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxBytes = 1 << 20
	b := NewTable(cfg, func(*Flow) Stream { return quiet{} }, nil)
	now := packet.Time(1e18)
	data := make([]byte, 1400)
	send := func(i int, seq uint32, f packet.Flags, data []byte) {
		now += 1000
		c, s := pair(i)
		b.Packet(&packet.Packet{Time: now, Src: c, Dst: s, Proto: packet.TCP, Hash: scramble(i), Payload: data, TCP: packet.TCPHeader{Seq: seq, Flags: f}})
	}
	for i := range 400 {
		for k := range 4 {
			send(i, uint32(12+1400*k), 0, data)
		}
		laws(t, b)
	}
	x := b.Stats()
	if x.RefusedFlows == 0 || x.Refused == 0 || x.Opened < 100 || x.Opened > 140 {
		t.Errorf("%+v", x)
	}
	// Those that are there go on, at the cost of what they wait for.
	for i := range 100 {
		send(i, 12+1400*5, 0, data)
		laws(t, b)
	}
	b.Advance(now + 3e9)
	if b.Pending() != 0 || b.held != 0 {
		t.Errorf("%d bytes held", b.Pending())
	}
	opened := b.Stats().Opened
	send(1000, 10, packet.SYN, nil)
	if b.Stats().Opened != opened+1 {
		t.Error("still refused")
	}
	laws(t, b)
}

func TestSample(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Sample, cfg.Seed = 0.25, 9
	count := func(cfg Config) (map[netip.AddrPort]bool, Stats) {
		seen := map[netip.AddrPort]bool{}
		b := NewTable(cfg, func(f *Flow) Stream { seen[f.Client] = true; return quiet{} }, nil)
		for i := range 4000 {
			c, s := pair(i)
			b.Packet(&packet.Packet{Time: 1e18, Src: c, Dst: s, Proto: packet.TCP, Hash: scramble(i), TCP: packet.TCPHeader{Flags: packet.SYN}, Payload: []byte("x")})
			b.Packet(&packet.Packet{Time: 1e18, Src: s, Dst: c, Proto: packet.TCP, Hash: scramble(i), TCP: packet.TCPHeader{Flags: packet.ACK}, Payload: []byte("x")})
		}
		laws(t, b)
		return seen, b.Stats()
	}
	a, x := count(cfg)
	if len(a) < 900 || len(a) > 1100 || int(x.UnsampledPackets) != 2*(4000-len(a)) {
		t.Errorf("%d of 4000 in a sample of a quarter: %+v", len(a), x)
	}
	b, _ := count(cfg)
	for k := range a {
		if !b[k] {
			t.Fatal("another sample with the same seed")
		}
	}
	cfg.Seed = 10
	if b, _ = count(cfg); len(b) == len(a) {
		same := true
		for k := range a {
			same = same && b[k]
		}
		if same {
			t.Error("the same sample with another seed")
		}
	}
	cfg.Sample = 0
	if b, _ = count(cfg); len(b) != 0 {
		t.Errorf("%d in a sample of nothing", len(b))
	}
}

func TestDatagrams(t *testing.T) {
	var ends []*Summary
	cfg := DefaultConfig()
	cfg.Datagrams = true
	b := NewTable(cfg, func(*Flow) Stream { t.Fatal("a stream of datagrams"); return nil }, func(s *Summary) { ends = append(ends, s) })
	for i, n := range []int{10, 20, 30} {
		p := packet.Packet{Time: 1e18 + packet.Time(i), Src: alice, Dst: bob, Proto: packet.UDP, Hash: 42, Payload: make([]byte, n)}
		if i == 1 {
			p.Src, p.Dst = bob, alice
		}
		b.Packet(&p)
	}
	b.Packet(&packet.Packet{Time: 1e18, Src: alice, Dst: bob, Proto: packet.SCTP, Hash: 43, Payload: make([]byte, 5)})
	b.Close()
	if len(ends) != 1 || ends[0].Bytes != [2]uint64{40, 20} || ends[0].Packets != [2]uint64{2, 1} || ends[0].Flow.Client != alice || ends[0].Flow.Transport != packet.UDP {
		t.Errorf("%+v", ends)
	}
	if x := b.Stats(); x.NotTCP != 1 || x.NotTCPData != 65 || x.Payload != 0 {
		t.Errorf("%+v", x)
	}
}

// TestAllocs is the budget: nothing per packet, once a conversation runs.
func TestAllocs(t *testing.T) {
	b := NewTable(DefaultConfig(), func(*Flow) Stream { return quiet{} }, nil)
	c, s := pair(1)
	data := make([]byte, 1400)
	big := make([]byte, 30000)
	now := packet.Time(1e18)
	var p packet.Packet
	seq := [2]uint32{100, 500}
	send := func(from Side, off, ack uint32, f packet.Flags, data []byte) {
		now += 1e6
		p = packet.Packet{Time: now, Src: c, Dst: s, Proto: packet.TCP, Hash: 1, Payload: data, TCP: packet.TCPHeader{Seq: seq[from] + off, Ack: seq[from.Peer()] + ack, Flags: f}}
		if from == Server {
			p.Src, p.Dst = s, c
		}
		b.Packet(&p)
	}
	send(Client, ^uint32(0), 0, packet.SYN, nil)
	send(Server, ^uint32(0), 0, packet.SYN|packet.ACK, nil)
	step := func(name string, f func()) {
		t.Helper()
		for range 20 {
			f()
		}
		if n := testing.AllocsPerRun(1000, f); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		laws(t, b)
	}
	step("in order", func() {
		send(Client, 0, 0, packet.ACK, data)
		seq[Client] += 1400
		send(Server, 0, 0, packet.ACK, data)
		seq[Server] += 1400
	})
	step("swapped", func() {
		send(Client, 1400, 0, packet.ACK, data)
		send(Client, 0, 0, packet.ACK, data)
		seq[Client] += 2800
	})
	step("swapped, merged by the card", func() {
		send(Client, 30000, 0, packet.ACK, big)
		send(Client, 0, 0, packet.ACK, big)
		seq[Client] += 60000
	})
	step("answer first", func() {
		send(Server, 0, 1400, packet.ACK, data)
		send(Client, 0, 0, packet.ACK, data)
		seq[Client] += 1400
		seq[Server] += 1400
	})
	step("lost", func() {
		send(Client, 1400, 0, packet.ACK, data)
		send(Server, 0, 2800, packet.ACK, nil)
		now += 1e9
		send(Server, 0, 2800, packet.ACK, nil)
		seq[Client] += 2800
	})
	step("again", func() { send(Client, ^uint32(1399), 0, packet.ACK, data) })

	// A conversation costs its Flow, and with a summary, that.
	i := 2
	one := func() {
		c, s = pair(i)
		i++
		seq = [2]uint32{100, 500}
		send(Client, ^uint32(0), 0, packet.SYN, nil)
		send(Server, ^uint32(0), 0, packet.SYN|packet.ACK, nil)
		send(Client, 0, 0, packet.ACK, data)
		send(Server, 0, 1400, packet.ACK, data)
		send(Client, 1400, 1400, packet.ACK|packet.FIN, nil)
		send(Server, 1400, 1401, packet.ACK|packet.FIN, nil)
		send(Client, 1401, 1401, packet.ACK, nil)
		now += 3e9
	}
	for range 2000 {
		one()
	}
	if n := testing.AllocsPerRun(2000, one); n > 1 {
		t.Errorf("a conversation: %v allocations", n)
	}
}

// Whoever has long been waiting for what never comes makes room for the next.
func TestRelieve(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxBytes = 64 << 10
	b := NewTable(cfg, func(*Flow) Stream { return quiet{} }, nil)
	now := packet.Time(1e18)
	send := func(i int, seq uint32, f packet.Flags, data string) {
		c, s := pair(i)
		b.Packet(&packet.Packet{Time: now, Src: c, Dst: s, Proto: packet.TCP, Hash: scramble(i), Payload: []byte(data), TCP: packet.TCPHeader{Seq: seq, Flags: f}})
	}
	for i := range 33 {
		send(i, 10, packet.SYN, "")
	}
	for i := range 33 {
		send(i, 12, 0, "x") // the byte before is missing
	}
	send(100, 10, 0, "")
	if x := b.Stats(); x.RefusedFlows != 1 || x.Hurried != 0 {
		t.Errorf("at once: %+v", x)
	}
	now += packet.Time(cfg.GapWait) + 1
	send(101, 10, 0, "")
	if x := b.Stats(); x.RefusedFlows != 1 || x.Hurried != 1 || x.Opened != 34 || b.held > cfg.MaxBytes {
		t.Errorf("after a while: %+v, %d bytes held", x, b.held)
	}
	laws(t, b)
}

// Whoever fills what there is for bytes that wait keeps nobody out whose bytes do
// not: not even when the same ends begin anew.
func TestFullForOthers(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxBytes = 64 << 10
	b := NewTable(cfg, func(*Flow) Stream { return quiet{} }, nil)
	now := packet.Time(1e18)
	send := func(i int, from Side, seq, ack uint32, f packet.Flags, data string) {
		c, s := pair(i)
		if from == Server {
			c, s = s, c
		}
		now += 1000
		b.Packet(&packet.Packet{Time: now, Src: c, Dst: s, Proto: packet.TCP, Hash: scramble(i), Payload: []byte(data), TCP: packet.TCPHeader{Seq: seq, Ack: ack, Flags: f}})
	}
	const good = 1000
	for round := range 200 {
		for i := range 40 {
			send(round*40+i, Client, 12, 0, 0, "x") // nobody knows what is before it
		}
		if round > 0 && b.held <= cfg.MaxBytes {
			t.Fatalf("%d: %d bytes held are not what this is about", round, b.held)
		}
		i, isn := 100_000+round%100, uint32(round)<<20
		send(i, Client, isn, 0, packet.SYN, "")
		send(i, Server, 500, isn+1, packet.SYN|packet.ACK, "")
		send(i, Client, isn+1, 501, packet.ACK, string(make([]byte, good)))
		send(i, Server, 501, isn+1+good, packet.ACK|packet.FIN, "")
		send(i, Client, isn+1+good, 502, packet.ACK|packet.FIN, "")
		send(i, Server, 502, isn+2+good, packet.ACK, "")
		laws(t, b)
		if b.held > cfg.MaxBytes+cfg.MaxBytes/4+2048 {
			t.Fatalf("%d: %d bytes held", round, b.held)
		}
	}
	if x := b.Stats(); x.Delivered < 200*good || x.RefusedFlows == 0 {
		t.Errorf("%+v", x)
	}
}

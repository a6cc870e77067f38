package flow

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/passiflow/passiflow/packet"
)

// hostile makes packets that no stack would send: any flags, numbers near what
// was said before, near the wrap, or anywhere, times that jump.
func hostile(d *dice, n int) []packet.Packet {
	out := make([]packet.Packet, 0, n)
	base := [2]uint32{uint32(d.n(1<<16)) << 16, 0 - uint32(d.n(300))}
	now := packet.Time(1e18)
	number := func(b uint32) uint32 {
		switch d.n(8) {
		case 0:
			return uint32(d.n(1<<16))<<16 | uint32(d.n(1<<16))
		case 1:
			return b + uint32(d.n(1<<16))<<13
		default:
			return b + uint32(d.n(400)) - 20
		}
	}
	for range n {
		switch d.n(12) {
		case 0:
			now += packet.Time(d.n(1<<16)) * 10 * ms
		case 1:
			now -= packet.Time(d.n(100)) * ms
		default:
			now += packet.Time(d.n(30)) * ms
		}
		p := packet.Packet{Time: now, Src: alice, Dst: bob, Proto: packet.TCP, Hash: 42}
		from := d.n(2)
		if from == 1 {
			p.Src, p.Dst = bob, alice
		}
		p.TCP = packet.TCPHeader{Seq: number(base[from]), Ack: number(base[1-from])}
		switch d.n(6) {
		case 0:
			p.TCP.Flags = packet.Flags(d.n(256))
		case 1:
			p.TCP.Flags = packet.SYN
			p.TCP.Seq = base[from] - 1
		case 2:
			p.TCP.Flags = packet.FIN | packet.ACK
		default:
			p.TCP.Flags = packet.ACK
		}
		if d.one(10) {
			p.Tunnel = packet.Tunnel{Kind: packet.VXLAN, ID: uint32(d.n(2))}
		}
		if d.one(40) {
			p.Proto = packet.UDP
		}
		if !d.one(3) {
			p.Payload = make([]byte, d.n(80))
			for i := range p.Payload {
				p.Payload[i] = byte(d.n(256))
			}
			if d.one(12) {
				p.Payload = make([]byte, d.n(70000))
			}
		}
		if d.one(6) {
			p.Missing = d.n(60)
		}
		out = append(out, p)
	}
	return out
}

// suspicious checks what any stream may rely on, whatever was sent.
type suspicious struct {
	t      testing.TB
	end    [2]uint64
	begun  [2]bool
	ended  [2]bool
	closed bool
}

func (s *suspicious) Chunk(c *Chunk) packet.Time {
	switch {
	case s.closed:
		s.t.Fatal("a chunk after Close")
	case s.ended[c.From]:
		s.t.Fatal("a chunk after the end")
	case len(c.Data) == 0 && c.Lost == 0 && !c.End:
		s.t.Fatal("an empty chunk")
	case s.begun[c.From] && (c.Offset-c.Lost != s.end[c.From] || c.Mid):
		s.t.Fatalf("offset %d with %d lost behind %d", c.Offset, c.Lost, s.end[c.From])
	case !s.begun[c.From] && !c.Mid && c.Offset != c.Lost:
		s.t.Fatalf("begins at %d with %d lost", c.Offset, c.Lost)
	}
	s.begun[c.From], s.ended[c.From] = true, c.End
	s.end[c.From] = c.Offset + uint64(len(c.Data))
	return c.Time + 70*ms
}

func (s *suspicious) Tick(now packet.Time) packet.Time {
	if s.closed {
		s.t.Fatal("a tick after Close")
	}
	return now // asks for the past: must not hang
}

func (s *suspicious) Close(Reason) {
	if s.closed {
		s.t.Fatal("closed twice")
	}
	s.closed = true
}

func attack(t testing.TB, d *dice) {
	cfg := DefaultConfig()
	cfg.Overlap = Overlap(d.n(2))
	cfg.Digest = d.one(2)
	cfg.Datagrams = d.one(2)
	if d.one(3) {
		cfg.MaxPending = d.n(20000)
	}
	if d.one(3) {
		cfg.MaxBytes = d.n(20000)
	}
	if d.one(3) {
		cfg.MaxFlows = 1 + d.n(3)
	}
	opened, finished := 0, 0
	var all []*suspicious
	b := NewTable(cfg, func(*Flow) Stream {
		if d.one(9) {
			return nil
		}
		opened++
		s := &suspicious{t: t}
		all = append(all, s)
		return s
	}, func(s *Summary) { finished++ })
	for _, p := range hostile(d, 40+d.n(200)) {
		b.Packet(&p)
		laws(t, b)
		if d.one(20) {
			b.Advance(p.Time + packet.Time(d.n(100))*ms)
			laws(t, b)
		}
	}
	b.Close()
	laws(t, b)
	if b.Pending() != 0 || b.n != 0 || b.Flows() != 0 || b.held != 0 {
		t.Fatalf("left: %d bytes, %d conversations, %d memory", b.Pending(), b.n, b.held)
	}
	s := b.Stats()
	if int(s.Opened) != finished || s.Opened != s.Finished+s.Idle+s.Evicted+s.Stopped {
		t.Fatalf("opened %d, done %d: %+v", s.Opened, finished, s)
	}
	for _, x := range all {
		if !x.closed {
			t.Fatal("a stream was not closed")
		}
	}
}

func TestHostile(t *testing.T) {
	for seed := range uint64(1000) {
		attack(t, newDice(seed, nil))
	}
}

func FuzzHostile(f *testing.F) {
	f.Add(uint64(1), []byte{})
	f.Fuzz(func(t *testing.T, seed uint64, b []byte) { attack(t, newDice(seed, b)) })
}

// TestHostileRepeatable holds that not even such packets make what is told
// depend on sweeps, as long as their own time does not run back.
func TestHostileRepeatable(t *testing.T) {
	for seed := range uint64(300) {
		d := newDice(seed, nil)
		packets := hostile(d, 150)
		for i := range packets {
			if i > 0 {
				packets[i].Time = max(packets[i].Time, packets[i-1].Time)
			}
		}
		want := watched(t, packets, 1, 40*ms, nil)
		got := watched(t, packets, 1, 40*ms, func(b *Table, now packet.Time) {
			if d.one(2) {
				b.Advance(now)
			}
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: swept tables tell otherwise:\n%s", seed, diff)
		}
	}
}

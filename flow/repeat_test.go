package flow

import (
	compare "cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/passiflow/passiflow/packet"
)

// crowd makes conversations that run beside each other, in the order of the
// capture.
func crowd(d *dice, n int) []packet.Packet {
	var out []packet.Packet
	for i := range n {
		pl := planOf(d)
		shift := packet.Time(d.n(3000)) * ms
		stretch := packet.Time(1)
		if d.one(3) {
			stretch = 1 + packet.Time(d.n(200)) // with pauses
		}
		for _, w := range capture(d, pl, converse(d, pl, [2]uint32{uint32(d.n(1 << 16)), uint32(d.n(1 << 16))})) {
			p := w.Packet
			client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 40000)
			p.Src, p.Dst = client, bob
			if w.side == Server {
				p.Src, p.Dst = bob, client
			}
			p.Hash = scramble(i)
			p.Time = 1e18 + shift + (p.Time-1e18)*stretch
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b packet.Packet) int { return compare.Compare(a.Time, b.Time) })
	return out
}

// watched gives packets to n tables, each conversation to one of them, and
// returns what every conversation was told, in the order it began. look, which
// may be nil, is called after each packet.
func watched(t *testing.T, packets []packet.Packet, n int, wait packet.Time, look func(b *Table, now packet.Time)) map[string][]told {
	tables := make([]*Table, n)
	tapes := map[string][]*tape{}
	ends := map[string][]Summary{}
	name := func(f *Flow) string {
		return fmt.Sprint(max(f.Client.String(), f.Server.String()), f.Transport, f.Tunnel)
	}
	for i := range tables {
		tables[i] = NewTable(DefaultConfig(), func(f *Flow) Stream {
			r := &tape{flow: f, wait: wait}
			tapes[name(f)] = append(tapes[name(f)], r)
			return r
		}, func(s *Summary) { ends[name(s.Flow)] = append(ends[name(s.Flow)], *s) })
	}
	var now packet.Time
	for i := range packets {
		p := packets[i]
		now = max(now, p.Time)
		b := tables[p.Hash%uint64(n)]
		b.Packet(&p)
		if look != nil {
			look(b, now)
		}
	}
	for _, b := range tables {
		b.Advance(now)
		b.Close()
		laws(t, b)
	}
	out := map[string][]told{}
	for k, all := range tapes {
		for _, r := range all {
			out[k] = append(out[k], told{What: fmt.Sprint(r.flow.ID)})
			out[k] = append(out[k], r.calls...)
		}
	}
	for k, all := range ends {
		for _, s := range all {
			out[k] = append(out[k], told{What: fmt.Sprint(s.Flow.ID, s.End, s.Packets, s.Bytes, s.Delivered, s.Lost, s.HalfOpen), Reason: s.Reason})
		}
	}
	return out
}

// TestRepeatable holds that what a conversation is told depends on its own
// packets alone: not on its neighbours, on how many tables there are, or on when
// they were swept.
func TestRepeatable(t *testing.T) {
	for seed := range uint64(12) {
		for _, wait := range []packet.Time{0, 30 * ms, 5e9} {
			d := newDice(seed, nil)
			packets := crowd(d, 40)
			want := watched(t, packets, 1, wait, nil)
			if len(want) < 20 {
				t.Fatalf("only %d conversations", len(want))
			}
			for _, n := range []int{2, 7, 1009} {
				if diff := cmp.Diff(want, watched(t, packets, n, wait, nil)); diff != "" {
					t.Fatalf("seed %d, wait %d: %d tables tell otherwise:\n%s", seed, wait, n, diff)
				}
			}
			got := watched(t, packets, 1, wait, func(b *Table, now packet.Time) {
				if d.one(3) {
					b.Advance(now)
				}
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, wait %d: swept tables tell otherwise:\n%s", seed, wait, diff)
			}
		}
	}
}

// TestRepeatableDisorder is the same with packets of different conversations
// out of order, as several cards give them.
func TestRepeatableDisorder(t *testing.T) {
	for seed := range uint64(12) {
		d := newDice(1000+seed, nil)
		packets := crowd(d, 40)
		// Move whole conversations by up to half the slack without touching times.
		type at struct {
			p   packet.Packet
			key packet.Time
		}
		var order []at
		for _, p := range packets {
			order = append(order, at{p, p.Time + packet.Time(p.Hash%90)*ms})
		}
		slices.SortStableFunc(order, func(a, b at) int { return compare.Compare(a.key, b.key) })
		for i := range packets {
			packets[i] = order[i].p
		}
		want := watched(t, packets, 1, 30*ms, nil)
		if diff := cmp.Diff(want, watched(t, packets, 1009, 30*ms, nil)); diff != "" {
			t.Fatalf("seed %d: one table tells otherwise than many:\n%s", seed, diff)
		}
	}
}

// TestRepeatableMemory holds that how long a conversation is remembered does not
// depend on sweeps either.
func TestRepeatableMemory(t *testing.T) {
	var packets []packet.Packet
	add := func(after packet.Time, from Side, seq, ack uint32, f packet.Flags, data string) {
		p := packet.Packet{Time: 1e18 + after, Src: alice, Dst: bob, Proto: packet.TCP, Hash: 42, Payload: []byte(data), TCP: packet.TCPHeader{Seq: seq, Ack: ack, Flags: f}}
		if from == Server {
			p.Src, p.Dst = bob, alice
		}
		packets = append(packets, p)
	}
	add(0, Client, 9, 0, packet.SYN, "")
	add(1*ms, Server, 19, 10, packet.SYN|packet.ACK, "")
	add(2*ms, Client, 10, 20, packet.ACK, "ask")
	add(3*ms, Client, 13, 20, packet.ACK|packet.FIN, "")
	add(4*ms, Server, 20, 14, packet.ACK|packet.FIN, "")
	add(3080*ms, Client, 14, 21, packet.ACK, "") // late
	add(9e9, Client, 14, 21, packet.ACK, "again")
	mine := packets
	for i := range mine {
		mine[i].Time += 120 * ms // between two sweeps
	}
	packets = nil
	for after := packet.Time(0); after < 10e9; after += 10 * ms {
		add(after, Client, 10, 0, packet.SYN, "")
		packets[len(packets)-1].Hash = 43
		packets[len(packets)-1].Src = netip.MustParseAddrPort("10.0.0.3:40000")
	}
	packets = append(packets, mine...)
	slices.SortStableFunc(packets, func(a, b packet.Packet) int { return compare.Compare(a.Time, b.Time) })
	want := watched(t, packets, 1009, 0, nil)
	got := watched(t, packets, 1, 0, func(b *Table, now packet.Time) { b.Advance(now) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("swept tables tell otherwise:\n%s", diff)
	}
}

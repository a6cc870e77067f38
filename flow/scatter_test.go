package flow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// scatter makes conversations that each hold as many early segments of one byte
// as the bound lets them, with holes between.
func scatter(conversations int) (t *Table, packets []packet.Packet, pages int) {
	cfg := DefaultConfig()
	t = NewTable(cfg, func(*Flow) Stream { return quiet{} }, nil)
	pages = cfg.MaxPending/pageSize - 1
	for i := range conversations {
		c, s := pair(i)
		p := packet.Packet{Time: 1e18, Src: c, Dst: s, Proto: packet.TCP, Hash: scramble(i), TCP: packet.TCPHeader{Seq: 100, Flags: packet.SYN}}
		t.Packet(&p)
		p.TCP = packet.TCPHeader{Seq: 101, Ack: 501, Flags: packet.ACK}
		p.Payload = []byte("x")
		for n := range pages {
			p.TCP.Seq = 102 + uint32(2*n)
			t.Packet(&p)
		}
		packets = append(packets, p)
	}
	return t, packets, pages
}

// BenchmarkScattered is one segment that falls among as many early ones as
// there can be: what hostile traffic costs most.
func BenchmarkScattered(b *testing.B) {
	for _, conversations := range []int{1, 7} {
		b.Run(fmt.Sprint(conversations), func(b *testing.B) {
			t, packets, pages := scatter(conversations)
			b.ReportAllocs()
			i, n := 0, uint32(0)
			for b.Loop() {
				p := &packets[i]
				n = n*1664525 + 1013904223
				p.TCP.Seq = 102 + 2*(n>>8)%uint32(2*pages-4)&^1
				t.Packet(p)
				if i++; i == len(packets) {
					i = 0
				}
			}
			if t.Pending() != conversations*pages {
				b.Fatalf("%d bytes held, want %d", t.Pending(), conversations*pages)
			}
		})
	}
}

// indexed fails unless the pages of a side are in order, do not overlap, and are
// what its index says.
func indexed(t *testing.T, h *half) {
	t.Helper()
	var list []*page
	for g := h.pages; g != nil; g = g.next {
		if n := len(list); n > 0 && list[n-1].end() > g.off {
			t.Fatalf("a page from %d behind one to %d", g.off, list[n-1].end())
		}
		list = append(list, g)
	}
	if h.index != nil && !slices.Equal(h.index, list) {
		t.Fatalf("%d pages, %d in the index", len(list), len(h.index))
	}
	if len(list) > 0 && h.tail != list[len(list)-1] {
		t.Fatal("the last page is not the last")
	}
}

// TestScattered puts segments of any length anywhere behind a hole, until there
// are many, and then fills it: of two copies of a byte the first stays.
func TestScattered(t *testing.T) {
	const size = 6000
	for seed := range uint64(16) {
		r := rand.New(rand.NewPCG(seed, 9))
		policy := Overlap(seed % 2)
		s := newScene(t, func(c *Config) { c.Overlap = policy })
		mid := seed%4 >= 2 // its SYN comes late
		if !mid {
			s.handshake()
		} else {
			s.send(seg{from: Client, off: 10, data: "y", after: 1})
		}
		c := s.table.last
		h := &c.half[Client]
		first := make([]byte, size)
		grown := 0
		for range 1500 {
			off, n := 12+r.IntN(size-60), 1+r.IntN(3)
			if r.IntN(20) == 0 {
				n = 1 + r.IntN(40)
			}
			data := make([]byte, n)
			for i := range data {
				data[i] = byte('a' + r.IntN(26))
				if first[off+i] == 0 {
					first[off+i] = data[i]
				}
			}
			s.send(seg{from: Client, off: off, data: string(data), after: 1})
			indexed(t, h)
			grown = max(grown, len(h.index))
		}
		if grown < 100 {
			t.Fatalf("seed %d: the index had %d pages at most", seed, grown)
		}
		if mid {
			s.send(seg{from: Client, ack: -1, flags: packet.SYN, after: 1})
			indexed(t, h)
		}
		want := make([]byte, size)
		for i := range want {
			if want[i] = first[i]; i < 12 {
				want[i] = '.'
			} else if want[i] == 0 {
				want[i] = '-'
			}
		}
		s.send(seg{from: Client, off: 0, data: "............"[:12], after: 1})
		indexed(t, h)
		for off := 12; off < size; off++ {
			if first[off] == 0 {
				s.send(seg{from: Client, off: off, data: "-", after: 1})
				indexed(t, h)
			}
		}
		if h.pages != nil || h.index != nil {
			t.Fatalf("seed %d: pages are left", seed)
		}
		got := s.tape(0).text(Client)
		if policy == First && !mid && got != string(want) || len(got) != size && !mid {
			t.Fatalf("seed %d: %d bytes %.60q, want %.60q", seed, len(got), got, want)
		}
	}
}

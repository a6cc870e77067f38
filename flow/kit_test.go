package flow

import (
	"fmt"
	"math"
	"net/netip"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// told is one call of a Stream, in a form that can be compared.
type told struct {
	What   string // chunk, tick, close
	From   Side
	Time   packet.Time
	Offset uint64
	Ack    uint64
	Data   string
	Edge   bool
	Peer   bool
	Lost   uint64
	LostBy uint64
	Mid    bool
	End    bool
	Reason Reason
}

// tape records what a conversation was told.
type tape struct {
	flow  *Flow
	calls []told
	wait  packet.Time // how long after each chunk Tick is wanted; 0: never
	check func(*tape, *Chunk)
}

func (r *tape) Chunk(c *Chunk) packet.Time {
	if r.check != nil {
		r.check(r, c)
	}
	r.calls = append(r.calls, told{What: "chunk", From: c.From, Time: c.Time, Offset: c.Offset, Ack: c.Ack, Data: string(c.Data),
		Edge: c.Edge, Peer: c.Peer, Lost: c.Lost, LostBy: c.LostBy, Mid: c.Mid, End: c.End})
	if r.wait == 0 {
		return 0
	}
	return c.Time.Add(0) + r.wait
}

func (r *tape) Tick(now packet.Time) packet.Time {
	r.calls = append(r.calls, told{What: "tick", Time: now})
	return 0
}

func (r *tape) Close(why Reason) { r.calls = append(r.calls, told{What: "close", Reason: why}) }

// text returns what side s said, with gaps as [n] and the end as $.
func (r *tape) text(s Side) string {
	var out string
	for _, c := range r.calls {
		if c.What != "chunk" || c.From != s {
			continue
		}
		if c.Lost > 0 {
			out += fmt.Sprintf("[%d]", c.Lost)
		}
		out += c.Data
		if c.End {
			out += "$"
		}
	}
	return out
}

// order returns who said what in the order it was told: c:data s:data.
func (r *tape) order() string {
	var out string
	for _, c := range r.calls {
		if c.What != "chunk" {
			continue
		}
		if out += " " + c.From.String()[:1] + ":"; c.Lost > 0 {
			out += fmt.Sprintf("[%d]", c.Lost)
		}
		out += c.Data
		if c.End {
			out += "$"
		}
	}
	if out != "" {
		out = out[1:]
	}
	return out
}

// closed returns why the conversation was closed, or "open".
func (r *tape) closed() string {
	for _, c := range r.calls {
		if c.What == "close" {
			return c.Reason.String()
		}
	}
	return "open"
}

var (
	alice = netip.MustParseAddrPort("10.0.0.1:40000")
	bob   = netip.MustParseAddrPort("10.0.0.2:80")
)

const ms = packet.Time(1e6)

// scene is a table and the tapes of its conversations, in the order they began.
type scene struct {
	t     testing.TB
	table *Table
	tapes []*tape
	ends  []*Summary
	now   packet.Time
	isn   [2]uint32 // sequence number of each side's first byte
	wait  packet.Time
}

func newScene(t testing.TB, change ...func(*Config)) *scene {
	cfg := DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	s := &scene{t: t, now: 1e18, isn: [2]uint32{1000, 5000}}
	s.table = NewTable(cfg, func(f *Flow) Stream {
		r := &tape{flow: f, wait: s.wait}
		s.tapes = append(s.tapes, r)
		return r
	}, func(x *Summary) { s.ends = append(s.ends, x) })
	return s
}

// tape returns the i-th conversation's tape.
func (s *scene) tape(i int) *tape {
	s.t.Helper()
	if i >= len(s.tapes) {
		s.t.Fatalf("conversation %d was not opened", i)
	}
	return s.tapes[i]
}

// seg describes a packet: offsets instead of sequence numbers.
type seg struct {
	from   Side
	off    int // of data
	ack    int // -1: no ACK flag
	data   string
	flags  packet.Flags // beside ACK
	cut    int
	after  packet.Time // since the packet before; 0 is 1 ms
	tunnel packet.Tunnel
}

// send gives packets to the table, checking its laws after each.
func (s *scene) send(segs ...seg) {
	s.t.Helper()
	for _, g := range segs {
		if g.after == 0 {
			g.after = ms
		}
		s.now += g.after
		p := packet.Packet{Time: s.now, Src: alice, Dst: bob, Proto: packet.TCP, Hash: 42, Tunnel: g.tunnel, Payload: []byte(g.data), Missing: g.cut}
		if g.from == Server {
			p.Src, p.Dst = bob, alice
		}
		p.TCP = packet.TCPHeader{Seq: s.isn[g.from] + uint32(g.off), Flags: g.flags}
		if g.flags&packet.SYN != 0 {
			p.TCP.Seq--
		}
		if g.ack >= 0 {
			p.TCP.Ack = s.isn[g.from.Peer()] + uint32(g.ack)
			p.TCP.Flags |= packet.ACK
		}
		s.table.Packet(&p)
		clear(p.Payload) // it was borrowed
		laws(s.t, s.table)
	}
}

// handshake sends the three packets that open a conversation.
func (s *scene) handshake() {
	s.t.Helper()
	s.send(seg{from: Client, ack: -1, flags: packet.SYN}, seg{from: Server, flags: packet.SYN}, seg{from: Client})
}

// pass lets time go by.
func (s *scene) pass(d packet.Time) {
	s.t.Helper()
	s.now += d
	s.table.Advance(s.now)
	laws(s.t, s.table)
}

func (s *scene) want(i int, side Side, text string) {
	s.t.Helper()
	if got := s.tape(i).text(side); got != text {
		s.t.Errorf("conversation %d, %v: %q, want %q", i, side, got, text)
	}
}

func (s *scene) wantOrder(i int, order string) {
	s.t.Helper()
	if got := s.tape(i).order(); got != order {
		s.t.Errorf("conversation %d: %q, want %q", i, got, order)
	}
}

func (s *scene) wantClosed(i int, why string) {
	s.t.Helper()
	if got := s.tape(i).closed(); got != why {
		s.t.Errorf("conversation %d: closed %q, want %q", i, got, why)
	}
}

// laws checks what must hold of a table at every moment.
func laws(t testing.TB, b *Table) {
	t.Helper()
	s := b.stats
	if sum := s.Delivered + s.Duplicate + s.OutOfWindow + s.AfterReset + s.Refused + s.Unsampled + s.Copies + uint64(b.Pending()); sum != s.Payload {
		t.Fatalf("payload %d, accounted for %d: %+v, pending %d", s.Payload, sum, s, b.Pending())
	}
	if len(b.slots) > 1<<12 {
		return // the rest looks at every conversation
	}
	var n, pending, held, timers int
	for st := range b.lists {
		k := 0
		var moved packet.Time = math.MinInt64
		for c := b.lists[st].head; c != nil; c = c.behind {
			k++
			if c.state != state(st) {
				t.Fatalf("a conversation of state %d in list %d", c.state, st)
			}
			if c.moved < moved {
				t.Fatal("list out of order")
			}
			moved = c.moved
			if c.timer > 0 {
				timers++
				if x := b.timers[c.timer-1]; x.c != c || x.at != c.at {
					t.Fatal("timer and conversation disagree")
				}
			}
			if c.at > c.next() {
				t.Fatalf("timer at %d, due at %d", c.at, c.next())
			}
			for i := range c.half {
				h := &c.half[i]
				if h.next-h.first != h.delivered+h.missing && c.proto == packet.TCP {
					t.Fatalf("side %d: span %d, delivered %d, missing %d", i, h.next-h.first, h.delivered, h.missing)
				}
				bytes, mem, end := 0, 0, uint64(0)
				var last *page
				for g := h.pages; g != nil; g = g.next {
					if g.off < end || g.end() <= g.off || g.cut < 0 {
						t.Fatalf("page %d-%d behind %d", g.off, g.end(), end)
					}
					end, last = g.end(), g
					bytes += len(g.data)
					mem += g.size()
				}
				if h.pages != nil && !h.opening && h.pages.off < h.next {
					t.Fatalf("page at %d before %d", h.pages.off, h.next)
				}
				if h.pages != nil && (c.due == 0 || c.state == closed) {
					t.Fatal("pages and nothing due")
				}
				if h.pages != nil && last != h.tail || h.pages == nil && h.tail != nil || bytes != h.bytes || mem != h.held {
					t.Fatalf("pages: %d bytes, counted %d; %d held, counted %d", bytes, h.bytes, mem, h.held)
				}
				pending += bytes
				held += mem
			}
		}
		if k != b.counts[st] {
			t.Fatalf("list %d has %d, counted %d", st, k, b.counts[st])
		}
		n += k
	}
	if n != b.n || pending != b.bytes || held != b.held || timers != len(b.timers) {
		t.Fatalf("conversations %d, counted %d; pending %d, counted %d; held %d, counted %d; timers %d of %d", n, b.n, pending, b.bytes, held, b.held, timers, len(b.timers))
	}
	for i, x := range b.timers {
		if i > 0 && b.timers[(i-1)/2].at > x.at {
			t.Fatal("the timers are no heap")
		}
	}
	if b.held > b.cfg.MaxBytes+b.cfg.MaxBytes/4+128<<10 {
		t.Fatalf("%d bytes held, bound %d", b.held, b.cfg.MaxBytes)
	}
}

package flow

import (
	compare "cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// dice draws from bytes a fuzzer gave, and from a generator when they are used
// up.
type dice struct {
	b []byte
	r *rand.Rand
}

func newDice(seed uint64, b []byte) *dice {
	return &dice{b, rand.New(rand.NewPCG(seed, 1))}
}

func (d *dice) n(n int) int {
	if n <= 1 {
		return 0
	}
	if len(d.b) >= 2 {
		v := int(binary.LittleEndian.Uint16(d.b))
		d.b = d.b[2:]
		return v % n
	}
	return d.r.IntN(n)
}

func (d *dice) one(in int) bool { return d.n(in) == 0 }

// plan says what happens to a conversation between the wire and the table.
type plan struct {
	reorder packet.Time // bound of the displacement
	copies  int         // one of so many packets is captured twice; 0: none
	drop    int         // one of so many is not captured; 0: none
	resend  int         // one of so many segments repeats old bytes; 0: none
	lie     bool        // what is repeated has other content
	cut     int         // one of so many is cut by the snaplen; 0: none
	middle  bool        // the capture begins later than the conversation
	deaf    bool        // only one direction is captured
	wild    bool        // the handshake comes late, too
	policy  Overlap
}

func planOf(d *dice) plan {
	return plan{
		reorder: packet.Time(d.n(4)) * 16 * ms,
		copies:  d.n(3) * 6,
		drop:    d.n(3) * 7,
		resend:  d.n(3) * 4,
		lie:     d.one(2),
		cut:     d.n(2) * 9,
		middle:  d.one(4),
		deaf:    d.one(8),
		wild:    d.one(6),
		policy:  Overlap(d.n(2)),
	}
}

// whole tells whether every byte is captured in time.
func (p plan) whole() bool { return p.drop == 0 && !p.middle && !p.deaf && !p.wild }

// wire is a packet with its truth beside it.
type wire struct {
	packet.Packet
	side Side
	pos  int // of its data in what the side sends
	size int
	got  int // of its peer's bytes, when it was sent
}

// converse makes the packets of one conversation in the order of the wire.
func converse(d *dice, pl plan, isn [2]uint32) []wire {
	var out []wire
	now := packet.Time(1e18)
	var sent, got [2]int // got: what each side has received of its peer
	var begun, fin [2]bool
	size := 1 + d.n(1200)
	var fill byte
	emit := func(from Side, pos, n int, f packet.Flags) {
		now += packet.Time(d.n(4000)) * 1000
		w := wire{side: from, pos: pos, size: n, got: got[from]}
		w.Time, w.Proto, w.Hash = now, packet.TCP, 42
		w.Src, w.Dst = alice, bob
		if from == Server {
			w.Src, w.Dst = bob, alice
		}
		w.TCP = packet.TCPHeader{Seq: isn[from] + uint32(pos), Flags: f}
		if f&packet.SYN != 0 {
			w.TCP.Seq--
		}
		if f&packet.ACK != 0 {
			w.TCP.Ack = isn[from.Peer()] + uint32(got[from])
			if fin[from.Peer()] && got[from] == sent[from.Peer()] {
				w.TCP.Ack++
			}
		}
		fill += 7
		for i := range n {
			b := byte(pos+i) ^ byte((pos+i)>>8)*31 ^ byte(from)*0x55
			if pl.lie {
				b = fill + byte(i)
			}
			w.Payload = append(w.Payload, b)
		}
		if pl.cut > 0 && n > 0 && d.one(pl.cut) {
			k := d.n(n)
			w.Payload, w.Missing = w.Payload[:k], n-k
		}
		out = append(out, w)
	}
	emit(Client, 0, 0, packet.SYN)
	emit(Server, 0, 0, packet.SYN|packet.ACK)
	emit(Client, 0, 0, packet.ACK)
	begun[0], begun[1] = true, true
	for range 5 + d.n(60) {
		from := Side(d.n(2))
		if fin[from] {
			from = from.Peer()
		}
		if fin[from] {
			break
		}
		switch k := d.n(10); {
		case k < 2: // receive, and tell it
			got[from] = sent[from.Peer()]
			emit(from, sent[from], 0, packet.ACK)
		case k < 4: // receive
			got[from] = sent[from.Peer()]
			fallthrough
		case k < 8:
			n := 1 + d.n(size)
			emit(from, sent[from], n, packet.ACK|packet.PSH)
			sent[from] += n
		case k < 9 && pl.resend > 0 && sent[from] > 0:
			pos := max(0, sent[from]-1-d.n(3*size))
			n := 1 + d.n(2*size)
			emit(from, pos, n, packet.ACK)
			sent[from] = max(sent[from], pos+n)
		}
	}
	switch d.n(4) {
	case 0: // left open
	case 1:
		from := Side(d.n(2))
		emit(from, sent[from], 0, packet.RST|packet.ACK)
	default:
		for _, from := range []Side{Client, Server} {
			got[from] = sent[from.Peer()]
			emit(from, sent[from], 0, packet.FIN|packet.ACK)
			fin[from] = true
		}
		got[Client] = sent[Server]
		emit(Client, sent[Client]+1, 0, packet.ACK)
	}
	return out
}

// capture returns what the table gets to see of it.
func capture(d *dice, pl plan, on []wire) []wire {
	type at struct {
		w   wire
		key packet.Time
	}
	var seen []at
	delay := func() packet.Time {
		if pl.reorder == 0 {
			return 0
		}
		return packet.Time(d.n(int(pl.reorder/1000)))*1000 + 1
	}
	skip := 0
	if pl.middle {
		skip = 1 + d.n(8)
	}
	for i, w := range on {
		if i < skip || pl.deaf && w.side == Server || pl.drop > 0 && d.one(pl.drop) {
			continue
		}
		late := delay()
		if i < 3 && !pl.wild {
			late = 0
		}
		seen = append(seen, at{w, w.Time + late})
		if pl.copies > 0 && d.one(pl.copies) {
			seen = append(seen, at{w, w.Time + delay()})
		}
	}
	slices.SortStableFunc(seen, func(a, b at) int { return compare.Compare(a.key, b.key) })
	out := make([]wire, 0, len(seen))
	for _, s := range seen {
		s.w.Time = s.key
		out = append(out, s.w)
	}
	return out
}

// copy0 is one copy of a byte.
type copyOf struct {
	value       int // -1: cut
	start, stop int // of its segment
	order       int
}

// model knows of each byte which copies were captured so far.
type model struct {
	t      testing.TB
	pl     plan
	isn    [2]uint32
	copies [2]map[int][]copyOf
	said   [2]map[int]byte // delivered
	end    [2]int          // where each side's next chunk begins
	begun  [2]bool
	ended  [2]bool
	finish [2]int // -1: unknown
	table  *Table
	on     []wire
}

func newModel(t testing.TB, pl plan, isn [2]uint32) *model {
	m := &model{t: t, pl: pl, isn: isn, finish: [2]int{-1, -1}}
	for i := range m.copies {
		m.copies[i], m.said[i] = map[int][]copyOf{}, map[int]byte{}
	}
	return m
}

func (m *model) conn() *conn {
	for s := range m.table.lists {
		if c := m.table.lists[s].head; c != nil {
			return c
		}
	}
	return nil
}

// pos translates an offset.
func (m *model) pos(s Side, off uint64) int {
	return int(int32(m.conn().half[s].base + uint32(off) - m.isn[s]))
}

func (m *model) captured(w *wire, order int) {
	if w.TCP.Flags&packet.FIN != 0 {
		m.finish[w.side] = w.pos + w.size
	}
	for i := range w.size {
		v := -1
		if i < len(w.Payload) {
			v = int(w.Payload[i])
		}
		m.copies[w.side][w.pos+i] = append(m.copies[w.side][w.pos+i], copyOf{v, w.pos, w.pos + w.size, order})
	}
}

// chunk checks one piece that the table tells.
func (m *model) chunk(_ *tape, c *Chunk) {
	s := c.From
	pos := m.pos(s, c.Offset)
	if m.ended[s] {
		m.t.Fatalf("%v: a chunk at %d after the end", s, pos)
	}
	if m.begun[s] && pos-int(c.Lost) != m.end[s] {
		m.t.Fatalf("%v: chunk at %d with %d lost, want %d", s, pos, c.Lost, m.end[s])
	}
	if !m.begun[s] && !c.Mid && pos != int(c.Lost) {
		m.t.Fatalf("%v: begins at %d with %d lost", s, pos, c.Lost)
	}
	if c.Mid == m.begun[s] && c.Mid {
		m.t.Fatalf("%v: Mid told twice", s)
	}
	if len(c.Data) == 0 && c.Lost == 0 && !c.End {
		m.t.Fatalf("%v: an empty chunk", s)
	}
	m.begun[s] = true
	if c.Lost > 0 && c.LostBy != AckUnknown && m.pl.resend == 0 {
		by := m.pos(s.Peer(), c.LostBy)
		for _, w := range m.on {
			if w.side != s && w.pos >= by && w.size > 0 && w.got < pos {
				m.t.Fatalf("%v: lost up to %d, received by %d; byte %d was sent when only %d was", s, pos, by, w.pos, w.got)
			}
		}
	}
	for i, b := range c.Data {
		if !m.may(s, pos+i, int(b)) {
			m.t.Fatalf("%v: byte %d is %#x, captured %v", s, pos+i, b, m.copies[s][pos+i])
		}
		m.said[s][pos+i] = b
	}
	m.end[s] = pos + len(c.Data)
	if c.End {
		m.ended[s] = true
		if m.finish[s] != m.end[s] {
			m.t.Fatalf("%v: ends at %d, FIN at %d", s, m.end[s], m.finish[s])
		}
	}
	if c.Ack != AckUnknown && m.pl.whole() && !c.End {
		peer := s.Peer()
		ack := m.pos(peer, c.Ack)
		if m.finish[peer] >= 0 {
			ack = min(ack, m.finish[peer])
		}
		if ack > m.end[peer] {
			m.t.Fatalf("%v: bytes at %d were sent after byte %d of the other side, which is at %d", s, pos, ack, m.end[peer])
		}
	}
}

// may tells whether b is what the policy delivers for a place.
func (m *model) may(s Side, pos, b int) bool {
	all := m.copies[s][pos]
	if len(all) == 0 {
		return false
	}
	if m.pl.policy == First {
		return all[0].value == b
	}
	// What was delivered is not taken back, so a better copy may have come too
	// late; but a worse one than the best so far never wins when all of them
	// waited. Any captured value is right in between.
	return slices.ContainsFunc(all, func(c copyOf) bool { return c.value == b })
}

// run takes one conversation through a table and checks it against the model.
func run(t testing.TB, d *dice, pl plan) {
	isn := [2]uint32{uint32(d.n(1<<16)) << 16, uint32(d.n(1 << 16))}
	if d.one(2) {
		isn[0], isn[1] = uint32(0)-uint32(d.n(3000)), uint32(0)-uint32(d.n(3000))
	}
	on := converse(d, pl, isn)
	packets := capture(d, pl, on)
	at := 0
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("at packet %d", at)
			for i := range packets {
				w := &packets[i]
				t.Logf("%3d %8d us %v %d+%d ack %d flags %#x cut %d", i, (w.Time-1e18)/1000, w.side, w.pos, w.size, int32(w.TCP.Ack-isn[w.side.Peer()]), w.TCP.Flags, w.Missing)
			}
		}
	})
	m := newModel(t, pl, isn)
	s := newScene(t, func(c *Config) { c.Overlap = pl.policy })
	m.table, m.on = s.table, on
	s.table.open = func(f *Flow) Stream {
		if len(s.tapes) > 0 && pl.whole() {
			t.Fatal("a second conversation")
		}
		r := &tape{flow: f, check: m.chunk}
		s.tapes = append(s.tapes, r)
		return r
	}
	var next, first [2]int
	var known [2]bool
	for i := range packets {
		w := &packets[i]
		if len(s.ends) > 0 || s.table.counts[closed] > 0 {
			break // what comes now belongs to no conversation that the model knows
		}
		m.captured(w, i)
		at = i
		s.table.Packet(&w.Packet)
		laws(t, s.table)
		c := m.conn()
		if c == nil {
			continue
		}
		for side := range c.half {
			h := &c.half[side]
			if !h.known {
				continue
			}
			from, to := m.pos(Side(side), h.first), m.pos(Side(side), h.next)
			if !known[side] || first[side] != from {
				known[side], first[side], next[side] = true, from, from
			}
			for p := next[side]; p < to; p++ {
				if _, ok := m.said[side][p]; ok {
					continue
				}
				if !m.lost(Side(side), p, i) && c.opened {
					t.Fatalf("%v: byte %d was captured and counts as lost", Side(side), p)
				}
			}
			next[side] = to
		}
	}
	s.table.Close()
	laws(t, s.table)
	if s.table.Pending() != 0 || s.table.Flows() != 0 || len(s.table.timers) != 0 {
		t.Fatalf("after the end: %d bytes, %d conversations, %d timers", s.table.Pending(), s.table.Flows(), len(s.table.timers))
	}
	if pl.whole() {
		for side := range m.copies {
			for p, all := range m.copies[side] {
				if _, ok := m.said[side][p]; !ok && slices.ContainsFunc(all, func(c copyOf) bool { return c.value >= 0 }) && (pl.cut == 0 || all[0].value >= 0 && pl.policy == First) {
					t.Fatalf("%v: byte %d was not told: %v; side ends at %d", Side(side), p, all, m.end[side])
				}
			}
		}
	}
}

// lost tells whether a byte that counts as lost was not captured before packet i.
func (m *model) lost(s Side, pos, i int) bool {
	return !slices.ContainsFunc(m.copies[s][pos], func(c copyOf) bool { return c.order < i && c.value >= 0 }) ||
		slices.ContainsFunc(m.copies[s][pos], func(c copyOf) bool { return c.value < 0 })
}

func TestModel(t *testing.T) {
	n := 500
	if testing.Short() {
		n = 100
	}
	for seed := range uint64(n) {
		d := newDice(seed, nil)
		pl := planOf(d)
		t.Run(fmt.Sprintf("%d", seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("%+v", pl)
				}
			}()
			run(t, d, pl)
		})
	}
}

func FuzzModel(f *testing.F) {
	f.Add(uint64(1), []byte{})
	f.Add(uint64(2), []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"))
	f.Fuzz(func(t *testing.T, seed uint64, b []byte) {
		d := newDice(seed, b)
		run(t, d, planOf(d))
	})
}

package flow

import "github.com/passiflow/passiflow/packet"

// The bounds of what a segment or an acknowledgement may lie ahead of what was
// seen: more than any window in use, less than what would let one forged packet
// silence a conversation.
const (
	maxAhead = 1 << 28
	maxAck   = 1 << 26
	// near is how close the numbers of two packets must be to take them for
	// packets of one conversation.
	near = 1 << 20
)

// Packet takes one parsed packet. Its Hash must be the symmetric hash of its
// ends.
func (t *Table) Packet(p *packet.Packet) {
	t.stats.Packets++
	if p.Time > t.now {
		if t.now = p.Time; t.now >= t.alarm {
			t.expire(t.now - slack)
		}
	}
	if p.Proto != packet.TCP {
		t.datagram(p)
		return
	}
	t.stats.Payload += uint64(len(p.Payload))
	c, from, twin := t.find(p)
	if c == nil && twin != nil && twin.copied(p) {
		c, from = twin, twin.side(p)
		t.last = c
	}
	if c != nil && t.gone(c, p.Time) {
		c = nil
	}
	if c == nil {
		if c, from = t.admit(p); c == nil {
			return
		}
	}
	if c.aliased {
		t.receiveCopy(c, from, p)
	} else {
		t.receive(c, from, p)
	}
}

// receive takes a packet of side from of c.
func (t *Table) receive(c *conn, from Side, p *packet.Packet) {
	if p.Time >= c.at {
		t.catchUp(c, p.Time)
	}
	flags, seq := p.TCP.Flags, p.TCP.Seq
	if c.again || flags&packet.SYN != 0 {
		if c, from = t.reuse(c, from, p); c == nil {
			return
		}
	}
	h, peer := &c.half[from], &c.half[from.Peer()]
	h.packets++
	h.payload += uint64(len(p.Payload))
	if c.state.over() {
		t.late(c, from, p)
		return
	}
	t.touch(c, p.Time)
	if c.state == halfOpen && peer.packets > 0 {
		t.become(c, live)
	}
	if flags&packet.SYN != 0 {
		seq++
		if flags&packet.ACK != 0 && h.packets == 1 && peer.known && peer.fresh() && peer.packets > 1 {
			peer.setBase(p.TCP.Ack, peer.mid) // of several attempts this one is answered
		}
		t.syn(h, peer, seq)
	} else if !h.known || h.packets == 1 || h.delivered+h.missing == 0 && h.cut() && !h.opening {
		h.place(p)
	}
	ack := AckUnknown
	if flags&packet.ACK != 0 {
		was := peer.acked
		ack = peer.acknowledge(p, h)
		if c.state == dying && peer.acked > was && flags&packet.RST == 0 && from == c.resetBy {
			t.become(c, live) // whoever reset would not go on to acknowledge
		}
	}
	if flags&packet.RST != 0 {
		t.stats.AfterReset += uint64(len(p.Payload))
		if d := h.offset(seq) - int64(h.next); d >= 0 && d <= near && c.state != dying {
			t.become(c, dying)
			c.resetBy = from
		}
	} else if len(p.Payload)+p.Missing > 0 || flags&packet.FIN != 0 {
		t.segment(c, from, p, h.offset(seq), ack)
	}
	if h.pages != nil || peer.pages != nil || h.fin != none || peer.fin != none {
		t.advance(c, p.Time)
	}
}

// segment takes the payload and the FIN of one packet.
func (t *Table) segment(c *conn, from Side, p *packet.Packet, off int64, ack uint64) {
	h := &c.half[from]
	size := len(p.Payload) + p.Missing
	end := off + int64(size)
	if off == int64(h.next) && h.pages == nil && h.fin == none && !h.opening && !h.ended && c.state <= live &&
		size > 0 && p.Missing == 0 && p.TCP.Flags&packet.FIN == 0 && !c.half[from.Peer()].waits(ack) {
		// Nearly all: the next bytes, in order.
		h.top = max(h.top, uint64(end))
		t.deliver(c, from, uint64(off), p.Payload, ack, p.Time, true)
		return
	}
	if off > int64(h.next)+maxAhead || end < 0 {
		t.stats.OutOfWindow += uint64(len(p.Payload))
		return
	}
	if p.TCP.Flags&packet.FIN != 0 {
		h.finish(end, ack, p.Time)
	}
	if size == 0 {
		return
	}
	s := early{off: uint64(max(off, 0)), start: uint64(max(off, 0)), stop: uint64(end), data: p.Payload, cut: p.Missing, ack: ack, time: p.Time, edge: true}
	if off < 0 && h.opening {
		t.stats.OutOfWindow += uint64(len(p.Payload))
		return
	}
	if !h.opening && off < int64(h.next) {
		if end <= int64(h.next) {
			t.stats.Duplicate += uint64(len(p.Payload))
			return
		}
		s.off = uint64(off) // may lie before offset 0: pass corrects it
		t.stats.Duplicate += uint64(s.pass(uint64(int64(h.next) - off)))
	}
	if h.ended {
		t.stats.AfterReset += uint64(len(s.data))
		return
	}
	if c.state == dying && from == c.resetBy {
		t.become(c, live)
	}
	if h.fin != none && s.stop > h.fin {
		h.fin = none // whoever sent that FIN was not this side
	}
	h.top = max(h.top, s.stop)
	if s.off == h.next && h.pages == nil && !h.opening && !c.half[from.Peer()].waits(ack) {
		if len(s.data) > 0 {
			t.deliver(c, from, s.off, s.data, ack, p.Time, s.edge)
		}
		if s.cut > 0 {
			t.skip(h, s.stop, true)
		}
		return
	}
	t.stats.Early++
	t.stats.Duplicate += uint64(t.insert(h, s))
	if t.held > t.cfg.MaxBytes {
		t.relieve()
	}
}

// finish notes a FIN behind the byte before end, unless bytes behind it were
// seen: then it was not this side who sent it.
func (h *half) finish(end int64, ack uint64, at packet.Time) {
	if end+1 == int64(h.next) && h.fresh() {
		h.starts(uint64(end)) // only what acknowledged the FIN, or followed it, was seen
	}
	if h.ended || end < int64(h.next) && !h.opening || h.fin != none && uint64(end) != h.fin || h.tail != nil && h.tail.end() > uint64(end) {
		return
	}
	if h.fin == none {
		h.finAt, h.finAck = at, ack
	}
	h.fin = uint64(end)
}

// acknowledge notes what p acknowledges of h, its peer's bytes, and returns the
// offset.
func (h *half) acknowledge(p *packet.Packet, sender *half) uint64 {
	if !h.known {
		// What the sender expects next is where the bytes go on. The answer to a
		// SYN tells the very beginning.
		h.setBase(p.TCP.Ack, p.TCP.Flags&packet.SYN == 0)
	}
	a := h.offset(p.TCP.Ack)
	o := uint64(a)
	if a < 0 || o > h.next && o > max(h.top, h.next, h.waived)+maxAck {
		return AckUnknown
	}
	if o > h.acked {
		h.acked = o
		if h.packets == 0 {
			h.starts(o) // nobody waits for a side that was not seen
		} else if h.hole() {
			// What the sender repeats it may have sent before it received those bytes.
			at := max(sender.top, sender.next, uint64(max(sender.offset(p.TCP.Seq), 0)))
			h.step(o, at, p.Time)
		}
	}
	return o
}

// syn places the beginning of side h by its SYN, unless what was seen of it
// tells otherwise. seq is the number of the first byte.
func (t *Table) syn(h, peer *half, seq uint32) {
	if !h.known {
		h.setBase(seq, false)
		return
	}
	by, ok := h.begins(seq)
	switch d := by - int64(h.next); {
	case !ok || !h.cut() && h.base == seq:
		return
	case h.pages == nil && (d > near || d < -near || by < 0):
		h.setBase(seq, false) // what was seen before did not belong here
		return
	}
	// Offsets that were counted from elsewhere are now counted from the SYN.
	shift := func(o *uint64) {
		if *o != none {
			*o -= min(*o, uint64(by))
		}
	}
	for i := range h.steps {
		shift(&h.steps[i].acked)
		shift(&peer.steps[i].at)
	}
	shift(&peer.lostBy)
	for g := h.pages; g != nil; g = g.next {
		shift(&g.off)
		shift(&g.start)
		shift(&g.stop)
	}
	for g := peer.pages; g != nil; g = g.next {
		shift(&g.ack)
	}
	shift(&h.top)
	shift(&h.acked)
	shift(&h.waived)
	shift(&h.fin)
	shift(&peer.finAck)
	h.base, h.mid, h.opening = seq, false, false
	h.starts(0)
}

// place finds the place of a side whose SYN was not seen, at its first packets.
func (h *half) place(p *packet.Packet) {
	known := h.known
	if !known {
		h.setBase(p.TCP.Seq, true)
	}
	o := h.offset(p.TCP.Seq)
	if d := o - int64(h.next); h.pages == nil && (d > near || d < -near && h.mid) {
		h.setBase(p.TCP.Seq, true)
		known, o = false, int64(h.next)
	}
	switch {
	case p.TCP.Flags&packet.RST != 0 || o < 0:
	case len(p.Payload)+p.Missing > 0 && known && h.mid && h.pages == nil && o == int64(h.next)+1:
		h.starts(uint64(o)) // what was seen before was a keep-alive probe
	case len(p.Payload)+p.Missing > 0:
		// Earlier segments may still come, late.
		h.opening = !known || o < int64(h.next) || o > int64(h.next) && h.packets == 1
		h.openAt = p.Time
	case h.fin == none && (o < int64(h.next) || h.packets == 1):
		h.starts(uint64(o))
		if h.hole() {
			h.step(h.acked, AckUnknown, p.Time)
		}
	}
}

// step notes that bytes were acknowledged before they were seen, by a packet
// whose sender had reached the offset at.
func (h *half) step(acked, at uint64, now packet.Time) {
	if h.behind == 0 {
		h.behind, h.nsteps = now, 0
	}
	for h.nsteps > 0 && h.steps[0].acked <= h.next {
		h.nsteps = uint8(copy(h.steps[:], h.steps[1:h.nsteps]))
	}
	if int(h.nsteps) < len(h.steps) {
		h.steps[h.nsteps] = step{acked, at}
		h.nsteps++
	}
}

// starts makes off the offset where the side begins.
func (h *half) starts(off uint64) { h.next, h.first = off, off }

// late counts a packet of a conversation that is over.
func (t *Table) late(c *conn, from Side, p *packet.Packet) {
	h, peer := &c.half[from], &c.half[from.Peer()]
	if !c.settled() || h.fin == none || peer.fin == none {
		t.touch(c, p.Time) // it may go on for long
	}
	if p.TCP.Flags&packet.ACK != 0 && peer.fin != none && peer.offset(p.TCP.Ack) == int64(peer.fin)+1 {
		peer.acked = peer.fin + 1
	}
	if c.state == vain && c.settled() {
		t.become(c, closed)
	}
	if n := uint64(len(p.Payload)); n > 0 {
		if h.known && h.offset(p.TCP.Seq) < int64(h.next) {
			t.stats.Duplicate += n
		} else {
			t.stats.AfterReset += n
		}
	}
}

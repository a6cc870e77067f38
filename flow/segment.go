package flow

import "github.com/passiflow/passiflow/packet"

// The bounds of what a segment or an acknowledgement may lie ahead of what was
// seen: more than any window in use, less than what would let one forged packet
// silence a conversation.
const (
	maxAhead = 1 << 28
	maxAck   = 1 << 26
	// near is how close the numbers of two packets must be to take one for a
	// copy of the other.
	near = 1 << 20
)

// Packet takes one parsed packet. Its Hash must be the symmetric hash of its
// ends.
func (t *Table) Packet(p *packet.Packet) {
	t.stats.Packets++
	if p.Proto != packet.TCP {
		t.datagram(p)
		return
	}
	t.stats.Payload += uint64(len(p.Payload))
	if p.Time > t.now {
		t.now = p.Time
	}
	if t.now >= t.sweep || t.dueAt != 0 && t.now >= t.dueAt || t.wakeAt != 0 && t.now >= t.wakeAt {
		t.expire()
	}
	c, from, twin := t.find(p)
	if c != nil && p.Time-c.last >= t.wait[c.state] {
		t.end(c, Idle)
		c, twin = nil, nil
	}
	if c == nil {
		if c, from = t.admit(p, twin); c == nil {
			return
		}
	} else if c.due != 0 && p.Time >= c.due {
		t.catchUp(c, p.Time)
	}
	t.touch(c, p.Time)
	if c.again || p.TCP.Flags&packet.SYN != 0 {
		if c, from = t.reuse(c, from, p); c == nil {
			return
		}
	}
	h, peer := &c.half[from], &c.half[from.Peer()]
	h.packets++
	h.payload += uint64(len(p.Payload))
	switch c.state {
	case halfOpen:
		if peer.packets > 0 {
			t.become(c, live)
		}
	case closed:
		t.late(h, p)
		return
	}
	flags := p.TCP.Flags
	seq := p.TCP.Seq
	if flags&packet.SYN != 0 {
		seq++
		t.syn(c, from, p)
	} else if !h.known {
		t.mid(c, from, p)
	}
	ack := uint64(AckUnknown)
	if flags&packet.ACK != 0 {
		ack = t.ack(peer, p, uint64(max(h.offset(seq), 0)))
	}
	if flags&packet.RST != 0 {
		t.stats.AfterReset += uint64(len(p.Payload))
		if d := h.offset(seq) - int64(h.next); d >= 0 && d <= near {
			t.become(c, dying)
		}
	} else if len(p.Payload)+p.Missing > 0 || flags&packet.FIN != 0 {
		t.segment(c, from, p, h.offset(seq), ack)
	}
	if h.pages != nil || peer.pages != nil || h.fin != none || peer.fin != none || h.opening || peer.opening {
		t.advance(c, p.Time)
	}
}

// segment takes the payload and the FIN of one packet.
func (t *Table) segment(c *conn, from Side, p *packet.Packet, off int64, ack uint64) {
	h, peer := &c.half[from], &c.half[from.Peer()]
	data, cut := p.Payload, p.Missing
	end := off + int64(len(data)+cut)
	if off > int64(h.next)+maxAhead || end < 0 {
		t.stats.OutOfWindow += uint64(len(data))
		return
	}
	if p.TCP.Flags&packet.FIN != 0 && !h.ended && end >= int64(h.next) && (h.fin == none || uint64(end) == h.fin) {
		if h.fin == none {
			h.finAt = p.Time
		}
		h.fin = uint64(end)
	}
	if len(data)+cut == 0 {
		return
	}
	if uint64(end) > h.top && end > 0 {
		h.top = uint64(end)
	}
	edge := true
	if !h.opening && off < int64(h.next) {
		k := int64(h.next) - off
		if k >= int64(len(data)+cut) {
			t.stats.Duplicate += uint64(len(data))
			return
		}
		n := min(int(k), len(data))
		t.stats.Duplicate += uint64(n)
		data = data[n:]
		cut -= int(k) - n
		off = int64(h.next)
		edge = false
	} else if off < 0 {
		t.stats.OutOfWindow += uint64(len(data))
		return
	}
	if h.ended {
		t.stats.AfterReset += uint64(len(data))
		return
	}
	if c.state == dying {
		t.become(c, live)
	}
	if h.fin != none && uint64(end) > h.fin {
		h.fin = none // whoever sent that FIN was not this side
	}
	o := uint64(off)
	if o == h.next && h.pages == nil && !h.opening && (ack == AckUnknown || ack <= peer.next || peer.packets == 0) {
		t.deliver(c, from, o, data, ack, p.Time, edge)
		if cut > 0 {
			t.skip(h, h.next+uint64(cut))
			t.stats.Cut += uint64(cut)
		}
		return
	}
	t.stats.Early++
	t.stats.Duplicate += uint64(t.insert(h, o, data, cut, ack, p.Time, edge))
}

// ack notes what p acknowledges of its peer's bytes, and returns the offset.
// at is the offset that the sender itself had reached.
func (t *Table) ack(peer *half, p *packet.Packet, at uint64) uint64 {
	if !peer.known {
		// What the sender expects next is where the peer's bytes go on. The
		// answer to a SYN tells the very beginning.
		syn := p.TCP.Flags&packet.SYN != 0
		peer.setBase(p.TCP.Ack, !syn)
	}
	a := peer.offset(p.TCP.Ack)
	if a < 0 || a > int64(max(peer.top, peer.next))+maxAck {
		return AckUnknown
	}
	o := uint64(a)
	if o > peer.acked {
		peer.acked = o
		if peer.hole() {
			if peer.behind == 0 {
				peer.behind, peer.nsteps = p.Time, 0
			}
			for peer.nsteps > 0 && peer.steps[0].acked <= peer.next {
				peer.nsteps = copy(peer.steps[:], peer.steps[1:peer.nsteps])
			}
			if peer.nsteps < len(peer.steps) {
				peer.steps[peer.nsteps] = step{o, at}
				peer.nsteps++
			}
		}
	}
	return o
}

// syn places the beginning of a side.
func (t *Table) syn(c *conn, from Side, p *packet.Packet) {
	h := &c.half[from]
	if h.known && (!h.mid || h.told || h.base+uint32(h.next) != p.TCP.Seq+1) {
		return
	}
	h.setBase(p.TCP.Seq+1, false)
}

// mid places a side whose beginning was not seen.
func (t *Table) mid(c *conn, from Side, p *packet.Packet) {
	h := &c.half[from]
	h.setBase(p.TCP.Seq, true)
	if len(p.Payload) > 0 {
		h.opening, h.openAt = true, p.Time
	}
}

// admit opens a conversation for a packet that belongs to none, or counts why
// not.
func (t *Table) admit(p *packet.Packet, twin *conn) (*conn, Side) {
	n := uint64(len(p.Payload))
	switch {
	case t.sample != ^uint64(0) && !t.sampled(p.Hash):
		t.stats.Unsampled += n
		t.stats.UnsampledPackets++
		return nil, 0
	case twin != nil && twin.copies(p):
		t.stats.Copies += n
		t.stats.CopyPackets++
		return nil, 0
	case p.TCP.Flags&packet.RST != 0:
		// Nothing follows a RST that belongs to nothing.
		t.stats.AfterReset += n
		return nil, 0
	case t.bytes > t.cfg.MaxBytes:
		t.stats.Refused += n
		t.stats.RefusedFlows++
		return nil, 0
	}
	if t.n >= t.cfg.MaxFlows {
		t.shed()
	}
	c, from := t.begin(p)
	return c, from
}

// sampled tells whether a conversation with this hash is looked at.
func (t *Table) sampled(hash uint64) bool {
	h := hash ^ t.cfg.Seed
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h < t.sample
}

// copies tells whether p, which came through another tunnel, is a copy of a
// packet of c: both its numbers are near those of c, and so is its time.
func (c *conn) copies(p *packet.Packet) bool {
	from := Client
	if p.Src != c.ends[Client] {
		from = Server
	}
	h, peer := &c.half[from], &c.half[from.Peer()]
	if d := p.Time.Sub(c.last); d > 1e9 || d < -1e9 || !h.known {
		return false
	}
	seq := p.TCP.Seq
	if p.TCP.Flags&packet.SYN != 0 {
		seq++
	}
	if d := h.offset(seq) - int64(h.next); d > near || d < -near {
		return false
	}
	if p.TCP.Flags&packet.ACK != 0 && peer.known {
		if d := peer.offset(p.TCP.Ack) - int64(peer.next); d > near || d < -near {
			return false
		}
	}
	return true
}

// late counts a packet of a conversation that is over.
func (t *Table) late(h *half, p *packet.Packet) {
	if n := uint64(len(p.Payload)); n > 0 {
		if h.offset(p.TCP.Seq) < int64(h.next) {
			t.stats.Duplicate += n
		} else {
			t.stats.AfterReset += n
		}
	}
}

// reuse looks whether p begins a new conversation between the same ends, and
// returns the conversation it belongs to.
func (t *Table) reuse(c *conn, from Side, p *packet.Packet) (*conn, Side) {
	h := &c.half[from]
	flags := p.TCP.Flags
	fresh := false
	if flags&(packet.SYN|packet.ACK) == packet.SYN {
		if h.known && h.base+uint32(boolBias(h.mid)) == p.TCP.Seq+1 && c.state != closed {
			return c, from // the same SYN again
		}
		switch {
		case c.state == closed && h.known && h.base == p.TCP.Seq+1:
			return c, from
		case c.state == closed || c.state == dying || c.half[0].ended || c.half[1].ended:
			fresh = true
		case c.state == halfOpen && !c.half[from].told && c.half[from.Peer()].packets == 0:
			fresh = h.known
		case h.known:
			// A forged SYN must not end a living conversation: wait for an answer to it.
			c.again, c.againFrom, c.againISN, c.againAt = true, from, p.TCP.Seq, p.Time
			h.packets++
			t.stats.OutOfWindow += uint64(len(p.Payload))
			return nil, 0
		}
	} else if c.again {
		if from == c.againFrom {
			fresh = p.TCP.Seq == c.againISN+1
		} else {
			fresh = flags&packet.ACK != 0 && p.TCP.Ack == c.againISN+1 && flags&packet.RST == 0
		}
	}
	if !fresh {
		return c, from
	}
	again, isn, at, client := c.again, c.againISN, c.againAt, c.againFrom
	t.stats.Reused++
	ends := c.ends
	t.end(c, Finished)
	if t.bytes > t.cfg.MaxBytes {
		t.stats.Refused += uint64(len(p.Payload))
		t.stats.RefusedFlows++
		return nil, 0
	}
	n, side := t.begin(p)
	if again && flags&(packet.SYN|packet.ACK) != packet.SYN {
		// It began with the SYN that was doubted.
		n.ends[Client], n.ends[Server] = ends[client], ends[client.Peer()]
		n.start, n.first = at, isn
		n.half[Client].setBase(isn+1, false)
		n.half[Client].packets = 1
		side = Client
		if p.Src != n.ends[Client] {
			side = Server
		}
	}
	return n, side
}

func boolBias(mid bool) int {
	if mid {
		return midBias
	}
	return 0
}

package flow

import "github.com/passiflow/passiflow/packet"

// deliver hands bytes that are next in order to the stream.
func (t *Table) deliver(c *conn, from Side, off uint64, data []byte, ack uint64, at packet.Time, edge bool) {
	h := &c.half[from]
	h.next = off + uint64(len(data))
	if was := h.behind; was != 0 {
		h.behind = 0
		if h.hole() {
			h.behind = max(was, at)
		}
	}
	h.delivered += uint64(len(data))
	t.stats.Delivered += uint64(len(data))
	if t.cfg.Digest {
		h.digest.write(data)
	}
	if !c.opened {
		c.opened = true
		if h.mid || c.half[from.Peer()].mid {
			t.stats.MidStream++
		}
		c.stream = t.open(c.makeFlow())
	}
	if c.stream == nil {
		return
	}
	for c.wake != 0 && at >= c.wake {
		t.setWake(c, c.stream.Tick(c.wake))
	}
	t.chunk = Chunk{From: from, Time: at, Offset: off, Ack: ack, Data: data, Edge: edge, Lost: h.lost, LostBy: h.lostBy, Mid: h.mid && !h.told, Peer: c.half[from.Peer()].packets > 0}
	h.lost = 0
	h.told = true
	t.setWake(c, c.stream.Chunk(&t.chunk))
}

// deliverEnd tells the end of a side.
func (t *Table) deliverEnd(c *conn, from Side, at packet.Time) {
	h := &c.half[from]
	h.ended = true
	if c.stream == nil {
		return
	}
	t.chunk = Chunk{From: from, Time: at, Offset: h.next, Ack: AckUnknown, Lost: h.lost, LostBy: h.lostBy, Mid: h.mid && !h.told, Peer: c.half[from.Peer()].packets > 0, End: true}
	h.lost = 0
	h.told = true
	t.setWake(c, c.stream.Chunk(&t.chunk))
}

// skip tells the bytes up to off as lost.
func (t *Table) skip(h *half, off uint64) {
	n := off - h.next
	if n == 0 {
		return
	}
	h.lostBy = AckUnknown
	for _, p := range h.steps[:h.nsteps] {
		if p.acked >= off {
			h.lostBy = p.at
			break
		}
	}
	h.lost += n
	h.missing += n
	t.stats.Lost += n
	t.stats.Gaps++
	if h.acked > h.next {
		t.stats.AckedUnseen += min(h.acked, off) - h.next
	}
	h.next = off
}

// advance delivers what can be delivered now, in causal order, and notes when
// to look again.
func (t *Table) advance(c *conn, now packet.Time) {
	for t.drain(c, Client, now) || t.drain(c, Server, now) {
	}
	t.setDue(c, now)
	if c.half[Client].ended && c.half[Server].ended && c.state != closed {
		t.finish(c, Finished)
	}
}

// catchUp does what became due up to now, each at its own time, so that the
// result does not depend on when it was looked at.
func (t *Table) catchUp(c *conn, now packet.Time) {
	for n := 0; c.due != 0 && now >= c.due && c.state != closed && n < 1000; n++ {
		t.advance(c, c.due)
	}
}

// drain delivers what side from holds as far as it may be delivered now, and
// tells whether that was anything.
func (t *Table) drain(c *conn, from Side, now packet.Time) (moved bool) {
	h, peer := &c.half[from], &c.half[from.Peer()]
	if h.opening {
		if h.pages == nil || now < h.openAt.Add(t.cfg.GapWait) {
			return false
		}
		h.opening = false
		h.next = h.pages.off
	}
	for g := h.pages; g != nil; g = h.pages {
		if g.off > h.next {
			if now < t.holeDue(h, g.time) && h.bytes <= t.cfg.MaxPending {
				return moved
			}
			t.skip(h, g.off)
			moved = true
		}
		if blocked(g, peer) && now < g.time.Add(t.cfg.GapWait) {
			return moved
		}
		t.take(c, from, now)
		moved = true
	}
	if h.fin != none && !h.ended {
		if h.fin > h.next {
			if now < t.holeDue(h, h.finAt) {
				return moved
			}
			t.skip(h, h.fin)
		}
		if h.fin == h.next && (h.acked > h.fin || peer.fin != none && peer.fin == peer.next || now >= h.finAt.Add(t.cfg.UnackedWait)) {
			t.deliverEnd(c, from, h.finAt)
			moved = true
		}
	}
	return moved
}

// take delivers the first page of a side.
func (t *Table) take(c *conn, from Side, now packet.Time) {
	h := &c.half[from]
	g := h.pages
	if h.pages = g.next; h.pages == nil {
		h.tail = nil
	}
	h.bytes -= len(g.data)
	if len(g.data) > 0 {
		t.deliver(c, from, g.off, g.data, g.ack, g.time, g.edge)
	}
	if g.cut > 0 {
		t.stats.Cut += uint64(g.cut)
		t.skip(h, h.next+uint64(g.cut))
	}
	t.freePage(g)
}

// blocked tells whether the sender of g had seen bytes of its peer that are
// still to come.
func blocked(g *page, peer *half) bool {
	return g.ack != AckUnknown && g.ack > peer.next && peer.packets > 0 && g.ack != peer.fin+1
}

// holeDue returns when the bytes before the first held one count as lost.
func (t *Table) holeDue(h *half, since packet.Time) packet.Time {
	due := since.Add(t.cfg.UnackedWait)
	if h.hole() && h.behind != 0 {
		due = min(due, max(h.behind, since).Add(t.cfg.GapWait))
	}
	return due
}

// setDue notes when advance must look at c again.
func (t *Table) setDue(c *conn, now packet.Time) {
	c.due = 0
	for s := Client; s <= Server; s++ {
		h, peer := &c.half[s], &c.half[s.Peer()]
		var due packet.Time
		switch g := h.pages; {
		case h.opening && g != nil:
			due = h.openAt.Add(t.cfg.GapWait)
		case g != nil && g.off > h.next:
			due = t.holeDue(h, g.time)
		case g != nil && blocked(g, peer):
			due = g.time.Add(t.cfg.GapWait)
		case h.fin == none || h.ended:
			continue
		case h.fin > h.next:
			due = t.holeDue(h, h.finAt)
		default:
			due = h.finAt.Add(t.cfg.UnackedWait)
		}
		if c.due == 0 || due < c.due {
			c.due = max(due, 1)
		}
	}
	if c.due == 0 || c.state == closed {
		return
	}
	if !c.short {
		c.short = true
		t.short = append(t.short, c)
	}
	if t.dueAt == 0 || c.due < t.dueAt {
		t.dueAt = c.due
	}
}

func (t *Table) setWake(c *conn, wake packet.Time) {
	if wake == c.wake {
		return
	}
	c.wake = wake
	if wake == 0 {
		return
	}
	if !c.long {
		c.long = true
		t.long = append(t.long, c)
	}
	if t.wakeAt == 0 || wake < t.wakeAt {
		t.wakeAt = wake
	}
}

// flush delivers all that c holds, as if every wait were over, still in causal
// order.
func (t *Table) flush(c *conn) {
	h := &c.half
	for s := Client; s <= Server; s++ {
		if h[s].opening {
			h[s].opening = false
			if h[s].pages != nil {
				h[s].next = h[s].pages.off
			}
		}
	}
	for {
		for t.drain(c, Client, t.now) || t.drain(c, Server, t.now) {
		}
		// Force the older of the two first pages.
		from, g := Client, h[Client].pages
		if o := h[Server].pages; o != nil && (g == nil || o.time < g.time) {
			from, g = Server, o
		}
		if g == nil {
			break
		}
		t.skip(&h[from], g.off)
		t.take(c, from, t.now)
	}
	for s := Client; s <= Server; s++ {
		if x := &h[s]; x.fin != none && !x.ended {
			t.skip(x, max(x.fin, x.next))
			t.deliverEnd(c, s, x.finAt)
		}
	}
}

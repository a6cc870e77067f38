package flow

import "github.com/passiflow/passiflow/packet"

// deliver hands bytes that are next in order to the stream.
func (t *Table) deliver(c *conn, from Side, off uint64, data []byte, ack uint64, at packet.Time, edge bool) {
	h, peer := &c.half[from], &c.half[from.Peer()]
	h.next = off + uint64(len(data))
	if h.behind != 0 {
		if h.hole() {
			h.behind = max(h.behind, at)
		} else {
			h.behind = 0
		}
	}
	h.delivered += uint64(len(data))
	t.stats.Delivered += uint64(len(data))
	if t.cfg.Digest {
		h.digest.write(data)
	}
	if !c.opened {
		t.begun(c, from, at)
	}
	if c.stream == nil {
		return
	}
	if peer.lost != 0 {
		t.tell(c, from.Peer(), at, false)
	}
	if ack > peer.fin && ack != AckUnknown {
		ack = peer.fin // the one more is the FIN
	}
	// Field by field: a literal would be made beside it and copied.
	k := &t.chunk
	k.From, k.Time, k.Offset, k.Ack, k.Data = from, at, off, ack, data
	k.Edge, k.Peer, k.Mid, k.End, k.Lost, k.LostBy = edge, c.state == live || peer.packets > 0, false, false, 0, AckUnknown
	if h.lost != 0 {
		k.Lost, k.LostBy = h.lost, h.lostBy
		h.lost = 0
	}
	if !h.told {
		h.told, k.Mid = true, h.cut()
	}
	if wake := c.stream.Chunk(&t.chunk); wake != c.wake {
		t.setWake(c, wake)
	}
}

// begun opens the stream of c, whose first bytes came from side from.
func (t *Table) begun(c *conn, from Side, at packet.Time) {
	c.opened = true
	if c.half[Client].cut() || c.half[Server].cut() {
		t.stats.MidStream++
	}
	c.stream = t.open(c.makeFlow())
	if peer := from.Peer(); c.stream != nil && c.half[peer].ended {
		t.tell(c, peer, at, true)
	}
}

// tell hands a gap that nothing follows yet to the stream, or the end of a side.
func (t *Table) tell(c *conn, from Side, at packet.Time, end bool) {
	h := &c.half[from]
	t.chunk = Chunk{From: from, Time: at, Offset: h.next, Ack: AckUnknown, Lost: h.lost, LostBy: h.lostBy, Mid: h.cut() && !h.told, Peer: c.half[from.Peer()].packets > 0, End: end}
	h.lost, h.told = 0, true
	t.setWake(c, c.stream.Chunk(&t.chunk))
}

// setWake notes when the stream wants Tick.
func (t *Table) setWake(c *conn, wake packet.Time) {
	c.wake = max(wake, 0)
	if c.wake != 0 {
		t.schedule(c)
	}
}

// skip tells the bytes up to off as lost; cut says that the snaplen cut them.
func (t *Table) skip(h *half, off uint64, cut bool) {
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
	if cut {
		t.stats.Cut += n
	} else {
		t.stats.Gaps++
		if h.acked > h.next {
			t.stats.AckedUnseen += min(h.acked, off) - h.next
		}
	}
	h.next = off
	if !h.hole() {
		h.behind = 0
	}
}

// advance delivers what can be delivered at the time now, in causal order, and
// notes when to look again.
func (t *Table) advance(c *conn, now packet.Time) {
	for {
		client, a := t.drain(c, Client, now)
		server, b := t.drain(c, Server, now)
		if client || server {
			continue
		}
		// What is still due waits for bytes of the other side that it had
		// acknowledged, and has waited long enough. The older goes first.
		from := Client
		if b < a {
			from, a = Server, b
		}
		if a > now {
			c.due = 0
			if a != never {
				c.due = max(a, 1)
			}
			break
		}
		c.half[from.Peer()].waived = c.half[from].waitsFor()
	}
	switch {
	case c.half[Client].ended && c.half[Server].ended && !c.state.over():
		t.finish(c, Finished)
	case c.due != 0:
		t.schedule(c)
	}
}

// waitsFor returns what the next that h holds had acknowledged.
func (h *half) waitsFor() uint64 {
	if h.pages != nil {
		return h.pages.ack
	}
	return h.finAck
}

// drain delivers what side from holds as far as it may be delivered at the time
// now. It tells whether that was anything, and else when to look again.
func (t *Table) drain(c *conn, from Side, now packet.Time) (moved bool, due packet.Time) {
	h, peer := &c.half[from], &c.half[from.Peer()]
	for g := h.pages; g != nil; g = h.pages {
		// At a bound nothing is waited for.
		full := t.hurry || h.held > t.cfg.MaxPending || t.held > t.cfg.MaxBytes+t.cfg.MaxBytes/4
		switch {
		case h.opening:
			if due := h.openAt.Add(t.cfg.GapWait); now < due && !full {
				return moved, due
			}
			h.opened(g.off)
		case g.off > h.next:
			if due := t.holeDue(h, g.time); now < due && !full {
				return moved, due
			}
			t.skip(h, h.gone(g.off, now < g.time.Add(t.cfg.UnackedWait) && !full), false)
		case peer.waits(g.ack) && !full:
			return moved, t.waitDue(peer, g.time)
		default:
			t.take(c, from)
		}
		moved = true
	}
	if h.fin == none || h.ended {
		return moved, never
	}
	if h.fin > h.next {
		if due := t.holeDue(h, h.finAt); now < due {
			return moved, due
		}
		off := h.gone(h.fin, now < h.finAt.Add(t.cfg.UnackedWait))
		if t.skip(h, off, false); off < h.fin {
			return true, t.holeDue(h, h.finAt)
		}
		moved = true
	}
	if peer.waits(h.finAck) {
		return moved, t.waitDue(peer, h.finAt)
	}
	if h.acked <= h.fin && (peer.fin == none || peer.fin != peer.next) {
		if due := h.finAt.Add(t.cfg.UnackedWait); now < due {
			return moved, due
		}
	}
	h.ended = true
	if c.stream != nil {
		t.tell(c, from, h.finAt, true)
	}
	return true, never
}

// opened ends the wait for an earlier first segment: the side begins at off.
func (h *half) opened(off uint64) {
	h.opening = false
	h.starts(off)
	if !h.hole() {
		h.behind = 0
	}
}

// take delivers the first page of a side.
func (t *Table) take(c *conn, from Side) {
	h := &c.half[from]
	g := h.pages
	h.unlink(nil, g)
	t.bytes -= len(g.data)
	if len(g.data) > 0 {
		t.deliver(c, from, g.off, g.data, g.ack, g.time, g.edge)
	}
	if g.cut > 0 {
		t.skip(h, h.next+uint64(g.cut), true)
	}
	t.freePage(g)
}

// gone returns up to where the bytes before off, whose wait is over, count as
// lost. What nobody acknowledged may still come while patient.
func (h *half) gone(off uint64, patient bool) uint64 {
	if patient && h.hole() {
		return min(off, h.acked)
	}
	return off
}

// holeDue returns when the bytes before the first held one count as lost.
func (t *Table) holeDue(h *half, since packet.Time) packet.Time {
	due := since.Add(t.cfg.UnackedWait)
	if h.behind != 0 && h.hole() {
		due = min(due, max(h.behind, since).Add(t.cfg.GapWait))
	}
	return due
}

// waitDue returns until when what was captured at the time since waits for bytes
// of peer that it had acknowledged.
func (t *Table) waitDue(peer *half, since packet.Time) packet.Time {
	if peer.opening {
		since = max(since, peer.openAt)
	}
	return since.Add(t.cfg.GapWait)
}

// catchUp does what became due up to now, each at its own time, so that the
// result does not depend on when it was looked at.
func (t *Table) catchUp(c *conn, now packet.Time) {
	for !c.state.over() {
		switch {
		case c.wake != 0 && c.wake <= now && (c.due == 0 || c.wake <= c.due):
			at := c.wake
			if c.wake = c.stream.Tick(at); c.wake <= at {
				c.wake = 0
			}
		case c.due != 0 && c.due <= now:
			at := c.due
			if t.advance(c, at); c.due <= at {
				c.due = 0
			}
		default:
			t.reschedule(c)
			return
		}
	}
}

// flush delivers all that c holds, as if time went on without packets.
func (t *Table) flush(c *conn) {
	for c.due != 0 && !c.state.over() {
		at := c.due
		if t.advance(c, at); c.due <= at {
			c.due = 0
		}
	}
}

package flow

import "github.com/passiflow/passiflow/packet"

// Advance tells that every packet up to now was given. Called with the same time
// on every table of a source, and then Close, it makes the end of a run the same
// with any number of tables.
func (t *Table) Advance(now packet.Time) {
	t.now = max(t.now, now)
	t.expire(t.now)
}

// Pass tells that the packets given from now on are not older than now, as far
// as packets come in order. Unlike Advance it leaves room for some that do not.
func (t *Table) Pass(now packet.Time) {
	if now > t.now {
		if t.now = now; now >= t.alarm {
			t.expire(now - slack)
		}
	}
}

// Close ends every conversation, the oldest first.
func (t *Table) Close() {
	t.expire(t.now)
	for s := range t.lists {
		for c := t.lists[s].head; c != nil; c = t.lists[s].head {
			if !t.overdue(c, t.now) {
				t.end(c, Stopped, t.now)
			}
		}
	}
}

// expire does what became due up to now.
func (t *Table) expire(now packet.Time) {
	for len(t.timers) > 0 && t.timers[0].at <= now {
		c := t.timers[0].c
		if !t.overdue(c, now) {
			t.catchUp(c, now)
		}
	}
	if now >= t.sweep {
		t.sweep = now + sweepEvery
		t.idle(now)
	}
	t.setAlarm()
}

// idle closes what had no packet for too long. The lists are in order to within
// a second; see touch.
func (t *Table) idle(now packet.Time) {
	for s := range t.lists {
		for c := t.lists[s].head; c != nil && now-c.moved >= t.wait[s]+1e9; c = t.lists[s].head {
			if moved := c.moved; s == int(closed) && !c.settled() {
				t.become(c, vain)
				c.moved = moved
			} else if !t.overdue(c, now) {
				t.become(c, c.state) // it waits in another list now, or was touched since
			}
		}
	}
}

// gone ends c, which has a packet of the time now, if it had none for too long
// before, by its own time or by that of the table. A packet that comes out of
// order by more than the timeouts finds the same whether or not idle was there.
func (t *Table) gone(c *conn, now packet.Time) bool {
	if now-c.last < t.least && t.now-c.moved < t.least {
		return false
	}
	return t.outlived(c, now)
}

func (t *Table) outlived(c *conn, now packet.Time) bool {
	return t.overdue(c, now) || t.now-slack-c.moved >= t.waits(c)+1e9 && t.overdue(c, t.now-slack)
}

// overdue ends c if it had no packet for too long, and tells whether it did. One
// that was reset is then remembered as long as one that finished.
func (t *Table) overdue(c *conn, now packet.Time) bool {
	until := c.last + t.waits(c)
	if now < until {
		return false
	}
	if c.state == dying && t.wait[closed] > t.wait[dying] {
		moved := c.moved
		t.close(c, Idle, until)
		c.moved = moved // when it was looked at says nothing
		return t.overdue(c, now)
	}
	t.end(c, Idle, until)
	return true
}

// forget lets go of a finished conversation if too many are remembered.
func (t *Table) forget() {
	if t.counts[closed]+t.counts[vain] <= t.cfg.MaxOver {
		return
	}
	for _, s := range [...]state{closed, vain} {
		if c := t.lists[s].head; c != nil {
			t.end(c, Finished, c.last)
			return
		}
	}
}

// shed makes room for one conversation: one that is over first, then the
// half-open, then the oldest idle.
func (t *Table) shed() {
	for _, s := range [...]state{closed, vain, dying, halfOpen, live} {
		if c := t.lists[s].head; c != nil {
			switch s {
			case closed, vain, dying:
				t.end(c, Finished, c.last)
			case halfOpen:
				t.stats.EvictedHalfOpen++
				t.end(c, Evicted, c.last)
			default:
				t.end(c, Evicted, c.last)
			}
			return
		}
	}
}

// finish closes the stream of c; c stays to absorb late packets.
func (t *Table) finish(c *conn, r Reason) {
	if r == Idle && c.state == dying {
		r = Finished
	}
	c.why = r
	switch r {
	case Finished:
		t.stats.Finished++
	case Idle:
		t.stats.Idle++
	case Evicted:
		t.stats.Evicted++
	case Stopped:
		t.stats.Stopped++
	}
	for s := Client; s <= Server; s++ {
		h := &c.half[s]
		if n := min(h.acked, h.fin); n > h.next+1 && h.packets > 0 { // one more may be a FIN
			t.stats.AckedUnseen += n - h.next
		}
		if h.lost > 0 && c.stream != nil {
			t.tell(c, s, c.last, false)
		}
	}
	if c.stream != nil {
		c.stream.Close(r)
		c.stream = nil
	}
	c.wake, c.due = 0, 0
	t.unschedule(c)
	t.become(c, closed)
}

// close closes the stream of c after what was due until then.
func (t *Table) close(c *conn, r Reason, until packet.Time) {
	if c.at <= until {
		t.catchUp(c, until)
	}
	t.flush(c)
	if !c.state.over() {
		t.finish(c, r)
	}
}

// end takes c out of the table, after what was due until then.
func (t *Table) end(c *conn, r Reason, until packet.Time) {
	t.close(c, r, until)
	if t.done != nil {
		s := &Summary{Flow: c.makeFlow(), End: c.last, Reason: c.why, HalfOpen: c.half[Client].packets == 0 || c.half[Server].packets == 0, HasDigest: t.cfg.Digest}
		for i := range c.half {
			h := &c.half[i]
			s.Packets[i], s.Bytes[i], s.Delivered[i], s.Lost[i] = h.packets, h.payload, h.delivered, h.missing
			if t.cfg.Digest {
				s.Digest[i] = h.digest.sum()
			}
		}
		t.done(s)
	}
	t.drop(c)
	t.lists[c.state].remove(c)
	t.counts[c.state]--
	if t.spares < maxSpare {
		c.flow, c.behind = nil, t.spare
		t.spare = c
		t.spares++
	}
}

// maxSpare is how many conversations are kept for reuse.
const maxSpare = 4096

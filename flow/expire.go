package flow

import "github.com/passiflow/passiflow/packet"

// Advance tells that time has passed without packets.
func (t *Table) Advance(now packet.Time) {
	if now > t.now {
		t.now = now
		t.expire()
	}
}

// Close ends every conversation, the oldest first.
func (t *Table) Close() {
	for s := range t.lists {
		for c := t.lists[s].head; c != nil; c = t.lists[s].head {
			t.end(c, Stopped)
		}
	}
	t.short, t.long = nil, nil
}

// expire does what became due.
func (t *Table) expire() {
	if t.dueAt != 0 && t.now >= t.dueAt {
		t.dueAt = 0
		keep := t.short[:0]
		// advance never adds to t.short here: each has its flag set.
		for _, c := range t.short {
			if c.due != 0 && t.now >= c.due && c.state != closed {
				t.catchUp(c, t.now)
			}
			if c.due == 0 || c.state == closed {
				c.short = false
				continue
			}
			keep = append(keep, c)
			if t.dueAt == 0 || c.due < t.dueAt {
				t.dueAt = c.due
			}
		}
		clear(t.short[len(keep):])
		t.short = keep
	}
	if t.wakeAt != 0 && t.now >= t.wakeAt {
		t.wakeAt = 0
		keep := t.long[:0]
		for _, c := range t.long {
			if c.stream != nil {
				for c.wake != 0 && t.now >= c.wake {
					c.wake = c.stream.Tick(c.wake)
				}
			}
			if c.wake == 0 || c.state == closed {
				c.long = false
				continue
			}
			keep = append(keep, c)
			if t.wakeAt == 0 || c.wake < t.wakeAt {
				t.wakeAt = c.wake
			}
		}
		clear(t.long[len(keep):])
		t.long = keep
	}
	if t.now >= t.sweep {
		t.sweep = t.now.Add(250e6)
		t.idle()
	}
}

// idle closes what had no packet for too long.
func (t *Table) idle() {
	for s := range t.lists {
		for c := t.lists[s].head; c != nil; {
			next := c.behind
			if t.now-c.moved < t.wait[s] {
				break
			}
			if t.now-c.last >= t.wait[s] {
				t.end(c, Idle)
			} else { // it had packets since, within the second that touch allows
				t.lists[s].remove(c)
				t.lists[s].push(c)
				c.moved = t.now
			}
			c = next
		}
	}
}

// shed makes room for one conversation: one that is over first, then the
// half-open, then the oldest idle.
func (t *Table) shed() {
	for _, s := range [...]state{closed, dying, halfOpen, live} {
		if c := t.lists[s].head; c != nil {
			if s == closed || s == dying {
				t.end(c, Finished)
				return
			}
			if s == halfOpen {
				t.stats.EvictedHalfOpen++
			}
			t.end(c, Evicted)
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
	for s := Client; s <= Server; s++ {
		if h := &c.half[s]; h.hole() && h.packets > 0 {
			t.stats.AckedUnseen += min(h.acked, h.fin) - min(h.next, h.fin, h.acked)
		}
	}
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
	if c.stream != nil {
		c.stream.Close(r)
		c.stream = nil
	}
	c.wake, c.due = 0, 0
	t.become(c, closed)
}

// end takes c out of the table.
func (t *Table) end(c *conn, r Reason) {
	if c.state != closed {
		t.flush(c)
		t.finish(c, r)
	}
	if t.done != nil {
		s := Summary{Flow: c.makeFlow(), End: c.last, Reason: c.why, HasDigest: t.cfg.Digest}
		for i := range c.half {
			h := &c.half[i]
			s.Packets[i], s.Bytes[i], s.Delivered[i], s.Lost[i] = h.packets, h.payload, h.delivered, h.missing
			if t.cfg.Digest {
				s.Digest[i] = h.digest.sum()
			}
		}
		t.done(&s)
	}
	t.drop(c)
	t.lists[c.state].remove(c)
	t.counts[c.state]--
	// A conversation still in a list of deadlines is not reused.
	if !c.short && !c.long && t.spares < maxFree {
		*c = conn{behind: t.spare}
		t.spare = c
		t.spares++
	}
}

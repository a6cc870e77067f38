package flow

import "github.com/passiflow/passiflow/packet"

// look is how many timers are looked at for a conversation that waits.
const look = 16

// relieve makes room at the byte budget: conversations that have long been
// waiting for missing bytes wait no longer. What was only captured out of order
// has come by then, so that this meets those who lost a packet, or never sent
// it: nobody who sends bytes without a beginning can keep others out. It tells
// whether there is room.
func (t *Table) relieve() bool {
	for t.held > t.cfg.MaxBytes {
		c := t.waitsLongest()
		if c == nil {
			return false
		}
		t.stats.Hurried++
		t.hurry = true
		t.advance(c, t.now)
		t.hurry = false
		t.reschedule(c)
	}
	return true
}

// waitsLongest returns a conversation that has been waiting for longer than
// disorder lasts, nearly the one that has for longest; nil if there is none.
// Whoever waits has a timer, and those that ring first stand in front.
func (t *Table) waitsLongest() (longest *conn) {
	since := t.now - packet.Time(t.cfg.GapWait)
	for i := range t.timers[:min(look, len(t.timers))] {
		c := t.timers[i].c
		for k := range c.half {
			if g := c.half[k].pages; g != nil && g.time < since {
				longest, since = c, g.time
			}
		}
	}
	return longest
}

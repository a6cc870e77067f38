package flow

import (
	"math"

	"github.com/passiflow/passiflow/packet"
)

const (
	// never is a time that does not come.
	never = packet.Time(math.MaxInt64)
	// slack is how far the timers of the table stay behind the newest packet. A
	// packet moves the clock of its own conversation only; what it brings does
	// not depend on when the table was swept unless it comes later than this.
	slack = packet.Time(100e6)
	// sweepEvery is how often the table looks for idle conversations.
	sweepEvery = packet.Time(250e6)
)

// timer is a place in the heap of timers. It may ring too early, never too
// late: a conversation that is to be looked at later than it was stays where it
// is until then.
type timer struct {
	at packet.Time
	c  *conn
}

// next returns when c must be looked at.
func (c *conn) next() packet.Time {
	at := never
	if c.due != 0 {
		at = c.due
	}
	if c.wake != 0 && c.wake < at {
		at = c.wake
	}
	return at
}

// schedule makes the timer of c ring in time.
func (t *Table) schedule(c *conn) {
	at := c.next()
	if at >= c.at {
		return
	}
	if c.timer == 0 {
		t.timers = append(t.timers, timer{})
		c.timer = len(t.timers)
	}
	c.at = at
	t.rise(c.timer-1, timer{at, c})
	t.setAlarm()
}

// reschedule sets the timer of c, which rang.
func (t *Table) reschedule(c *conn) {
	at := c.next()
	switch {
	case at == never:
		t.unschedule(c)
	case c.timer == 0 || at < c.at:
		t.schedule(c)
	case at > c.at:
		c.at = at
		t.sink(c.timer-1, timer{at, c})
		t.setAlarm()
	}
}

// unschedule takes c out of the heap.
func (t *Table) unschedule(c *conn) {
	if c.timer == 0 {
		return
	}
	i, last := c.timer-1, len(t.timers)-1
	x := t.timers[last]
	t.timers[last] = timer{}
	t.timers = t.timers[:last]
	c.timer, c.at = 0, never
	if i < last {
		if i > 0 && x.at < t.timers[(i-1)/2].at {
			t.rise(i, x)
		} else {
			t.sink(i, x)
		}
	}
	t.setAlarm()
}

// rise puts x at place i of the heap, or nearer to its top.
func (t *Table) rise(i int, x timer) {
	for i > 0 {
		up := (i - 1) / 2
		if t.timers[up].at <= x.at {
			break
		}
		t.put(i, t.timers[up])
		i = up
	}
	t.put(i, x)
}

// sink puts x at place i of the heap, or farther from its top.
func (t *Table) sink(i int, x timer) {
	for {
		down := 2*i + 1
		if down >= len(t.timers) {
			break
		}
		if r := down + 1; r < len(t.timers) && t.timers[r].at < t.timers[down].at {
			down = r
		}
		if x.at <= t.timers[down].at {
			break
		}
		t.put(i, t.timers[down])
		i = down
	}
	t.put(i, x)
}

func (t *Table) put(i int, x timer) {
	t.timers[i] = x
	x.c.timer = i + 1
}

// setAlarm notes at which packet's time the table must look at its timers.
func (t *Table) setAlarm() {
	t.alarm = t.sweep
	if len(t.timers) > 0 {
		t.alarm = min(t.alarm, t.timers[0].at)
	}
	t.alarm += slack
}

package pairing

import "testing"

// TestNoWrongPairWhenStopped is for captures that end in the middle of a
// conversation, after any segment: what would have refuted a pair may be among
// what was not waited for.
func TestNoWrongPairWhenStopped(t *testing.T) {
	o := newObserver()
	runs := 0
	for seed := range 300 {
		c := newConversation(uint64(seed))
		c.open()
		pairs := false
		switch seed % 4 {
		case 0:
			c.takeTurns(4 + c.r.IntN(2))
		case 1:
			c.burst(2 + c.r.IntN(3))
			c.takeTurns(c.r.IntN(2))
		default:
			c.takeTurns(c.r.IntN(2))
			c.late = seed%8 == 7
			c.slide(4 + c.r.IntN(4))
			pairs = seed < 100
		}
		check := func(n int, drop ...int) {
			runs++
			if _, fault := judge(c, o.see(c, drop...)); fault != "" {
				t.Errorf("conversation %d: the first %d segments without %v: %s", seed, n, drop, fault)
			}
		}
		segments, bytes := c.segments, c.bytes
		for n := 4; n < len(segments) && !t.Failed(); n++ {
			c.segments, c.bytes = segments[:n], bytes[:n]
			for i := range n {
				check(n, i)
				for j := 0; pairs && j < i; j++ {
					check(n, j, i)
				}
			}
		}
	}
	t.Logf("%d runs", runs)
}

// TestFromTheMiddle holds that a capture of one or a few exchanges in a
// connection that was there before, and goes on, tells them joined.
func TestFromTheMiddle(t *testing.T) {
	o := newObserver()
	for seed := range 100 {
		c := newConversation(uint64(seed))
		n := 1 + seed%4
		c.takeTurns(n)
		right, fault := judge(c, o.see(c))
		if fault != "" || len(right) != n {
			t.Errorf("conversation %d: %d of %d joined %s", seed, len(right), n, fault)
		}
	}
}

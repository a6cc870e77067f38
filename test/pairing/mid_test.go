package pairing

import "testing"

// TestNoWrongPairInWindow captures conversations from any segment on. Those of
// clients that take turns may also stop at any segment; the others are seen to
// their end, and TestWindowHole counts what comes of them otherwise.
func TestNoWrongPairInWindow(t *testing.T) {
	o := newObserver()
	runs := 0
	for seed := range 400 {
		c, turns := windowed(seed)
		segments, bytes := c.segments, c.bytes
		for a := 3; a < len(segments); a++ {
			for b := a + 1; b <= len(segments); b++ {
				if !turns && b < len(segments) {
					continue
				}
				c.segments, c.bytes = segments[a:b], bytes[a:b]
				runs++
				if _, fault := judge(c, o.see(c)); fault != "" {
					t.Errorf("conversation %d, segments %d to %d of %d: %s", seed, a, b, len(segments), fault)
				}
			}
		}
	}
	t.Logf("%d runs", runs)
}

// windowed makes the conversations of both tests: a quarter take turns, a
// quarter send bursts, and half always have one request more on their way.
func windowed(seed int) (c *conversation, turns bool) {
	c = newConversation(uint64(seed))
	c.open()
	switch seed % 4 {
	case 0:
		c.takeTurns(5)
	case 1:
		c.burst(2 + c.r.IntN(3))
		c.takeTurns(c.r.IntN(2))
	default:
		c.takeTurns(c.r.IntN(2))
		c.slide(4 + c.r.IntN(4))
	}
	c.close()
	return c, seed%4 == 0
}

// TestWindowHole counts the wrong pairs in captures of any clients that begin
// and stop anywhere: the hole that RATIONALE.md names. It holds that clients
// that take turns have no part in it, and that it does not grow.
func TestWindowHole(t *testing.T) {
	const known = 11_376
	o := newObserver()
	runs, bad := 0, 0
	for seed := range 400 {
		c, turns := windowed(seed)
		segments, bytes := c.segments, c.bytes
		for a := 3; a < len(segments); a++ {
			for b := a + 1; b <= len(segments); b++ {
				c.segments, c.bytes = segments[a:b], bytes[a:b]
				runs++
				for _, x := range o.see(c) {
					if q, p := x.Request, x.Response; q == nil || p == nil || id(q) == id(p) {
						continue
					}
					if bad++; turns {
						t.Errorf("conversation %d takes turns, segments %d to %d: a wrong pair", seed, a, b)
					}
					break
				}
			}
		}
	}
	t.Logf("%d of %d windows hold a wrong pair", bad, runs)
	if bad > known {
		t.Errorf("%d windows hold a wrong pair, more than the %d known: RATIONALE.md names the hole", bad, known)
	}
}

package pairing

import "testing"

// TestNoWrongPairInWindow captures conversations from any segment on. Those of
// clients that take turns may also stop at any segment; the others are seen to
// their end: what a capture of a pipelining client shows that begins in its
// middle and stops is in RATIONALE.md, as the hole that is left.
func TestNoWrongPairInWindow(t *testing.T) {
	o := newObserver()
	runs := 0
	for seed := range 400 {
		c := newConversation(uint64(seed))
		c.open()
		turns := seed%4 == 0
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

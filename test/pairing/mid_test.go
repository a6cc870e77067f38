package pairing

import (
	"testing"

	"github.com/passiflow/passiflow/protocol"
)

// TestNoWrongPairInWindow captures conversations from any segment on. Those of
// clients that take turns may also stop at any segment; the others are seen to
// their end, and TestWindow holds what comes of them otherwise.
func TestNoWrongPairInWindow(t *testing.T) {
	o := newObserver()
	runs := 0
	for seed := range 400 {
		c, turns := windowed(seed, 0)
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
func windowed(seed int, slow int) (c *conversation, turns bool) {
	c = newConversation(uint64(seed))
	c.slow = slow
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

// found is what a run over windows found.
type found struct{ windows, wrong, marked, pairs int }

// look runs over all windows of the conversations.
func look(t *testing.T, how protocol.Pairing, conversations int, slow int) (turns, all found) {
	o := observing(how)
	for seed := range conversations {
		c, taking := windowed(seed, slow)
		segments, bytes := c.segments, c.bytes
		for a := 3; a < len(segments); a++ {
			for b := a + 1; b <= len(segments); b++ {
				c.segments, c.bytes = segments[a:b], bytes[a:b]
				var f found
				for _, x := range o.see(c) {
					q, p := x.Request, x.Response
					if q == nil || p == nil {
						continue
					}
					f.pairs++
					if x.Presumed {
						f.marked++
					}
					if id(q) != id(p) {
						f.wrong = 1
						if !x.Presumed {
							t.Errorf("conversation %d, segments %d to %d of %d: a wrong pair that is not marked", seed, a, b, len(segments))
						}
					}
				}
				f.windows = 1
				all.add(f)
				if taking {
					turns.add(f)
				}
			}
		}
	}
	return turns, all
}

func (f *found) add(o found) {
	f.windows += o.windows
	f.wrong += o.wrong
	f.marked += o.marked
	f.pairs += o.pairs
}

// TestWindow is for captures of any clients that begin and stop anywhere. A
// wrong pair is marked as presumed, as long as no answer takes longer than the
// answer wait; where only proof is wanted there is none, however long they take;
// and clients that take turns have none of either kind.
func TestWindow(t *testing.T) {
	for _, x := range []struct {
		how           protocol.Pairing
		slow          int // seconds
		conversations int
	}{{protocol.Likely, 0, 400}, {protocol.Likely, 25, 160}, {protocol.Proven, 0, 120}, {protocol.Proven, 120, 120}} {
		if testing.Short() {
			x.conversations = 60
		}
		turns, all := look(t, x.how, x.conversations, x.slow)
		t.Logf("proven only: %v, answers of up to %d s: %d of %d windows hold a wrong pair; %d of %d pairs are marked; where clients take turns %d of %d",
			x.how == protocol.Proven, x.slow, all.wrong, all.windows, all.marked, all.pairs, turns.marked, turns.pairs)
		if turns.wrong > 0 {
			t.Errorf("%d wrong pairs of clients that take turns", turns.wrong)
		}
		if x.how == protocol.Proven && all.wrong+all.marked > 0 {
			t.Errorf("%d wrong and %d marked pairs where only proof is wanted", all.wrong, all.marked)
		}
	}
}

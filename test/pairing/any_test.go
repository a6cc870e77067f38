package pairing

import (
	"math/rand/v2"
	"testing"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
)

// TestAnyCapture is for captures that begin and stop anywhere and miss up to
// four segments, of any clients and slow servers, chosen at random: no wrong
// pair that is not marked, and none where only proof is wanted.
func TestAnyCapture(t *testing.T) {
	runs := 20_000
	if testing.Short() {
		runs = 2000
	}
	for _, how := range []protocol.Pairing{protocol.Likely, protocol.Proven} {
		o := observing(how)
		r := rand.New(rand.NewPCG(4, 4))
		var f found
		for n := range runs {
			slow := n % 2 * 25 // seconds, less than the answer wait
			if how == protocol.Proven {
				slow *= 5
			}
			seed := r.IntN(100_000)
			c, _ := windowed(seed, slow)
			from, to := 0, len(c.segments)
			if r.IntN(3) > 0 {
				from = r.IntN(to - 1)
			}
			if r.IntN(2) == 0 {
				to = from + 1 + r.IntN(to-from)
			}
			c.segments, c.bytes = c.segments[from:to], c.bytes[from:to]
			var drop []int
			for range r.IntN(5) {
				drop = append(drop, r.IntN(to-from))
			}
			for _, x := range o.see(c, drop...) {
				if x.Request == nil || x.Response == nil {
					continue
				}
				f.pairs++
				if x.Presumed {
					f.marked++
				}
				for _, m := range append([]*message.Message{x.Response}, x.Interim...) {
					if i, j := id(x.Request), id(m); i == "" || j == "" || i == j {
						continue
					}
					if f.wrong++; !x.Presumed || how == protocol.Proven {
						t.Errorf("proven only: %v: conversation %d (slow: %d s), segments %d to %d without %v: request %s joined to the answer to %s",
							how == protocol.Proven, seed, slow, from, to, drop, id(x.Request), id(m))
					}
				}
			}
		}
		t.Logf("proven only: %v: %d runs, %d pairs, %d marked, %d wrong", how == protocol.Proven, runs, f.pairs, f.marked, f.wrong)
	}
}

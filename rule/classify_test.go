package rule

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClassifyIsTheSameEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 1 + r.IntN(5)
		b := make([]byte, 64*n+1)
		for i := range b {
			if b[i] = byte(r.Uint32()); r.IntN(2) == 0 {
				b[i] = ("\"\\{}[]:, \n\x00\x7f;")[r.IntN(13)]
			}
		}
		got, want := make([]block, n), make([]block, n)
		classify(&b[1], &got[0], n)
		classifySlow(b[1:], want)
		if d := cmp.Diff(want, got, cmp.AllowUnexported(block{})); d != "" {
			t.Fatal(d)
		}
		found, slow := make([]uint64, n), make([]uint64, n)
		colons(&b[1], &found[0], n)
		colonsSlow(b[1:], slow)
		if d := cmp.Diff(slow, found); d != "" {
			t.Fatal(d)
		}
	}
}

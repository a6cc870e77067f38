package main

import (
	"math"
	"testing"

	"github.com/passiflow/passiflow/internal/config"
)

func TestSplitKeepsTheBudget(t *testing.T) {
	for _, m := range []int64{4 << 20, 48 << 20, config.DefaultConfig().Flow.Memory, 1 << 40} {
		b := split(m)
		m = min(m, math.MaxInt)
		if sum := int64(b.messages) + int64(b.segments) + int64(b.flows)*flowBytes + b.queue; sum > m || sum < m*9/10 {
			t.Errorf("%d is split into %+v, which is %d", m, b, sum)
		}
		if b.messages <= 0 || b.segments <= 0 || b.flows < 100 || b.queue <= 0 {
			t.Errorf("%d: %+v", m, b)
		}
	}
}

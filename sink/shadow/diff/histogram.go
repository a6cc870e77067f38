package diff

import (
	"math"
	"math/bits"
	"time"
)

// histogram counts durations in steps of about 3 %.
type histogram struct {
	steps    [64 << stepBits >> 1]uint32
	n        uint64
	min, max time.Duration
}

const stepBits = 5

func step(d time.Duration) int {
	v := uint64(max(d, 0))
	e := bits.Len64(v)
	if e <= stepBits {
		return int(v)
	}
	return (e-stepBits)<<stepBits>>1 + int(v>>(e-stepBits))
}

// middle returns the duration in the middle of a step.
func middle(i int) time.Duration {
	if i < 1<<stepBits {
		return time.Duration(i)
	}
	half := 1 << (stepBits - 1)
	shift := i/half - 1
	low := uint64(half+i%half) << shift
	return time.Duration(low + 1<<shift/2)
}

func (h *histogram) add(d time.Duration) {
	if h.n == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.n++
	h.steps[min(step(d), len(h.steps)-1)]++
}

// at returns the duration that a share of all does not exceed.
func (h *histogram) at(share float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(share * float64(h.n)))
	var seen uint64
	for i, n := range h.steps {
		if seen += uint64(n); seen >= rank {
			return min(max(middle(i), h.min), h.max)
		}
	}
	return h.max
}

// Spread tells how durations are spread, in nanoseconds.
type Spread struct {
	Count uint64        `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P95   time.Duration `json:"p95_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
}

func (h *histogram) spread() Spread {
	return Spread{h.n, h.at(.5), h.at(.9), h.at(.95), h.at(.99), h.max}
}

package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	restHeap    = 28 << 20 // a heap up to this size is not worth collecting
	growthShare = 0.5      // beyond it, how much the heap may grow over what is alive
	leastHeap   = 4 << 20  // what the runtime takes a smaller heap for
	overBudget  = 64 << 20 // above the budget: code, stacks, what is not yet collected
)

// setMemory makes the garbage collector run seldom while little is alive, and
// still keep the program small when more is. The usual setting, a share of what
// is alive, does either the one or the other. What the user has set by GOGC or
// GOMEMLIMIT stands.
func setMemory(budget int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(budget + overBudget)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent(0))
		afterCollection()
	}
}

// percent returns the growth in percent that a heap with so many bytes alive is
// allowed.
func percent(alive uint64) int {
	grow := max(float64(alive)*growthShare, restHeap-float64(max(alive, leastHeap)))
	return int(math.Round(100 * grow / float64(max(alive, leastHeap))))
}

// afterCollection adjusts the share after each collection: the collector
// finalizes a value that nobody holds, which then makes the next one.
func afterCollection() {
	type mark struct{ _ [16]byte }
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	last := 0
	var again func(*mark)
	again = func(*mark) {
		metrics.Read(sample)
		// Setting it stops the world for a moment: not for a little.
		if p := percent(sample[0].Value.Uint64()); p*10 < last*9 || p*9 > last*10 {
			debug.SetGCPercent(p)
			last = p
		}
		runtime.SetFinalizer(new(mark), again)
	}
	runtime.SetFinalizer(new(mark), again)
}

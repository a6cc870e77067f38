package main

import "runtime/debug"

// tuneMemory lets the heap grow to five times of what is alive before it is
// collected: little is, and much is made. From the budget on the collector works
// harder.
func tuneMemory(budget int64, byUser bool) {
	if byUser {
		return
	}
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(budget + 32<<20)
}

//go:build race

package resurface

// detecting tells that the race detector is in: it makes sync.Pool forget.
const detecting = true

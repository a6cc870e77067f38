// Package passiflow watches network traffic without touching it and turns it
// into records of what was said.
package passiflow

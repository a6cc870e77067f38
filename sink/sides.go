package sink

import (
	"fmt"

	"github.com/passiflow/passiflow/flow"
)

// Sides are the sides of conversations that a ChunkSink wants.
type Sides [2]bool

// ParseSides reads "client", "server" or "both": who speaks.
func ParseSides(name string) (Sides, error) {
	switch name {
	case "client":
		return Sides{flow.Client: true}, nil
	case "server":
		return Sides{flow.Server: true}, nil
	case "both":
		return Sides{true, true}, nil
	}
	return Sides{}, fmt.Errorf("side %q: must be client, server or both", name)
}

// Wants implements Chooser.
func (s Sides) Wants(_ *flow.Flow, from flow.Side) bool { return s[from] }

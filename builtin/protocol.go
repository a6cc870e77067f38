// Package builtin is the list of all components by name.
package builtin

import (
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/http1"
)

// ProtocolOptions are what all protocols have in common.
type ProtocolOptions struct {
	// BodyLimit is how many bytes of a decoded body a message keeps; with 0
	// bodies are counted and not kept.
	BodyLimit int
}

// Protocols makes the protocols of one worker.
func Protocols(o ProtocolOptions) []protocol.Protocol {
	return []protocol.Protocol{
		http(o),
	}
}

func http(o ProtocolOptions) protocol.Protocol {
	c := http1.DefaultConfig()
	c.BodyLimit = o.BodyLimit
	return http1.New(c)
}

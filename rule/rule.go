// Package rule decides which exchanges are kept and masks what must not leave.
package rule

import "github.com/passiflow/passiflow/message"

// Rule decides about one exchange.
type Rule interface {
	// Apply tells whether x is kept.
	Apply(x *message.Exchange) (keep bool)
}

// Mask hides what must not leave. It runs once, on each half when it is
// complete, before anything else sees it.
type Mask interface {
	// Mask replaces values in m; it never writes into bytes.
	Mask(m *message.Message)
}

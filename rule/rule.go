// Package rule decides which exchanges are kept and masks what must not leave.
package rule

import "github.com/passiflow/passiflow/message"

// Rule decides about one record, an exchange or a half, and hides in it what
// must not leave. It sees each record once, before any output does, and is used
// by several goroutines.
type Rule interface {
	// Apply tells whether x is kept. It changes x: it replaces values, bodies
	// and the slices of children of fields, and never writes into bytes or into
	// those slices, which others may share.
	Apply(x *message.Exchange) (keep bool)
}

// None keeps everything as it is.
type None struct{}

// Apply implements Rule.
func (None) Apply(*message.Exchange) bool { return true }

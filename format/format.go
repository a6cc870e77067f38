// Package format turns exchanges into bytes.
package format

import "github.com/passiflow/passiflow/message"

// Format writes exchanges in one representation.
type Format interface {
	// Append appends x to dst. It does not keep x.
	Append(dst []byte, x *message.Exchange) []byte
	// ContentType returns the media type of what Append writes.
	ContentType() string
}

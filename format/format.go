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

// Chunks writes pieces of conversations in one representation.
type Chunks interface {
	// AppendChunk appends c to dst: nothing where the representation has nothing
	// to say about it. It does not keep c.
	AppendChunk(dst []byte, c *message.Chunk) []byte
	// ContentType returns the media type of what AppendChunk writes.
	ContentType() string
}

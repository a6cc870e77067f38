// Package sink delivers records.
package sink

import (
	"context"

	"github.com/passiflow/passiflow/message"
)

// Sink is one place that records go to. It is used by one goroutine.
type Sink interface {
	// Write delivers batch. It keeps neither the slice nor what it points to,
	// and changes nothing in it. An error means that nothing of the batch may be
	// taken for delivered, unless it is Partial, and that the same batch is
	// worth trying again later, unless it is Permanent or Broken.
	Write(ctx context.Context, batch []*message.Exchange) error
	// Close delivers what is left and releases what the sink holds.
	Close(ctx context.Context) error
}

// FrameSink is one place that captured frames go to, in blocks that hold whole
// frames in one file format. It promises what a Sink promises.
type FrameSink interface {
	Write(ctx context.Context, batch []*Block) error
	Close(ctx context.Context) error
}

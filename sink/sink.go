// Package sink delivers records.
package sink

import (
	"context"

	"github.com/passiflow/passiflow/message"
)

// Sink is one place that records go to. It is used by one goroutine.
type Sink interface {
	// Write delivers batch. It does not keep it. An error means that nothing of
	// the batch may be taken for delivered.
	Write(ctx context.Context, batch []*message.Exchange) error
	// Close delivers what is left and releases what the sink holds.
	Close(ctx context.Context) error
}

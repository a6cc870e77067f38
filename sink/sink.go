// Package sink delivers records.
package sink

import (
	"context"
	"errors"

	"github.com/passiflow/passiflow/message"
)

// Sink is one place that records go to. It is used by one goroutine.
type Sink interface {
	// Write delivers batch. It keeps neither the slice nor what it points to,
	// and changes nothing in it. An error means that nothing of the batch may be
	// taken for delivered; it is Permanent where trying again is of no use.
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

// Permanent marks err as one that the same batch would meet again.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent tells whether err, or an error it wraps, was marked by Permanent.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

type permanent struct{ err error }

func (p permanent) Error() string { return p.err.Error() }
func (p permanent) Unwrap() error { return p.err }

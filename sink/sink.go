// Package sink delivers records.
package sink

import (
	"context"

	"github.com/passiflow/passiflow/flow"
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

// Idler is what a sink also is that has something to do while nothing comes.
type Idler interface {
	// Idle is called about once a second while nothing comes, by the goroutine
	// that calls Write.
	Idle(ctx context.Context)
}

// FrameSink is one place that captured frames go to, in blocks that hold whole
// frames in one file format. It promises what a Sink promises.
type FrameSink interface {
	Write(ctx context.Context, batch []*Block) error
	Close(ctx context.Context) error
}

// ChunkSink is one place that pieces of conversations go to. It promises what a
// Sink promises, but that an error which is Permanent is about the whole stream
// of the chunk it is about: the sink hears no more of that stream, not even its
// end.
type ChunkSink interface {
	Write(ctx context.Context, batch []*message.Chunk) error
	Close(ctx context.Context) error
}

// Parallel is what a ChunkSink also is whose Write is called by several
// goroutines, so that a stream which cannot go on does not hold up the others:
// each call then has chunks of one stream, and no two calls at a time are about
// the same one.
type Parallel interface {
	// Parallel returns how many calls there may be at once, at least 1.
	Parallel() int
}

// Chooser is what a ChunkSink also is that does not want every stream.
type Chooser interface {
	// Wants tells whether it wants what one side of f says. It may be called by
	// any goroutine.
	Wants(f *flow.Flow, from flow.Side) bool
}

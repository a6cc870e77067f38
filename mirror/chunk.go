package mirror

import (
	"bytes"
	"context"
	"time"
)

// TrafficDirection says which way bytes went.
type TrafficDirection string

// The directions.
const (
	TrafficDirectionUnknown      TrafficDirection = "unknown"       // ObservedPort is 0
	TrafficDirectionToObserved   TrafficDirection = "to_observed"   // to the observed port
	TrafficDirectionFromObserved TrafficDirection = "from_observed" // from it
)

// ClientType says what a chunk or record is a piece of.
type ClientType byte

// The types.
const (
	TCPType  ClientType = 1
	HTTPType ClientType = 2 // for records of others: the mirror does not make them
)

// ObservedTrafficChunk is a piece of the bytes that one side of a conversation
// sent, in order. Its memory belongs to the hooks: both get the same chunk, so
// that what ForwardHook writes into Data is what RecordHook sees.
type ObservedTrafficChunk struct {
	Data      []byte
	From      string // host:port, IPv6 in brackets
	To        string
	Direction TrafficDirection
	Type      ClientType // TCPType
	SeenAt    time.Time  // when the packet that brought it was captured

	// The original has nothing of what follows.

	Lost      uint64 // bytes of this side that are missing right before Data
	MidStream bool   // this is the first chunk, and what came before was not seen
}

// TrafficMirrorHook sees each chunk and decides what becomes of it.
type TrafficMirrorHook interface {
	// Handle returns the bytes to send or to record, which may be chunk.Data; keep
	// is false, or data empty, where that is nothing. An error ends Start. It is
	// called by one goroutine at a time, unless Options.Workers is more than 1.
	Handle(ctx context.Context, chunk *ObservedTrafficChunk) (data []byte, keep bool, err error)
}

// TrafficMirrorHookFunc is a function as a TrafficMirrorHook.
type TrafficMirrorHookFunc func(ctx context.Context, chunk *ObservedTrafficChunk) (data []byte, keep bool, err error)

// Handle calls f.
func (f TrafficMirrorHookFunc) Handle(ctx context.Context, chunk *ObservedTrafficChunk) ([]byte, bool, error) {
	return f(ctx, chunk)
}

// DefaultTrafficMirrorHook keeps everything.
type DefaultTrafficMirrorHook struct{}

// Handle returns a copy of the chunk's bytes.
func (DefaultTrafficMirrorHook) Handle(_ context.Context, chunk *ObservedTrafficChunk) ([]byte, bool, error) {
	return bytes.Clone(chunk.Data), true, nil
}

// DefaultForwardTrafficMirrorHook keeps what goes to the observed port.
type DefaultForwardTrafficMirrorHook struct{}

// Handle returns a copy of the chunk's bytes if it goes to the observed port.
func (DefaultForwardTrafficMirrorHook) Handle(_ context.Context, chunk *ObservedTrafficChunk) ([]byte, bool, error) {
	return keepRequests(chunk)
}

// DefaultRecordTrafficMirrorHook keeps what goes to the observed port.
type DefaultRecordTrafficMirrorHook struct{}

// Handle returns a copy of the chunk's bytes if it goes to the observed port.
func (DefaultRecordTrafficMirrorHook) Handle(_ context.Context, chunk *ObservedTrafficChunk) ([]byte, bool, error) {
	return keepRequests(chunk)
}

func keepRequests(chunk *ObservedTrafficChunk) ([]byte, bool, error) {
	if chunk.Direction != TrafficDirectionToObserved {
		return nil, false, nil
	}
	return bytes.Clone(chunk.Data), true, nil
}

// direct tells the direction of what goes from port src to port dst, and whether
// it is looked at.
func direct(src, dst, observed uint16) (d TrafficDirection, wanted bool) {
	switch observed {
	case 0:
		return TrafficDirectionUnknown, true
	case dst:
		return TrafficDirectionToObserved, true
	case src:
		return TrafficDirectionFromObserved, true
	}
	return TrafficDirectionUnknown, false
}

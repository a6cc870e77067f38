package mirror

import (
	"context"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/sink"
)

// Options are what the original cannot do. Their zero values are what it does.
type Options struct {
	// MidStream hands on conversations whose beginning was not seen, and what
	// follows a gap, as they come. Without it their bytes are held until the
	// conversation or the source ends.
	MidStream bool
	// GapHook is told of bytes that the capture has missed, at their place: before
	// the chunk that follows them, if one does. An error ends Start. Default nil.
	GapHook func(ctx context.Context, gap *ObservedTrafficGap) error
	// DrainResponses reads what the target answers and throws it away, so that it
	// never waits for that. A connection is then ended as a client ends it: no
	// more is sent, and it is closed when the target has closed its side, too, or
	// after DrainTimeout.
	DrainResponses bool
	// DrainTimeout, with DrainResponses, is how long the target has for its last
	// answer. Default 5 s.
	DrainTimeout time.Duration
	// Workers lets so many goroutines call the hooks and write, each for one
	// direction of one conversation at a time, in its order. What they have not
	// done yet waits, up to QueueBytes; so the capture does not wait for the
	// target. Default 0: it is all done in Start, one after the other.
	Workers int
	// QueueBytes, with Workers, bounds what waits. A direction of a conversation
	// whose next bytes find no room is shed: it ends there, and is counted.
	// Default 32 MiB.
	QueueBytes int64
	// WaitForRoom, with Workers, waits for room and sheds nothing: for sources
	// that can wait, such as a file.
	WaitForRoom bool
	// RetryTarget tries again to reach a target that cannot be reached, between
	// half a second and half a minute later, and keeps what is for it within
	// QueueBytes. A connection that breaks ends what is sent of its direction of
	// its conversation, and nothing else. Default false: both end Start. It needs
	// Workers, and makes them 64 where there are none.
	RetryTarget bool
	// StallTimeout, with RetryTarget, is how long the target may take nothing before
	// its connection counts as broken. Default 1 min.
	StallTimeout time.Duration
	// CloseTimeout is how long, when the context has ended, delivering what is held
	// may take. When the source has ended it may take as long as the context lasts.
	// Default 10 s.
	CloseTimeout time.Duration
	// ParallelWrites calls Writer and WriteFunc without a lock: they can be used
	// by several goroutines at once. That is of use with Workers, or several calls
	// of Start.
	ParallelWrites bool
	// CaptureTime stamps records with when their first byte was captured, so that
	// a replay can keep the time between them, in place of when they are written.
	CaptureTime bool
	// MaxHeld bounds what is held where MidStream is false, in bytes; above it
	// the stream that grows is dropped and counted. Default 32 MiB.
	MaxHeld int
	// Flow bounds the conversations and what of them is out of order. The zero
	// value stands for flow.DefaultConfig; Ports is set to ObservedPort.
	Flow flow.Config
}

func (o *Options) setDefaults() {
	if o.MaxHeld <= 0 {
		o.MaxHeld = 32 << 20
	}
	if o.DrainTimeout <= 0 {
		o.DrainTimeout = 5 * time.Second
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = 32 << 20
	}
	if o.StallTimeout <= 0 {
		o.StallTimeout = time.Minute
	}
	if o.CloseTimeout <= 0 {
		o.CloseTimeout = 10 * time.Second
	}
	if o.RetryTarget && o.Workers <= 0 {
		o.Workers = 64
	}
	if o.Flow.MaxFlows == 0 {
		ports := o.Flow.Ports
		o.Flow = flow.DefaultConfig()
		o.Flow.Ports = ports
	}
}

// ObservedTrafficGap says that bytes are missing.
type ObservedTrafficGap struct {
	From      string // host:port
	To        string
	Direction TrafficDirection
	SeenAt    time.Time // when that was known, by the packets
	Lost      uint64    // bytes
}

// Stats are the counts of a mirror.
type Stats struct {
	Packets    uint64 // taken from the source
	NotTCP     uint64 // without TCP over IP, or not to be read
	OtherPort  uint64 // not of ObservedPort
	Chunks     uint64 // given to hooks
	ChunkBytes uint64
	HeldBytes  uint64 // held now, for want of a beginning or behind a gap
	Unheld     uint64 // bytes dropped because more was held than MaxHeld
	Gaps       uint64 // told
	Lost       uint64 // bytes missing in them

	Connections uint64 // to the target
	Forwarded   uint64 // bytes sent to it
	Answered    uint64 // bytes it answered that were read and thrown away
	Records     uint64 // written
	Recorded    uint64 // bytes of them
	Cut         uint64 // connections that broke, with RetryTarget

	// With Workers:
	Waiting int64            // bytes that wait now, as they are in memory
	Dropped int64            // chunks that were not delivered: of streams that were shed, or at the end
	Streams sink.StreamStats // directions of conversations

	Flow flow.Stats
}

func (s *Stats) add(o *Stats) {
	s.Packets += o.Packets
	s.NotTCP += o.NotTCP
	s.OtherPort += o.OtherPort
	s.Chunks += o.Chunks
	s.ChunkBytes += o.ChunkBytes
	s.HeldBytes += o.HeldBytes
	s.Unheld += o.Unheld
	s.Gaps += o.Gaps
	s.Lost += o.Lost
	s.Connections += o.Connections
	s.Forwarded += o.Forwarded
	s.Answered += o.Answered
	s.Records += o.Records
	s.Recorded += o.Recorded
	s.Cut += o.Cut
	s.Waiting += o.Waiting
	s.Dropped += o.Dropped
	s.Streams.Add(&o.Streams)
	s.Flow.Add(&o.Flow)
}

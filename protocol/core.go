package protocol

import (
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
)

// Config sets what a Core reads and its bounds.
type Config struct {
	Protocols   []Protocol
	Hold        int           // bytes of one side kept while a message head is incomplete. Default 256 KiB
	Probe       int           // bytes of one side looked at to find the protocol. Default 8 KiB
	Tries       int           // segments of one side at whose start the protocol is looked for. Default 32
	AnswerWait  time.Duration // a request is handed on without its answer so long after its last byte, or the last byte of an answer whose head is coming. Default 30 s
	Quiet       time.Duration // pairs on trial after a gap are handed on when so long nothing was said and nothing waits; after AnswerWait the trial is over if a request comes next. Default 1 s
	Pairing     Pairing       // what becomes of pairs that order alone joins and nothing refutes. Default Likely
	OpenWait    time.Duration // an answer that goes on is handed on so long after its head. Default 5 s
	Outstanding int           // requests of one conversation that wait for answers. Default 256
	Memory      int           // bytes that all conversations hold: incomplete messages and those that wait for their partner; above it those that hold something and were silent for longest are shed whole. Default 256 MiB
	Messages    bool          // hand on each half as soon as it is complete
	Exchanges   bool          // hand on exchanges. Default true
}

// Pairing says what becomes of pairs on trial: those that the order of messages
// joins after requests may have been lost, and that nothing contradicts. A client
// that sends requests before it has the answer to the one before can make them
// wrong.
type Pairing uint8

// The ways.
const (
	Likely Pairing = iota // they are joined and marked: message.Exchange.Presumed
	Proven                // they are told as halves with the same Pair, up to the end of the conversation
)

// DefaultConfig returns the defaults, without protocols.
func DefaultConfig() Config {
	return Config{
		Hold:        256 << 10,
		Probe:       8 << 10,
		Tries:       32,
		AnswerWait:  30 * time.Second,
		Quiet:       time.Second,
		OpenWait:    5 * time.Second,
		Outstanding: 256,
		Memory:      256 << 20,
		Exchanges:   true,
	}
}

// Taker takes what a Core hands on. Its methods are called by the goroutine
// that owns the flow table.
type Taker interface {
	// Exchange takes an exchange, or a half with its reason. No half comes
	// twice.
	Exchange(x *message.Exchange)
	// Message takes one half as it became complete; x.Half is message.Unit.
	Message(x *message.Exchange)
	// Opaque tells that a conversation is not, or no longer, read, and why.
	Opaque(f *flow.Flow, o *Opaque)
	// Broken tells that a decoder panicked; the conversation goes opaque, and
	// what it had not handed on is shed.
	Broken(f *flow.Flow, protocol string, cause any)
}

// Stats count what a Core did. At every moment, messages and bytes are
// conserved, where Waiting and Held are what the methods of Core return:
//
//	Requests + Answers + Interim = 2·Pairs + Interims + Halves + ShedMessages + Waiting
//	bytes taken = Decoded + SkippedBytes + OpaqueBytes + Held
//
// Lone messages count by their side. What is handed on as single messages is
// not counted again.
type Stats struct {
	Requests, Answers, Interim uint64 // begun
	Pairs                      uint64 // exchanges with both halves
	Presumed                   uint64 // pairs that are marked as presumed
	Interims                   uint64 // interim answers handed on within exchanges
	Halves                     uint64 // exchanges with one half
	HalfBy                     [message.Halves]uint64
	ShedMessages               uint64 // dropped with their conversation: the memory bound was hit, or the decoder panicked
	ShedFlows                  uint64 // conversations shed at the memory bound
	Identified                 uint64 // conversations whose protocol was found
	Unknown                    uint64 // conversations that speak no known protocol
	Opaque                     uint64 // conversations a decoder let go: tunnels, upgrades, broken syntax
	OpaqueBytes                uint64 // bytes of unknown and opaque conversations
	SkippedBytes               uint64 // bytes before the protocol was found, and those a decoder left before a gap or the end
	Decoded                    uint64 // bytes that decoders used
	Broken                     uint64 // conversations whose decoder panicked
	HoldExceeded               uint64 // conversations whose incomplete message was longer than Hold
}

// Add adds o to s.
func (s *Stats) Add(o *Stats) {
	s.Requests += o.Requests
	s.Answers += o.Answers
	s.Interim += o.Interim
	s.Pairs += o.Pairs
	s.Presumed += o.Presumed
	s.Interims += o.Interims
	s.Halves += o.Halves
	for i := range s.HalfBy {
		s.HalfBy[i] += o.HalfBy[i]
	}
	s.ShedMessages += o.ShedMessages
	s.ShedFlows += o.ShedFlows
	s.Identified += o.Identified
	s.Unknown += o.Unknown
	s.Opaque += o.Opaque
	s.OpaqueBytes += o.OpaqueBytes
	s.SkippedBytes += o.SkippedBytes
	s.Decoded += o.Decoded
	s.Broken += o.Broken
	s.HoldExceeded += o.HoldExceeded
}

// Core finds protocols, runs decoders and joins answers to requests for the
// conversations of one worker. It is used by one goroutine.
type Core struct {
	cfg     Config
	take    Taker
	stats   Stats
	bytes   int // what streams weigh
	held    int // bytes taken and not decoded
	waiting int // messages begun and not handed on
	in      Input
	holders holders
	streams []*stream // free
	bufs    [][]byte  // free hold buffers
}

// NewCore makes a Core.
func NewCore(cfg Config, take Taker) *Core { return &Core{cfg: cfg, take: take} }

// Stats returns the counts so far.
func (c *Core) Stats() Stats { return c.stats }

// Waiting returns how many messages were begun and are not yet handed on.
func (c *Core) Waiting() int { return c.waiting }

// Bytes returns the bytes that conversations hold, as Config.Memory bounds them.
func (c *Core) Bytes() int { return c.bytes }

// Held returns the bytes that were taken and that no decoder has used yet.
func (c *Core) Held() int { return c.held }

// Open begins to read a conversation.
func (c *Core) Open(f *flow.Flow) flow.Stream {
	var s *stream
	if n := len(c.streams); n > 0 {
		s = c.streams[n-1]
		c.streams = c.streams[:n-1]
		*s = stream{
			sides: [2]side{{marks: s.sides[0].marks}, {marks: s.sides[1].marks}},
			pairs: pairs{queue: s.queue, onTrial: s.onTrial},
		}
	} else {
		s = new(stream)
	}
	s.core, s.flow, s.sure = c, f, true
	return s
}

// Bounds of what is kept for further use.
const (
	maxStreams = 4096
	maxBuffers = 256
	maxBuffer  = 16 << 10 // bytes
)

func (c *Core) buffer() []byte {
	if n := len(c.bufs); n > 0 {
		b := c.bufs[n-1]
		c.bufs = c.bufs[:n-1]
		return b
	}
	return make([]byte, 0, 512)
}

func (c *Core) release(b []byte) {
	if cap(b) > 0 && cap(b) <= maxBuffer && len(c.bufs) < maxBuffers {
		c.bufs = append(c.bufs, b[:0])
	}
}

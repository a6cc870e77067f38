package passiflow

import (
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/source"
)

// Walk counts what became of the packets the workers read. At every moment that
// Stats shows they are conserved:
//
//	Packets = Filtered + BeyondCount + the sum of Parsed + Given - Taken
//	Parsed[OK] = OtherPort + Flow.Packets (where records are wanted)
//
// and further on, where exchanges or messages are wanted,
//
//	Flow.Delivered = Core.Decoded + Core.SkippedBytes + Core.OpaqueBytes + Undecoded
//	Core.Pairs + Core.Halves = Exchanges
//
// beside the sums of flow.Stats and protocol.Stats.
type Walk struct {
	Packets     uint64
	Bytes       uint64 // as captured
	Filtered    uint64 // refused by Config.Filter
	BeyondCount uint64 // read together with the last of Config.Packets; not part of Bytes
	Cut         uint64 // shorter than on the wire: the snaplen was too small
	Parsed      [packet.Reasons]uint64
	Given       uint64 // put together from fragments, and handed over to the worker of what is inside
	Taken       uint64 // of these, those that it has read; Parsed holds what became of them
	OtherPort   uint64 // none of Config.Ports
	Written     uint64 // given to Config.Frames
	Exchanges   uint64 // records of unit exchange, before the rules
	Messages    uint64 // the same of unit message
	Dropped     uint64 // records that rules refused, counted for each set of rules
	RuleFailed  uint64 // records on which rules failed, and which therefore went nowhere
	Own         uint64 // records of this program's own deliveries
	TapeLost    uint64 // packets that outputs of unit packet could not hold
	TLS         uint64 // conversations that speak TLS
	Chunks      uint64 // pieces of unit chunk, and the ends of streams
	ChunkBytes  uint64 // bytes of them
}

// Stats is the ledger of a run.
type Stats struct {
	Source source.Stats // all sources together
	Walk   Walk
	// Fragments says what became of Walk.Parsed[packet.Held].
	Fragments packet.FragmentStats
	Flow      flow.Stats
	Core      protocol.Stats
	Flows     int // conversations in the tables now
	Pending   int // bytes held for want of earlier ones
	Waiting   int // messages begun and not handed on
	Held      int // bytes of messages that are incomplete or wait for their partner, as Core.Memory bounds them
	Undecoded int // bytes in order that no decoder has used yet
}

func (s *Stats) add(o *Stats) {
	w, x := &s.Walk, &o.Walk
	w.Packets += x.Packets
	w.Bytes += x.Bytes
	w.Filtered += x.Filtered
	w.BeyondCount += x.BeyondCount
	w.Cut += x.Cut
	for i := range w.Parsed {
		w.Parsed[i] += x.Parsed[i]
	}
	w.Given += x.Given
	w.Taken += x.Taken
	w.OtherPort += x.OtherPort
	w.Written += x.Written
	w.Exchanges += x.Exchanges
	w.Messages += x.Messages
	w.Chunks += x.Chunks
	w.ChunkBytes += x.ChunkBytes
	w.Dropped += x.Dropped
	w.RuleFailed += x.RuleFailed
	w.Own += x.Own
	w.TapeLost += x.TapeLost
	w.TLS += x.TLS
	s.Fragments.Add(&o.Fragments)
	s.Flow.Add(&o.Flow)
	s.Core.Add(&o.Core)
	s.Flows += o.Flows
	s.Pending += o.Pending
	s.Waiting += o.Waiting
	s.Held += o.Held
	s.Undecoded += o.Undecoded
}

// publish makes a copy of the worker's counts that others may read.
func (w *worker) publish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.public.Walk = w.count
	w.public.Fragments = w.parser.FragmentStats()
	if w.table != nil {
		w.public.Flow = w.table.Stats()
		w.public.Flows, w.public.Pending = w.table.Flows(), w.table.Pending()
	}
	if w.core != nil {
		w.public.Core = w.core.Stats()
		w.public.Waiting, w.public.Held = w.core.Waiting(), w.core.Bytes()
		w.public.Undecoded = w.core.Held()
	}
}

package passiflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/source"
)

// Config says where packets come from, what is read out of them and where the
// records go.
type Config struct {
	// Sources are read by one worker each: the rings of one live capture, or a
	// single file. New takes them over; Run closes them.
	Sources []source.Source
	// Workers is how many workers share a single source; conversations are
	// spread over them by their innermost addresses. 1 where there are several
	// sources. Default 1
	Workers int
	// Filter drops packets it does not match, before anything else looks at
	// them. Live sources filter in the kernel instead. nil: keep all
	Filter Filter
	// Ports keeps packets with one of these ports on their innermost
	// transport; the port's owner is the server. None: keep all
	Ports []uint16
	// Packets ends the run with the last of so many packets that passed Filter.
	// 0: no end
	Packets uint64
	// Protocols makes the decoders of one worker. nil: no exchanges are read
	Protocols func() []protocol.Protocol
	// Rules decide which records go out and hide secrets in them, before any
	// output sees them. nil: all records, as they are
	Rules rule.Rule
	// Own tells of conversations that are this program's own deliveries, whose
	// records would each become another delivery: they are dropped and counted.
	// It is called by all workers. nil: there are none
	Own func(*flow.Flow) bool
	// Outputs take the records.
	Outputs []Output
	// Frames makes what takes the packets that passed Filter and Ports, one for
	// each worker and the source it reads. nil: nobody does
	Frames func(source.Source) Frames
	// TapeBytes bounds the packets that conversations hold until a record
	// decides about them, for each output of UnitPacket. At the bound the
	// conversation that began first goes. Default 32 MiB
	TapeBytes int
	// HandoverBytes bounds, for each of several workers, the packets that wait for
	// it after another put them together from fragments. At the bound they are
	// dropped and counted as packet.Elsewhere. Default 16 MiB
	HandoverBytes int
	// Log takes what happens; nil is silent.
	Log *slog.Logger

	// The bounds of all conversations together, Flow.MaxFlows, Flow.MaxBytes and
	// Core.Memory, are those of the run: each worker gets its share.
	// Parser's Seed 0 stands for another one in every run.
	Parser packet.Config
	Flow   flow.Config
	Core   protocol.Config
}

// Filter decides about a packet as its source gave it.
type Filter interface {
	Match(p *packet.Packet) bool
}

// Unit is what an output gets as one record.
type Unit uint8

// The units.
const (
	UnitExchange Unit = iota // a request with its answer, or a half with its reason
	UnitMessage              // each half as soon as it is complete
	UnitFlow                 // a conversation at its end
	UnitPacket               // the packets of conversations with a record that the rules keep
	UnitChunk                // bytes in order, as they were captured
)

// Pusher is what stands before an output: a queue.
type Pusher[T any] interface {
	// Push takes over what batch points to and does not keep batch. It is
	// called by several goroutines.
	Push(ctx context.Context, batch []T)
}

// Output is one place that records go to. Records that several outputs share
// are read-only.
type Output struct {
	Unit    Unit
	Records Pusher[*message.Exchange] // for UnitExchange and UnitMessage
	Flows   Pusher[*flow.Summary]     // for UnitFlow
	// Packets makes what takes the packets, for UnitPacket: one for each worker
	// and the source it reads.
	Packets func(source.Source) Frames
	Chunks  Pusher[*message.Chunk] // for UnitChunk, which no rule reaches
	// Wants chooses what UnitChunk gets: the sides of conversations whose bytes
	// are copied for it. It is called by all workers. nil: all
	Wants func(f *flow.Flow, from flow.Side) bool
	// Rules stand in place of Config.Rules for this output, which then gets
	// copies of its own. nil: Config.Rules; rule.None: none
	Rules rule.Rule
}

// Frames takes packets. It is used by one goroutine.
type Frames interface {
	// Packet takes p, which is borrowed.
	Packet(ctx context.Context, p *packet.Packet)
	// Flush hands on what is held, when nothing comes and at the end.
	Flush(ctx context.Context)
}

// DefaultConfig returns the defaults, without sources, protocols and outputs.
func DefaultConfig() Config {
	return Config{Workers: 1, TapeBytes: 32 << 20, HandoverBytes: 16 << 20, Parser: packet.DefaultConfig(), Flow: flow.DefaultConfig(), Core: protocol.DefaultConfig()}
}

func (c *Config) validate() error {
	var faults []error
	if len(c.Sources) == 0 {
		faults = append(faults, errors.New("no source: give an interface, a file or a mirror port"))
	}
	if c.Workers < 0 || c.Workers > 256 {
		faults = append(faults, fmt.Errorf("workers %d: must be between 1 and 256", c.Workers))
	}
	if c.Flow.Sample < 0 || c.Flow.Sample > 1 {
		faults = append(faults, fmt.Errorf("sample %g: must be between 0 and 1", c.Flow.Sample))
	}
	for i, o := range c.Outputs {
		if o.Unit == UnitFlow && o.Flows == nil || (o.Unit == UnitExchange || o.Unit == UnitMessage) && o.Records == nil || o.Unit == UnitPacket && o.Packets == nil || o.Unit == UnitChunk && o.Chunks == nil {
			faults = append(faults, fmt.Errorf("output %d: nothing takes its records", i+1))
		}
	}
	return errors.Join(faults...)
}

// share divides the bounds of the run among n workers.
func (c *Config) share(n int) {
	c.Flow.MaxFlows = max(c.Flow.MaxFlows/n, 1)
	c.Flow.MaxOver = max(c.Flow.MaxOver/n, 1)
	c.Flow.MaxBytes = max(c.Flow.MaxBytes/n, 1)
	c.Flow.MaxPending = min(c.Flow.MaxPending, c.Flow.MaxBytes)
	c.Core.Memory = max(c.Core.Memory/n, 1)
	c.TapeBytes /= n
}

// wants tells whether an output asks for a unit.
func (c *Config) wants(u Unit) bool {
	for _, o := range c.Outputs {
		if o.Unit == u {
			return true
		}
	}
	return false
}

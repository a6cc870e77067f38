// Package protocol finds out what a conversation speaks, holds what is
// incomplete, and joins answer to request, so that a decoder is a function of
// its input.
package protocol

import (
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// Match is what a probe says of the first bytes of a side.
type Match uint8

// The answers of a probe.
const (
	No       Match = iota // not this protocol
	More                  // cannot tell yet
	Yes                   // this protocol, sent by that side
	Reversed              // this protocol, but sent by the other role: the client is the server
)

// Protocol describes one protocol to the core.
type Protocol struct {
	Name      string
	Transport packet.Proto
	Ports     []uint16 // a hint for the order of probes, never a proof
	// Probe looks at the first bytes of a side.
	Probe func(head []byte, from flow.Side) Match
	// New makes a decoder for one conversation.
	New func(*flow.Flow) Decoder
}

// Input is the next piece of one side for a decoder. Data begins with what the
// decoder left unused at its previous call for this side, and is borrowed.
type Input struct {
	From   flow.Side
	Time   packet.Time // of the newest packet in Data
	First  packet.Time // of the packet that brought the first byte of Data
	Offset uint64      // of the first byte of Data in its side
	Data   []byte
	Lost   uint64 // bytes missing right before Offset; what was left unused before the gap comes in a call of its own, with Final set
	Mid    bool   // first call of a side whose beginning was not seen
	Edge   bool   // Data begins where a segment begins
	Final  bool   // Data is all that is left before a gap or the end: what is unused will not come again
	End    bool   // no byte follows Data, so Final is set too; without End a Final Input is followed by one with Lost
	Cut    bool   // with End: the side did not say that it had finished; the conversation was reset, given up or no longer seen
}

// Out takes what a decoder finds.
type Out interface {
	// Begin tells that the head of m is known; its body may still grow. For an
	// answer it returns the request it belongs to, where that is proven, and
	// nil otherwise. A side has one message open at a time: what was open is
	// ended.
	Begin(m *message.Message) (request *message.Message)
	// End tells that m, told by Begin before, is complete or will grow no more.
	End(m *message.Message)
}

// Decoder reads both sides of one conversation.
type Decoder interface {
	// Decode takes in and returns how many bytes of in.Data it is done with.
	// The core keeps the rest, bounded, and gives it again with what follows.
	// A decoder that needs nothing more for a body takes it piece by piece.
	// Each side that had an Input gets a last one with End set, which may be
	// empty; the decoder then ends what it had begun on that side.
	// An error means that this is not the protocol, or no longer: the
	// conversation becomes opaque and Decode is not called again. It is an
	// *Opaque where the decoder can say more.
	Decode(in *Input, out Out) (used int, err error)
}

// Keeper is what a Decoder also is when it keeps more of an open message than
// Message.Body shows, such as a body that is decompressed at its end.
type Keeper interface {
	// Kept returns how many bytes it keeps for m, which is open.
	Kept(m *message.Message) int
	// Open completes copy, which is handed on in place of m while m is open: its
	// Body becomes what can be told of it so far.
	Open(m, copy *message.Message)
}

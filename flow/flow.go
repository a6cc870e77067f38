// Package flow turns packets into conversations: both sides' bytes in order,
// with every gap told.
package flow

import (
	"net/netip"

	"github.com/passiflow/passiflow/packet"
)

// Side is one end of a conversation.
type Side uint8

// The two sides.
const (
	Client Side = iota
	Server
)

// Peer returns the other side.
func (s Side) Peer() Side { return s ^ 1 }

// String returns "client" or "server".
func (s Side) String() string {
	if s == Client {
		return "client"
	}
	return "server"
}

// Flow is one conversation. It is immutable once opened and may be kept.
type Flow struct {
	ID        uint64 // hash of the key and the first packet: the same in every run
	Transport packet.Proto
	Client    netip.AddrPort
	Server    netip.AddrPort
	Tunnel    packet.Tunnel
	VLAN      uint16 // of the first packet
	Interface int    // of the first packet, within its source
	Source    string // name of that interface
	Start     packet.Time
}

// Reversed returns a copy of f with client and server exchanged.
func (f *Flow) Reversed() *Flow {
	r := *f
	r.Client, r.Server = f.Server, f.Client
	return &r
}

// AckUnknown stands for an acknowledgement that is not known.
const AckUnknown = ^uint64(0)

// Chunk is the next piece of one side's bytes: data, gap and end in one value.
// It and its Data are borrowed: valid during the call of Stream.Chunk only.
//
// Chunks come in causal order where the capture allows it: a chunk whose
// sender had already acknowledged byte n of its peer comes after the peer's
// bytes up to n, or after the gap that stands for them. A gap that must be told
// before bytes of the other side, or before Close, comes without Data.
type Chunk struct {
	From   Side
	Time   packet.Time // of the packet that brought the first byte of Data
	Offset uint64      // of the first byte of Data in its side; 0 is the first byte after the SYN, an arbitrary point before the first byte known where Mid is set
	Ack    uint64      // the offset in the peer's bytes up to which the sender had received when it sent Data; AckUnknown
	Data   []byte
	Edge   bool   // Data begins where a segment begins
	Peer   bool   // a packet of the other side was seen
	LostBy uint64 // with Lost: an offset of the peer; what the peer sent from there on it sent after it had received the lost bytes. AckUnknown
	Lost   uint64 // bytes missing right before Offset
	Mid    bool   // the beginning of this side was not seen: what came before the first Offset is unknown
	End    bool   // the side said it has no more to send (FIN)
}

// Reason says why a conversation was closed.
type Reason uint8

// The reasons.
const (
	Finished Reason = iota // both sides ended, or one was reset
	Idle                   // no packet for the idle timeout
	Evicted                // dropped for want of room
	Stopped                // the source ended or the program was stopped
)

// String returns the counter name of the reason.
func (r Reason) String() string {
	switch r {
	case Finished:
		return "finished"
	case Idle:
		return "idle"
	case Evicted:
		return "evicted"
	}
	return "stopped"
}

// Stream receives one conversation. It is called by the goroutine that owns
// the flow table.
type Stream interface {
	// Chunk takes the next piece; c is borrowed. It returns when the stream
	// wants Tick, 0 for never; the newest answer of Chunk or Tick holds.
	Chunk(c *Chunk) (wake packet.Time)
	// Tick tells that the time asked for has passed. It is called late while
	// nothing happens, but always before what a later packet brings. It must
	// ask for a later time than now, or for 0.
	Tick(now packet.Time) (wake packet.Time)
	// Close tells that no more will come. It is called once, last.
	Close(r Reason)
}

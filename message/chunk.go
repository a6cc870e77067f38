package message

import (
	"net/netip"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
)

// Chunk is a piece of one side's bytes in order, for outputs of raw bytes. A
// side of a conversation is a stream of chunks: each begins where the one before
// ended, or Lost bytes behind it, and the last has End set. Its memory is its
// own: nothing in it is borrowed from a packet.
type Chunk struct {
	Flow   *flow.Flow
	From   flow.Side
	Time   packet.Time // of the packet that brought the first byte of Data
	Offset uint64      // of the first byte of Data in its side; arbitrary in a side whose beginning was not seen
	Lost   uint64      // bytes missing right before Offset, behind the chunk before
	Data   []byte      // may be empty where Lost or End is told
	First  bool        // no chunk of this side was before it
	Mid    bool        // with First: what the side said before was not seen
	End    bool        // no more of this side will come
	Shed   bool        // with End: more was captured, for which there was no room
}

// Src returns who sent c.
func (c *Chunk) Src() netip.AddrPort { return c.end(c.From) }

// Dst returns whom c was sent to.
func (c *Chunk) Dst() netip.AddrPort { return c.end(c.From.Peer()) }

func (c *Chunk) end(s flow.Side) netip.AddrPort {
	if s == flow.Client {
		return c.Flow.Client
	}
	return c.Flow.Server
}

package protocol

import (
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// side is one side of a conversation as the decoder sees it.
type side struct {
	held   []byte // what the decoder left, or what is not identified yet
	off    uint64 // offset of held, or of the chunk at hand
	edge   bool   // that begins where a segment begins
	marks  []mark // of held and of the chunk at hand
	to     uint64 // offset behind what was given to the decoder
	newest packet.Time

	seen   bool   // it said something
	mid    bool   // bytes before the next ones are not known
	begun  bool   // the decoder had an Input
	ended  bool   // the decoder had its last Input
	peered bool   // a packet of the other side was seen
	tries  int    // segments at whose start no protocol was found
	sample string // the first bytes, masked, where they are nothing known

	lost  uint64 // to be told with the next Input
	gap   gap    // to be judged when the decoder went over it
	cur   *message.Message
	told  bool // cur was handed on as it was: its end is not told again
	size  int  // its part of Core.bytes
	index uint32
}

// mark says which packet brought the bytes from off on.
type mark struct {
	off, ack uint64
	time     packet.Time
}

// gap is a hole that the decoder was just told.
type gap struct {
	from, to uint64
	by       uint64           // flow.Chunk.LostBy
	open     *message.Message // the message that was open before it
	set      bool
}

// maxMarks bounds the marks of one side.
const maxMarks = 512

// prune drops the marks of what is not held any more.
func (d *side) prune() {
	k := 0
	for k+1 < len(d.marks) && d.marks[k+1].off <= d.off {
		k++
	}
	if k > 0 {
		d.marks = append(d.marks[:0], d.marks[k:]...)
	}
	if n := len(d.marks); n > maxMarks {
		// Dribbled bytes: halve the marks, keeping the first of each pair.
		for i := 0; i < n/2; i++ {
			d.marks[i] = d.marks[2*i]
		}
		d.marks = d.marks[:n/2]
	}
}

// at returns the mark of the packet that brought the byte at off.
func (d *side) at(off uint64) mark {
	for i := len(d.marks) - 1; i >= 0; i-- {
		if d.marks[i].off <= off {
			return d.marks[i]
		}
	}
	if len(d.marks) > 0 {
		return d.marks[0]
	}
	return mark{off: off, ack: flow.AckUnknown, time: d.newest}
}

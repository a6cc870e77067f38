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
	to     uint64 // offset behind what was given to the decoder
	newest packet.Time
	lost   uint64 // to be told with the next Input
	size   int    // its part of Core.bytes

	cur    *message.Message
	edge   bool // held begins where a segment begins
	seen   bool // it said something
	mid    bool // bytes before the next ones are not known
	begun  bool // the decoder had an Input
	ended  bool // the decoder had its last Input
	peered bool // a packet of the other side was seen
	told   bool // cur was handed on as it was: its end is not told again
	marked bool // mark is set
	mark   mark // of the first byte of held, or of the chunk at hand
	index  uint32
	vague  bool   // where the last message ended is not beyond doubt
	past   uint64 // offset behind it

	gap    gap    // to be judged when the decoder went over it
	marks  []mark // of the packets behind mark
	tries  int    // segments at whose start no protocol was found
	sample string // the first bytes, masked, where they are nothing known
}

// mark says which packet brought the bytes from off on.
type mark struct {
	off, ack uint64
	time     packet.Time
}

// gap is a hole that the decoder was just told.
type gap struct {
	set      bool
	from, to uint64
	by       uint64           // flow.Chunk.LostBy
	open     *message.Message // the message that was open before it
	there    bool             // none of its bytes are missing
}

// maxMarks bounds the marks of one side.
const maxMarks = 512

// note adds the mark of a packet.
func (d *side) note(m mark) {
	if !d.marked {
		d.mark, d.marked = m, true
		return
	}
	d.marks = append(d.marks, m)
}

// last returns the newest mark of a side that has one.
func (d *side) last() *mark {
	if n := len(d.marks); n > 0 {
		return &d.marks[n-1]
	}
	return &d.mark
}

// prune drops the marks of what is not held any more.
func (d *side) prune() {
	k := 0
	for k < len(d.marks) && d.marks[k].off <= d.off {
		k++
	}
	if k > 0 {
		d.mark = d.marks[k-1]
		d.marks = append(d.marks[:0], d.marks[k:]...)
	}
	if n := len(d.marks); n > maxMarks {
		// Dribbled bytes: halve the marks, keeping the first of each pair.
		for i := 0; i < n/2; i++ {
			d.marks[i] = d.marks[2*i+1]
		}
		d.marks = d.marks[:n/2]
	}
}

// at returns the mark of the packet that brought the byte at off.
func (d *side) at(off uint64) mark {
	if !d.marked {
		return mark{off: off, ack: flow.AckUnknown, time: d.newest}
	}
	for i := len(d.marks) - 1; i >= 0; i-- {
		if d.marks[i].off <= off {
			return d.marks[i]
		}
	}
	return d.mark
}

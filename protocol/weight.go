package protocol

import (
	"unsafe"

	"github.com/passiflow/passiflow/message"
)

const (
	// messageBytes is about what a message takes with its place in a queue, and
	// what an allocator rounds up to.
	messageBytes = 384
	fieldBytes   = int(unsafe.Sizeof(message.Field{}))
	markBytes    = int(unsafe.Sizeof(mark{}))
	// maxHead is more than any head that a decoder keeps.
	maxHead = 64 << 10
	// spareMarks is how many marks a side keeps room for between two messages.
	spareMarks = 32
)

// weight is about what m holds in memory. Whoever sends it chooses what it is
// made of, so that no part may weigh nothing: a thousand fields without a value
// hold more than a long body.
func weight(m *message.Message) int {
	return messageBytes + cap(m.Body) + len(m.Target) + len(m.Reason) + cap(m.Fields)*fieldBytes + head(m)
}

// head is about how much text the fields of m are parts of.
func head(m *message.Message) (n int) {
	if m.Marks&message.HeadTruncated != 0 {
		return maxHead // what was left out is in the same text
	}
	for i := len(m.Fields) - 1; i >= 0; i-- {
		f := &m.Fields[i]
		if f.Raw.End != 0 {
			return n + int(min(f.Raw.End, maxHead))
		}
		n += len(f.Value) // on several lines: a text of its own
	}
	return n
}

// weigh keeps Core.bytes true to what a side holds.
func (s *stream) weigh(d *side) {
	n := cap(d.held) + len(d.marks)*markBytes
	if d.cur != nil {
		n += d.weight(d.cur)
		if s.keeper != nil {
			n += s.keeper.Kept(d.cur)
		}
	}
	s.core.bytes += n - d.size
	d.size = n
}

// weight is about what m holds, which is open or was it last. Its head is looked
// at again only where fields were added to it: it is long out of the processor's
// cache.
func (d *side) weight(m *message.Message) int {
	if cap(m.Fields) != d.room {
		d.base, d.room = weight(m)-cap(m.Body), cap(m.Fields)
	}
	return d.base + cap(m.Body)
}

// unmark forgets the marks, and their room where that is large.
func (d *side) unmark() {
	d.marked = false
	if d.marks == nil {
		return
	}
	if cap(d.marks) > spareMarks {
		d.marks = nil
	}
	d.marks = d.marks[:0]
}

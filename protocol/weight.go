package protocol

import "unsafe"

const (
	markBytes = int(unsafe.Sizeof(mark{}))
	// spareMarks is how many marks a side keeps room for between two messages.
	spareMarks = 32
)

// weigh keeps Core.bytes true to what a side holds.
func (s *stream) weigh(d *side) {
	n := cap(d.held) + len(d.marks)*markBytes
	if d.cur != nil {
		n += d.cur.Weight()
		if s.keeper != nil {
			n += s.keeper.Kept(d.cur)
		}
	}
	s.core.bytes += n - d.size
	d.size = n
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

package message

import "unsafe"

const (
	// messageBytes is about what a message takes with its place in a queue, and
	// what an allocator rounds up to.
	messageBytes = 384
	fieldBytes   = int(unsafe.Sizeof(Field{}))
	gapBytes     = int(unsafe.Sizeof(Gap{}))
)

// Hold notes that a text of n bytes is held in place of a part of the head, and
// does not lie in it: Weight counts it too.
func (m *Message) Hold(n int) {
	if m.Head != 0 {
		m.Head += uint32(n)
	}
}

// Weight returns about how many bytes m holds in memory, 0 for nil. Whoever sends
// a message chooses what it is made of, so that no part may weigh nothing: a
// thousand fields without a value hold more than a long body, and a short value
// holds all of the head that it is a part of.
func (m *Message) Weight() int {
	if m == nil {
		return 0
	}
	n := messageBytes + cap(m.Body) + cap(m.Fields)*fieldBytes + cap(m.Gaps)*gapBytes + int(m.Head)
	if m.Head == 0 {
		n += len(m.Op) + len(m.Target) + len(m.Status) + len(m.Reason) + len(m.Version)
		for i := range m.Fields {
			n += len(m.Fields[i].Name) + len(m.Fields[i].Value)
		}
	}
	return n
}

// Package message holds the one contract all outputs share: what one side of
// a conversation said, and request and answer joined.
package message

import (
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
)

// Message is what one side said once: an HTTP request, an answer. A decoder
// makes it, tells it with Begin when its head is known and with End when it is
// complete; after the rules it is read-only. Its memory is its own: nothing in
// it is borrowed from a packet.
//
// The fields stand in the order in which they are needed: what pairs it and what
// a body's bytes change lies in the first two cache lines.
type Message struct {
	From       flow.Side
	Lone       bool        // no answer is expected, or this is no answer
	Interim    bool        // an answer before the answer, such as HTTP 100 and 103
	Marks      Mark        // what is worth saying about it
	Index      uint32      // number of the message within its side; set by the core
	Head       uint32      // bytes of the text that Op, Target, Fields and the like are parts of, as sent, and of what rules put there, see Hold; 0: each has its own
	Start, End packet.Time // of the packets that brought its first and last byte
	Begin      uint64      // offset of its first byte in its side
	Stop       uint64      // offset behind its last byte
	Op         string      // what is asked for: the HTTP method

	Body     []byte // decoded content, at most the body limit
	Size     int64  // bytes of the whole decoded content; -1: unknown
	WireSize int64  // bytes of the content before decompression; -1: unknown
	Fields   []Field

	Target  string // of what: the HTTP request target as sent
	Status  string // how it ended: the HTTP status code
	Reason  string // the words that came with Status
	Version string // of the protocol: "1.1"
	Key     uint64 // joins a request to its answer where the protocol numbers them; 0: by order
	Lost    int64  // bytes of the message that the capture missed
	Gaps    []Gap  // where; at most MaxGaps, Lost counts all
}

// MaxGaps bounds Message.Gaps.
const MaxGaps = 16

// Gap is a place where bytes are missing. Offset counts from Message.Begin.
type Gap struct{ Offset, Length uint64 }

// Field is one named value, in the order sent. Name is as it was sent.
type Field struct {
	Name, Value string
	Detail      *Detail // nil: none is known, as in HTTP
}

// Detail is what a protocol with fields in fields knows of one. It stands apart
// because a message is as large as its fields, and most need none.
type Detail struct {
	Raw      Span    // of Value
	Children []Field // parts of a structured value
}

// Replace gives f another value. The parts of the old one go, since they show it;
// where it stood stays known.
func (f *Field) Replace(value string) {
	f.Value = value
	if d := f.Detail; d != nil {
		f.Detail = nil // a clone may have it, too
		if d.Raw != (Span{}) {
			f.Detail = &Detail{Raw: d.Raw}
		}
	}
}

// Span is where a value stood in its message: from Begin to End, counted from
// Message.Begin. The zero Span is unknown.
type Span struct{ Begin, End uint32 }

// Get returns the value of the first field with this name, compared without
// regard to ASCII case, and whether there is one.
func (m *Message) Get(name string) (string, bool) {
	for i := range m.Fields {
		if EqualFold(m.Fields[i].Name, name) {
			return m.Fields[i].Value, true
		}
	}
	return "", false
}

// EqualFold compares two names without regard to ASCII case.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z' {
			return false
		}
	}
	return true
}

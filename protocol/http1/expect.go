package http1

import (
	"strings"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
)

// consent says what became of a request's Expect: 100-continue, until the first
// byte of its body (RFC 9110 section 10.1.1).
type consent uint8

const (
	unwanted consent = iota // none was asked for, it was given, or the body came without
	awaited                 // no answer yet
	refused                 // the answer was a final one
	doubted                 // what the answer was is not known
)

// awaits notes that the sender of h.m wants consent before it sends the body,
// which was not begun yet. A body that is a request itself would look like the
// next request, and is never taken for it.
func (d *decoder) awaits(h *half) {
	if h.m == nil {
		return // it has no body
	}
	for i := range h.m.Fields {
		f := &h.m.Fields[i]
		if message.EqualFold(f.Name, "Content-Type") && strings.Contains(strings.ToLower(f.Value), "/http") {
			return
		}
	}
	h.consent = awaited
}

// decided notes what m, an answer to request, says to the request that is open.
// An answer whose request is not known proves nothing.
func (d *decoder) decided(m, request *message.Message) {
	h := &d.half[flow.Client]
	switch {
	case h.consent == unwanted:
	case m.Status == "100":
		h.consent = unwanted
	case m.Interim:
	case request == nil:
		h.consent = doubted
	case request == h.m:
		h.consent = refused
	}
}

// undecided notes that bytes of a side are missing, which may have held the
// answer to an expectation of the other.
func (d *decoder) undecided(from flow.Side) {
	if h := &d.half[from.Peer()]; h.consent == awaited {
		h.consent = doubted
	}
}

// unsent tells whether what comes in place of a body is the next request. The
// client may send the body in spite of a final answer, or not at all; what
// proves the latter is that a segment begins with an exact request line right
// behind the head. Where the answer may have been missed, that line ends the
// request all the same, whose body may be missing as well. Without any answer
// it is the body, of a request that is not called whole: the answer may be a
// loss that is not known yet.
func (d *decoder) unsent(t *turn) protocol.Match {
	if t.used > 0 || !t.in.Edge {
		return protocol.No
	}
	match := d.starts(t, t.rest())
	switch {
	case match == protocol.More && t.in.Final:
		if !t.in.End || t.in.Cut {
			t.h.m.Marks |= message.CutEnd // what is missing would say which it is
		}
		return protocol.No
	case match != protocol.Yes || t.h.consent != awaited:
		return match
	}
	if s := &d.half[flow.Server]; s.begun && s.state == atHead && s.scan == 0 {
		t.h.m.Marks |= message.CutEnd
		return protocol.No
	}
	return protocol.Yes
}

// endUnsent ends a request none of whose body was sent, as far as is known.
func (d *decoder) endUnsent(t *turn) {
	t.h.headOnly = true
	if t.h.consent == refused {
		d.end(t, t.offset(), message.BodyUnsent)
	} else {
		d.end(t, t.offset(), message.CutEnd)
	}
	t.h.headOnly = false
}

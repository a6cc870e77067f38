package http1

import (
	"bytes"

	"github.com/passiflow/passiflow/protocol"
)

// resync skips the bytes of a side that is lost. It goes on where a segment
// begins with a whole start line, whose head must then be free of faults: the
// senders of messages write them from the start of a segment, and a body that
// holds such a line right there is the exception. Nothing else proves that a
// message begins.
func (d *decoder) resync(t *turn) bool {
	h, b := t.h, t.rest()
	if t.used > 0 || !t.in.Edge {
		t.used = len(t.in.Data)
		h.held = 0
		return true
	}
	if n := h.held; n > 0 && n < len(b) && !certain(b) && d.starts(t, b[n:]) == protocol.Yes {
		t.used = n // what was held back was no start, what came after it is
		b = b[n:]
	}
	h.held = 0
	switch d.starts(t, b) {
	case protocol.Yes:
		h.state, h.strict = atHead, true
		return true
	case protocol.More:
		if !t.in.Final {
			h.held = len(b)
			return false
		}
	}
	if next, name := protocol.Recognise(b, asks(t.in.From)); next == "tls" && !d.half[0].found && !d.half[1].found {
		t.err = &protocol.Opaque{Cause: protocol.NotSpoken, Protocol: "http", Next: next, Server: name, Sample: protocol.Sample(b)}
		return false
	}
	t.used = len(t.in.Data)
	return true
}

// starts tells whether b begins with a whole start line of this side.
func (d *decoder) starts(t *turn, b []byte) protocol.Match {
	if !asks(t.in.From) {
		return startsAnswer(b)
	}
	if e := bytes.IndexByte(b, '\n'); e >= 0 {
		return yes(requestLine(b[:e]))
	}
	i := 0
	for i < len(b) && i <= methodLimit && isToken(b[i]) {
		i++
	}
	if i == len(b) {
		return yesMore(methodPrefix(b))
	}
	return yesMore(b[i] == ' ' && knownMethod(b[:i]) && len(b) < d.s.HeadLimit)
}

// certain tells whether b begins with a method everybody knows, so that what was
// held back and what came later belong together.
func certain(b []byte) bool {
	sp := bytes.IndexByte(b[:min(len(b), methodLimit)], ' ')
	return sp > 0 && (knownMethod(b[:sp]) || b[0] == 'H' && startsAnswer(b) == protocol.Yes)
}

func yesMore(b bool) protocol.Match {
	if b {
		return protocol.More
	}
	return protocol.No
}

// methodPrefix tells whether b may become a known method.
func methodPrefix(b []byte) bool {
	const known = " GET POST PUT HEAD PATCH DELETE OPTIONS CONNECT TRACE PROPFIND PROPPATCH MKCOL REPORT SEARCH QUERY "
	return len(b) < 10 && bytes.Contains([]byte(known), append([]byte{' '}, b...))
}

package http1

import (
	"bytes"
	"math"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
)

// startLine says where the parts of a start line stand. In a request the
// method ends at a, the target stands from b to c and the version from d to e;
// in an answer the status stands from a to b, the reason from c to the end of
// the line, and the version from d to e.
type startLine struct {
	ok            bool
	a, b, c, d, e int
	marks         message.Mark
}

// parseRequest reads a request line (RFC 9112 section 3). A line with white
// space in its target is read as well as possible, and one without a version if
// its method is a common one or if it is cut off.
func parseRequest(line []byte, cut bool) (s startLine) {
	i := 0
	for i < len(line) && isToken(line[i]) {
		i++
	}
	if i == 0 || i == len(line) || line[i] != ' ' && line[i] != '\t' {
		return s
	}
	s.ok, s.a = true, i
	n := len(line)
	if n >= i+11 && string(line[n-9:n-1]) == " HTTP/1." && digit(line[n-1]) {
		s.d, s.e, n = n-3, n, n-9
	} else if v := lastVersion(line); v > i {
		s.d, s.e = v+5, len(line)
		n = v
		s.marks = message.BadHeader
	} else if s.marks = message.BadHeader; !cut && !knownMethod(line[:i]) {
		return startLine{}
	}
	for i < n && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	for n > i && (line[n-1] == ' ' || line[n-1] == '\t') {
		n--
	}
	if i != s.a+1 || i == n || bytes.IndexByte(line[i:n], ' ') >= 0 {
		s.marks |= message.BadHeader
	}
	if i == n && !cut && !knownMethod(line[:s.a]) {
		return startLine{} // the rest of something: a target is never empty (RFC 9112 section 3.2)
	}
	s.b, s.c = i, n
	return s
}

// lastVersion returns where the last word of a line stands, if it is some
// HTTP version.
func lastVersion(line []byte) int {
	i := bytes.LastIndexAny(line, " \t") + 1
	if i > 0 && len(line)-i >= 6 && bytes.EqualFold(line[i:i+5], []byte("HTTP/")) && digit(line[i+5]) {
		return i
	}
	return -1
}

// parseAnswer reads a status line (RFC 9112 section 4), also one of SHOUTcast
// and one whose reason or digits are missing.
func parseAnswer(line []byte) (s startLine) {
	n := len(line)
	if n >= 12 && string(line[:7]) == "HTTP/1." && digit(line[7]) && line[8] == ' ' && digits(line[9:12]) && (n == 12 || line[12] == ' ') {
		return startLine{ok: true, d: 5, e: 8, a: 9, b: 12, c: min(13, n)}
	}
	i := 0
	switch {
	case n >= 4 && string(line[:4]) == "ICY ":
		s.e, i = 3, 3
	case n >= 5 && bytes.EqualFold(line[:5], []byte("HTTP/")):
		s.marks = message.BadHeader
		for i = 5; i < n && line[i] > ' '; i++ {
		}
		s.d, s.e = 5, i
	default:
		return s
	}
	for i < n && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	s.a = i
	for i < n && digit(line[i]) {
		i++
	}
	s.b = i
	if s.b-s.a != 3 {
		s.marks |= message.BadHeader
	}
	if i < n && (line[i] == ' ' || line[i] == '\t') {
		i++
	} else if i < n {
		s.marks |= message.BadHeader
	}
	s.c, s.ok = i, true
	return s
}

// simpleRequest tells whether a line is an HTTP/0.9 request.
func simpleRequest(line []byte) bool {
	line = trimCR(line)
	n := len(line)
	if n < 5 || string(line[:4]) != "GET " || n > 9 && string(line[n-9:n-3]) == " HTTP/" {
		return false
	}
	target := bytes.TrimRight(line[4:], " \t")
	if len(target) == 0 || target[0] != '/' && !bytes.Contains(target, []byte("://")) || bytes.Contains(target, []byte("HTTP/")) {
		return false
	}
	for _, c := range target {
		if c <= ' ' {
			return false
		}
	}
	return true
}

// plausible tells whether b may be the beginning of a head.
func plausible(b []byte, request bool) bool {
	if !request {
		n := min(len(b), 5)
		if bytes.EqualFold(b[:n], []byte("HTTP/")[:n]) {
			return true
		}
		n = min(len(b), 4)
		return string(b[:n]) == "ICY "[:n]
	}
	for i, c := range b[:min(len(b), 256)] {
		if !isToken(c) {
			return i > 0 && (c == ' ' || c == '\t')
		}
	}
	return len(b) < 256
}

// junk deals with bytes at the beginning of a message that begin none.
func (d *decoder) junk(t *turn) bool {
	h, b := t.h, t.rest()
	if !t.in.Final {
		if d.connect && asks(t.in.From) {
			return false // the first bytes of a tunnel that is not agreed on yet
		}
		if protocol.TLSHello(b) == protocol.More {
			return false
		}
	}
	h.scan, h.line = 0, 0
	if next, name := protocol.Recognise(b, asks(t.in.From)); next != "" || !d.half[0].found && !d.half[1].found {
		cause := protocol.NotSpoken
		if d.connect {
			cause = protocol.Tunnelled
		}
		t.err = &protocol.Opaque{Cause: cause, Protocol: "http", Next: next, Server: name, Sample: protocol.Sample(b)}
		return false
	}
	if asks(t.in.From) || h.found {
		h.state = lost
		return true
	}
	m := &message.Message{From: t.in.From, Start: t.first(), Begin: t.offset(), Size: -1, WireSize: -1,
		Version: "0.9", Marks: message.HTTP09 | message.CloseDelimited}
	d.begin(t, m)
	h.state, h.expect = inClose, math.MaxInt64
	return true
}

package http1

import (
	"math"
	"strings"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
)

// framing is what the header fields say of where the body ends.
type framing struct {
	length   uint64
	codings  codings // of the content, then of the transfer
	transfer codings
	hasLen   bool
	coded    bool // there is a Transfer-Encoding, or what some may take for one
	chunked  bool
	expects  bool // the client waits for a 100 before it sends the body
	odd      bool // what some take for one of these fields, and others do not
	marks    message.Mark
}

// add takes a field into account if it says something of the framing.
func (f *framing) add(name, value string) {
	switch len(name) {
	case len("Expect"):
		if name[0]|0x20 == 'e' && message.EqualFold(name, "Expect") && message.EqualFold(trimOWS(value), "100-continue") {
			f.expects = true
		}
	case len("Content-Length"):
		if name[0]|0x20 == 'c' && message.EqualFold(name, "Content-Length") {
			f.addLength(value)
		}
	case len("Content-Encoding"):
		if name[0]|0x20 == 'c' && message.EqualFold(name, "Content-Encoding") {
			f.codings.add(value)
		}
	case len("Transfer-Encoding"):
		if name[0]|0x20 == 't' && message.EqualFold(name, "Transfer-Encoding") {
			f.addTransfer(value)
		}
	}
}

// addLength reads a Content-Length, which may be a list of equal numbers (RFC
// 9112 section 6.3). Of several numbers the first one counts.
func (f *framing) addLength(value string) {
	for more := true; more; {
		var v string
		v, value, more = strings.Cut(value, ",")
		n, ok := decimal(trimOWS(v))
		switch {
		case !ok:
			f.marks |= message.ConflictLength
		case !f.hasLen:
			f.length, f.hasLen = n, true
		case f.length != n:
			f.marks |= message.ConflictLength
		}
	}
}

// addTransfer reads a Transfer-Encoding.
func (f *framing) addTransfer(value string) {
	f.coded = true
	for more := true; more; {
		var v string
		v, value, more = strings.Cut(value, ",")
		v = trimCoding(v)
		f.odd = f.odd || f.chunked // which has to be the last
		switch c := codingOf(v); {
		case message.EqualFold(v, "chunked"):
			f.chunked = true
		case c == unknown:
			f.marks |= message.BadHeader
		default:
			f.transfer.push(c)
		}
	}
}

// suspect takes text into account that stands where no field should begin, such
// as behind a bare CR or on a folded line, and that some readers take for one.
func (f *framing) suspect(text string) {
	name, value, ok := strings.Cut(text, ":")
	if !ok || len(name) > 64 || !message.EqualFold(onlyToken(name), "Transfer-Encoding") {
		return
	}
	f.coded = true
	if strings.Contains(strings.ToLower(value[:min(len(value), 64)]), "chunked") {
		f.marks |= message.BadHeader
	}
}

// doubt takes a name into account that is not spelled as it should be.
func (f *framing) doubt(name string) {
	if len(name) >= len("Content-Length") && len(name) <= 64 {
		name = onlyToken(name)
		f.odd = f.odd || message.EqualFold(name, "Content-Length") || message.EqualFold(name, "Transfer-Encoding")
	}
}

// onlyToken returns s without the characters that no name has.
func onlyToken(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 && isToken(byte(r)) {
			return r
		}
		return -1
	}, s)
}

// settle decides between Content-Length and Transfer-Encoding: the latter wins
// (RFC 9112 section 6.3).
func (f *framing) settle() {
	if f.coded && f.hasLen {
		f.marks |= message.ConflictLength
	}
	for _, c := range f.transfer.list[:f.transfer.n] {
		f.codings.push(c)
	}
}

// decimal reads a number of digits that fits an int64.
func decimal(s string) (uint64, bool) {
	if s == "" {
		return 0, false
	}
	var n uint64
	for i := 0; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 || n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}

// bodyOfRequest enters the body of h.m, a request.
func (d *decoder) bodyOfRequest(t *turn, f *framing) {
	f.settle()
	if f.odd || f.coded && (!f.chunked || t.h.m.Version == "1.0") {
		f.marks |= message.ConflictLength
	}
	t.h.m.Marks |= f.marks
	switch {
	case f.chunked:
		d.enter(t, f, atChunk, 0)
	case f.hasLen && f.length > 0:
		d.enter(t, f, inLength, f.length)
	default:
		d.bodiless(t)
	}
	if f.expects {
		d.awaits(t.h)
	}
}

// bodyOfAnswer enters the body of h.m, an answer to request, which is nil where
// it is not known (RFC 9112 section 6.3).
func (d *decoder) bodyOfAnswer(t *turn, f *framing, request *message.Message) {
	h, m := t.h, t.h.m
	d.decided(m, request)
	success := len(m.Status) == 3 && m.Status[0] == '2'
	switch {
	case m.Status == "101":
		next, _ := m.Get("Upgrade")
		d.bodiless(t)
		t.err = &protocol.Opaque{Cause: protocol.Upgraded, Protocol: "http", Next: upgradeName(next)}
		return
	case m.Interim, m.Status == "204", m.Status == "304", request != nil && request.Op == "HEAD":
		d.bodiless(t)
		return
	case request != nil && request.Op == "CONNECT":
		d.connect = false
		if success {
			d.bodiless(t)
			d.tunnel = true
			return
		}
	}
	if !f.hasLen && !f.coded {
		afterCR(m, f)
	}
	f.settle()
	m.Marks |= f.marks
	switch {
	case f.coded:
		d.enter(t, f, atChunk, 0)
		h.opening, h.chunked, h.length = true, f.chunked, -1
		if f.hasLen {
			h.length = int64(f.length)
		}
	case f.hasLen && f.length == 0:
		d.bodiless(t)
	case f.hasLen:
		d.enter(t, f, inLength, f.length)
	default:
		m.Marks |= message.CloseDelimited
		d.enter(t, f, inClose, 0)
	}
	h.unasked, h.headEnd = request == nil && h.m != nil, t.offset()
}

// afterCR looks for fields behind a bare CR, which some readers take for the
// end of a line.
func afterCR(m *message.Message, f *framing) {
	f.parts(m.Target)
	f.parts(m.Reason)
	for k := range m.Fields {
		f.parts(m.Fields[k].Value)
	}
}

// parts takes the parts of text into account that stand behind a bare CR.
func (f *framing) parts(text string) {
	for {
		var ok bool
		if _, text, ok = strings.Cut(text, "\r"); !ok {
			return
		}
		line := text[:min(len(text), 256)] // there may be one CR behind the other
		if name, _, ok := strings.Cut(line, ":"); ok {
			f.doubt(name)
			f.suspect(line)
		}
	}
}

// enter starts a body of n bytes, or of an unknown number where n is 0.
func (d *decoder) enter(t *turn, f *framing, s state, n uint64) {
	h := t.h
	h.state, h.need, h.expect, h.codings = s, n, n, f.codings
	if n == 0 {
		h.expect = math.MaxInt64
	}
}

// upgradeName returns the first protocol of an Upgrade field, in lower case and
// without its version.
func upgradeName(v string) string {
	v, _, _ = strings.Cut(v, ",")
	v, _, _ = strings.Cut(v, "/")
	v = trimOWS(v)
	if len(v) > 32 {
		v = v[:32]
	}
	return strings.ToLower(v)
}

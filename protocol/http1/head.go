package http1

import (
	"bytes"
	"strings"

	"github.com/passiflow/passiflow/message"
)

// head reads start line and header fields, once they are all there.
func (d *decoder) head(t *turn) bool {
	h, b := t.h, t.rest()
	if h.scan == 0 {
		rest := skipBlank(b)
		if !asks(t.in.From) {
			rest = bytes.TrimLeft(rest, " \t\r\n") // seen before answers, and ignored
		}
		if n := len(b) - len(rest); n > 0 {
			t.used += n
			return true
		}
	}
	end, ok := d.scanHead(h, b)
	if (h.line > 0 || ok) && asks(t.in.From) && !h.strict {
		if line := b[:bytes.IndexByte(b, '\n')]; simpleRequest(line) {
			d.simple(t, line)
			return true
		}
	}
	if !ok && !plausible(b, asks(t.in.From)) {
		return d.junk(t)
	}
	if end > d.s.HeadLimit || !ok && len(b) >= d.s.HeadLimit {
		d.partial(t, b[:d.s.HeadLimit])
		return true
	}
	if !ok {
		return false
	}
	strict := h.strict
	h.scan, h.line, h.strict = 0, 0, false
	var f framing
	m := d.build(t, b[:end], &f)
	if m == nil || strict && m.Marks&message.BadHeader != 0 {
		if strict {
			h.state = lost
			t.used += end
			return true
		}
		return d.junk(t)
	}
	if !asks(m.From) && m.Marks&message.FoldedHeader != 0 && m.Marks&message.BadHeader != 0 {
		if n := blankLine(b[:end]); n > 0 && n < end && b[n] != ' ' && b[n] != '\t' && !fieldLine(b[n:end]) {
			d.closeHead(t, b[:n])
			return true
		}
	}
	m.Interim = interim(m)
	request := d.begin(t, m)
	t.used += end
	if asks(m.From) {
		d.connect = m.Op == "CONNECT"
		d.bodyOfRequest(t, &f)
	} else {
		d.bodyOfAnswer(t, &f, request)
	}
	return true
}

// scanHead looks for the empty line that ends a head and notes where its lines
// end. What it has looked at in an earlier call it does not look at again.
func (d *decoder) scanHead(h *half, b []byte) (end int, ok bool) {
	lines := d.s.lines[:0]
	again := h.line > 0
	line, at := h.line, h.scan
	for {
		j := bytes.IndexByte(b[at:], '\n')
		if j < 0 {
			h.line, h.scan = line, len(b)
			d.s.lines = lines
			return 0, false
		}
		at += j
		lines = append(lines, int32(at))
		if at == line || at == line+1 && b[line] == '\r' {
			break
		}
		at++
		line = at
	}
	end = at + 1
	if again {
		lines = appendLines(lines[:0], b[:end])
	}
	d.s.lines = lines
	return end, true
}

// build makes a message of a head whose lines end at d.s.lines; nil if its
// first line is no start line.
func (d *decoder) build(t *turn, b []byte, f *framing) *message.Message {
	lines := d.s.lines
	first := len(b)
	if len(lines) > 0 {
		first = int(lines[0])
	}
	var s startLine
	line := trimCR(b[:first])
	if asks(t.in.From) {
		s = parseRequest(line, len(lines) == 0)
	} else {
		s = parseAnswer(line)
	}
	if !s.ok {
		return nil
	}
	text := string(b)
	m := withRoom(min(len(lines)-2, d.s.FieldLimit))
	m.From, m.Start, m.End, m.Begin = t.in.From, t.first(), t.in.Time, t.offset()
	m.Size, m.WireSize, m.Marks, m.Head = -1, -1, s.marks, uint32(len(text))
	if asks(m.From) {
		m.Op, m.Target, m.Version = text[:s.a], text[s.b:s.c], text[s.d:s.e]
	} else {
		m.Version, m.Status, m.Reason = text[s.d:s.e], text[s.a:s.b], text[s.c:len(line)]
	}
	if len(line) == first {
		m.Marks |= message.BareLF
	}
	if len(lines) > 1 {
		d.fields(m, text, lines[:len(lines)-1], 0, f)
	}
	if strings.IndexByte(text, 0) >= 0 {
		m.Marks |= message.BadHeader
	}
	for i := range m.Fields {
		f.add(m.Fields[i].Name, m.Fields[i].Value)
	}
	if asks(m.From) {
		n, mixed := strings.Count(text, "\r"), m.Marks&message.BareLF != 0
		if n > len(lines) {
			m.Marks |= message.BadHeader
		}
		if n > len(lines) || n > 0 && mixed {
			afterCR(m, f)
		}
		f.odd = f.odd || n > 0 && mixed && (f.hasLen || f.coded) // for some a line ends elsewhere
	}
	if m.Marks&message.BadHeader != 0 {
		for i := range m.Fields {
			if clean := onlyToken(m.Fields[i].Name); clean != m.Fields[i].Name {
				f.add(clean, m.Fields[i].Value)
			}
		}
	}
	return m
}

// withRoom makes a message with room for n fields, in one piece of memory where
// there are not too many. The pieces are as large as the allocator makes them.
func withRoom(n int) *message.Message {
	switch {
	case n <= 0:
		return new(message.Message)
	case n <= 4:
		x := new(struct {
			m message.Message
			f [4]message.Field
		})
		x.m.Fields = x.f[:0]
		return &x.m
	case n <= 6:
		x := new(struct {
			m message.Message
			f [6]message.Field
		})
		x.m.Fields = x.f[:0]
		return &x.m
	case n <= 7:
		x := new(struct {
			m message.Message
			f [7]message.Field
		})
		x.m.Fields = x.f[:0]
		return &x.m
	case n <= 8:
		x := new(struct {
			m message.Message
			f [8]message.Field
		})
		x.m.Fields = x.f[:0]
		return &x.m
	case n <= 10:
		x := new(struct {
			m message.Message
			f [10]message.Field
		})
		x.m.Fields = x.f[:0]
		return &x.m
	case n <= 13:
		x := new(struct {
			m message.Message
			f [13]message.Field
		})
		x.m.Fields = x.f[:0]
		return &x.m
	case n <= 16:
		x := new(struct {
			m message.Message
			f [16]message.Field
		})
		x.m.Fields = x.f[:0]
		return &x.m
	}
	return &message.Message{Fields: make([]message.Field, 0, n)}
}

// fields appends the field lines of text, which begin behind the line feeds at
// ends and reach to the next; the line behind the last one is left out. A line
// cannot continue one of the first fields of m, which belong to another block.
func (d *decoder) fields(m *message.Message, text string, ends []int32, first int, f *framing) {
	base := int(ends[0]) + 1
	over := false
	folded := false // the last field goes on over lines, gathered in d.s.folded
	for k, end := range ends[1:] {
		s, e := base, int(end)
		base = e + 1
		if e > s && text[e-1] == '\r' {
			e--
		} else {
			m.Marks |= message.BareLF
		}
		i := s
		for i < e && isToken(text[i]) {
			i++
		}
		var name string
		v := i + 1
		switch {
		case i < e && text[i] == ':' && i > s:
			name = text[s:i]
		case s < e && (text[s] == ' ' || text[s] == '\t') && len(m.Fields) > first:
			m.Marks |= message.FoldedHeader
			f.suspect(text[s:e])
			if name, _, ok := strings.Cut(text[s:min(e, s+256)], ":"); ok {
				f.doubt(name)
			}
			f.doubt(m.Fields[len(m.Fields)-1].Name) // some do not read on
			if !over {
				last := &m.Fields[len(m.Fields)-1]
				if !folded {
					d.s.folded, folded = append(d.s.folded[:0], last.Value...), true
				}
				d.s.folded = fold(d.s.folded, trimOWS(text[s:e]))
				if k+2 == len(ends) {
					unfold(m, d.s.folded)
				}
			}
			continue
		default:
			m.Marks |= message.BadHeader
			if c := strings.IndexByte(text[s:e], ':'); c >= 0 {
				name, v = trimName(text[s:s+c]), s+c+1
				f.doubt(name)
			} else {
				name, v = text[s:e], e
			}
		}
		if folded {
			unfold(m, d.s.folded)
			folded = false
		}
		for v < e && (text[v] == ' ' || text[v] == '\t') {
			v++
		}
		for e > v && (text[e-1] == ' ' || text[e-1] == '\t') {
			e--
		}
		if len(m.Fields) >= d.s.FieldLimit {
			m.Marks |= message.HeadTruncated
			over = true
			f.add(name, text[v:e])
			continue
		}
		n := len(m.Fields)
		if n == cap(m.Fields) { // trailer fields only
			m.Fields = append(m.Fields, message.Field{})
		}
		m.Fields = m.Fields[:n+1]
		field := &m.Fields[n]
		field.Name, field.Value = name, text[v:e]
	}
}

// fold joins a continuation line to a value (RFC 9112 section 5.2).
func fold(value []byte, more string) []byte {
	if len(value) > 0 && more != "" {
		value = append(value, ' ')
	}
	return append(value, more...)
}

// unfold gives the last field of m its value of several lines.
func unfold(m *message.Message, value []byte) {
	m.Fields[len(m.Fields)-1].Value = string(value)
	m.Head += uint32(len(value))
}

// partial reports a head that will not be complete here: b is cut off by a gap,
// by the end or by the head's bound.
func (d *decoder) partial(t *turn, b []byte) {
	h := t.h
	if t.in.End && !h.strict && !asks(t.in.From) {
		if n := blankLine(b); n > 0 {
			d.closeHead(t, b[:n])
			return
		}
	}
	strict := h.strict
	h.scan, h.line, h.strict = 0, 0, false
	d.s.lines = appendLines(d.s.lines[:0], b)
	lines := d.s.lines
	var f framing
	m := d.build(t, b, &f)
	if m == nil || strict && (m.Marks&message.BadHeader != 0 || len(lines) == 0) {
		if !strict && len(lines) > 0 && d.junk(t) {
			return
		}
		t.used += len(b)
		h.state = lost
		return
	}
	if len(lines) == 0 {
		m.Marks = 0 // the line may have been in order
	}
	t.used += len(b)
	d.begin(t, m)
	d.undecided(t.in.From)
	switch {
	case !t.in.Final || t.used < len(t.in.Data):
		d.end(t, t.offset(), message.HeadTruncated)
		h.state = lost
	case t.in.End:
		d.end(t, t.offset(), message.CutEnd)
		h.state = lost
	default:
		h.state = headGap
	}
}

// blankLine returns where the line ends in a head that holds nothing but white
// space; 0 if there is none.
func blankLine(b []byte) int {
	for at := 0; ; {
		e := bytes.IndexByte(b[at:], '\n')
		if e < 0 {
			return 0
		}
		if at > 0 && len(bytes.TrimLeft(b[at:at+e], " \t\r")) == 0 {
			return at + e + 1
		}
		at += e + 1
	}
}

// fieldLine tells whether b begins with the name of a field.
func fieldLine(b []byte) bool {
	i := 0
	for i < len(b) && isToken(b[i]) {
		i++
	}
	return i > 0 && i < len(b) && b[i] == ':'
}

// closeHead reads an answer whose head never ends, because the empty line at its
// end has white space in it.
func (d *decoder) closeHead(t *turn, b []byte) {
	t.h.scan, t.h.line = 0, 0
	d.s.lines = appendLines(d.s.lines[:0], b)
	var f framing
	m := d.build(t, b, &f)
	if m == nil {
		d.junk(t)
		return
	}
	m.Marks |= message.BadHeader
	m.Interim = interim(m)
	request := d.begin(t, m)
	t.used += len(b)
	d.bodyOfAnswer(t, &f, request)
}

func appendLines(lines []int32, b []byte) []int32 {
	for i, c := range b {
		if c == '\n' {
			lines = append(lines, int32(i))
		}
	}
	return lines
}

// interim tells whether an answer is one before the answer (RFC 9110 section
// 15.2); 101 is the last one in this protocol.
func interim(m *message.Message) bool {
	return len(m.Status) == 3 && m.Status[0] == '1' && m.Status != "101"
}

// simple reports an HTTP/0.9 request: a line without a version.
func (d *decoder) simple(t *turn, line []byte) {
	t.h.scan, t.h.line = 0, 0
	text := string(trimCR(line))
	m := &message.Message{From: t.in.From, Start: t.first(), Begin: t.offset(), Size: -1, WireSize: -1,
		Op: text[:3], Target: strings.Trim(text[4:], " \t"), Version: "0.9", Marks: message.HTTP09, Head: uint32(len(text))}
	t.used += len(line) + 1
	d.begin(t, m)
	d.bodiless(t)
}

func trimOWS(s string) string { return strings.Trim(s, " \t") }

// trimName takes what browsers ignore around a field name off it.
func trimName(s string) string { return strings.Trim(s, " \t\r\v\f\x00") }

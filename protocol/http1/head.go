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
		if n := len(b) - len(skipBlank(b)); n > 0 {
			t.used += n
			return true
		}
	}
	end, ok := d.scanHead(h, b)
	if h.line > 0 || ok {
		if line := b[:bytes.IndexByte(b, '\n')]; asks(t.in.From) && !h.strict && simpleRequest(line) {
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
	m.Interim = !asks(m.From) && len(m.Status) == 3 && m.Status[0] == '1' && m.Status != "101"
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
		lines = lines[:0]
		for i, c := range b[:end] {
			if c == '\n' {
				lines = append(lines, int32(i))
			}
		}
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
		s = parseRequest(line)
	} else {
		s = parseAnswer(line)
	}
	if !s.ok {
		return nil
	}
	text := string(b)
	m := &message.Message{From: t.in.From, Start: t.first(), Begin: t.offset(), Size: -1, WireSize: -1, Marks: s.marks}
	if asks(m.From) {
		m.Op, m.Target, m.Version = text[:s.a], text[s.b:s.c], text[s.d:s.e]
	} else {
		m.Version, m.Status, m.Reason = text[s.d:s.e], text[s.a:s.b], text[s.c:len(line)]
	}
	if len(line) == first {
		m.Marks |= message.BareLF
	}
	if n := len(lines) - 2; n > 0 {
		m.Fields = make([]message.Field, 0, min(n, d.s.FieldLimit))
	}
	if len(lines) > 1 {
		d.fields(m, text, lines[:len(lines)-1], f)
	}
	if strings.IndexByte(text, 0) >= 0 {
		m.Marks |= message.BadHeader
	}
	for i := range m.Fields {
		f.add(m.Fields[i].Name, m.Fields[i].Value)
	}
	return m
}

// fields appends the field lines of text, which begin behind the line feeds at
// ends and reach to the next; the line behind the last one is left out.
func (d *decoder) fields(m *message.Message, text string, ends []int32, f *framing) {
	base := int(ends[0]) + 1
	over := false
	for _, end := range ends[1:] {
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
		case s < e && (text[s] == ' ' || text[s] == '\t') && len(m.Fields) > 0:
			m.Marks |= message.FoldedHeader
			if !over {
				fold(&m.Fields[len(m.Fields)-1], trimOWS(text[s:e]))
			}
			continue
		default:
			m.Marks |= message.BadHeader
			if c := strings.IndexByte(text[s:e], ':'); c >= 0 {
				name, v = trimName(text[s:s+c]), s+c+1
			} else {
				name, v = text[s:e], e
			}
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
		m.Fields = append(m.Fields, message.Field{Name: name, Value: text[v:e], Raw: message.Span{Begin: uint32(v), End: uint32(e)}})
	}
}

// fold joins a continuation line to a field (RFC 9112 section 5.2). The value
// no longer stands in one piece, so that its span becomes unknown.
func fold(f *message.Field, more string) {
	f.Raw = message.Span{}
	switch {
	case f.Value == "":
		f.Value = more
	case more != "" && len(f.Value) < 64<<10:
		f.Value += " " + more
	}
}

// partial reports a head that will not be complete here: b is cut off by a gap,
// by the end or by the head's bound.
func (d *decoder) partial(t *turn, b []byte) {
	h := t.h
	strict := h.strict
	h.scan, h.line, h.strict = 0, 0, false
	lines := d.s.lines[:0]
	for i, c := range b {
		if c == '\n' {
			lines = append(lines, int32(i))
		}
	}
	d.s.lines = lines
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
	t.used += len(b)
	d.begin(t, m)
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

// simple reports an HTTP/0.9 request: a line without a version.
func (d *decoder) simple(t *turn, line []byte) {
	t.h.scan, t.h.line = 0, 0
	text := string(trimCR(line))
	m := &message.Message{From: t.in.From, Start: t.first(), Begin: t.offset(), Size: -1, WireSize: -1,
		Op: text[:3], Target: strings.Trim(text[4:], " \t"), Version: "0.9", Marks: message.HTTP09}
	t.used += len(line) + 1
	d.begin(t, m)
	d.bodiless(t)
}

func trimOWS(s string) string { return strings.Trim(s, " \t") }

// trimName takes what browsers ignore around a field name off it.
func trimName(s string) string { return strings.Trim(s, " \t\r\v\f\x00") }

package line

import (
	"bytes"
	"unicode/utf8"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
)

// appendDetails appends what stands below the line of x: headers and, where
// asked for, bodies. What the client sent stands behind '>', what the server
// sent behind '<'.
func (p *printer) appendDetails(dst []byte, x *message.Exchange) []byte {
	if m := x.Request; m != nil {
		dst = p.appendHalf(dst, x.Protocol, m, '>')
	}
	for _, m := range x.Interim {
		dst = p.appendHalf(dst, x.Protocol, m, '<')
	}
	if m := x.Response; m != nil {
		dst = p.appendHalf(dst, x.Protocol, m, '<')
	}
	return append(dst, '\n')
}

func (p *printer) appendHalf(dst []byte, protocol string, m *message.Message, arrow byte) []byte {
	l := &row{dst: dst, colors: p.config.Color}
	begin := func() {
		l.color(dim)
		l.dst = append(l.dst, ' ', ' ', arrow, ' ')
		l.color(plain)
	}
	begin()
	version := string(clean(nil, m.Version))
	if protocol == "http" && version != "" {
		version = "HTTP/" + version
	}
	words := []string{m.Op, m.Target, version}
	if m.Op == "" {
		words = []string{version, m.Status, m.Reason}
	}
	first := true
	for _, w := range words {
		if w == "" {
			continue
		}
		if !first {
			l.space(1)
		}
		first = false
		if w == version {
			l.color(dim)
		} else {
			l.color(bold)
		}
		l.dst = clean(l.dst, w)
		l.color(plain)
	}
	l.dst = l.end()
	for i := range m.Fields {
		begin()
		l.color(cyan)
		l.dst = clean(l.dst, m.Fields[i].Name)
		l.color(plain)
		l.dst = append(l.dst, ": "...)
		l.dst = clean(l.dst, m.Fields[i].Value)
		l.dst = l.end()
	}
	if p.config.Verbose < 2 || m.Size == 0 && len(m.Body) == 0 {
		return l.dst
	}
	begin()
	l.dst = l.end()
	if text(m.Body) {
		for body := m.Body; len(body) > 0; {
			one, rest, _ := bytes.Cut(body, []byte{'\n'})
			begin()
			l.dst = clean(l.dst, bytes.TrimSuffix(one, []byte{'\r'}))
			l.dst = l.end()
			body = rest
		}
	} else {
		begin()
		l.color(dim)
		l.dst = append(l.dst, "[binary, "...)
		l.dst = appendInt(l.dst, int64(len(m.Body)))
		l.dst = append(l.dst, " bytes]"...)
		for _, c := range m.Body[:min(len(m.Body), 24)] {
			l.dst = append(l.dst, ' ', digits[c>>4], digits[c&15])
		}
		if len(m.Body) > 24 {
			l.dst = append(l.dst, " …"...)
		}
		l.color(plain)
		l.dst = l.end()
	}
	if more := m.Size - int64(len(m.Body)); more > 0 {
		begin()
		l.color(dim)
		l.dst = append(l.dst, "[… "...)
		l.dst = appendInt(l.dst, more)
		l.dst = append(l.dst, " bytes more]"...)
		l.color(plain)
		l.dst = l.end()
	}
	return l.dst
}

// text tells whether b is something to read: UTF-8, perhaps cut at its end,
// with hardly a control character.
func text(b []byte) bool {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				b = b[:i]
			}
			break
		}
	}
	if !utf8.Valid(b) {
		return false
	}
	odd := 0
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			odd++
		}
	}
	return odd*20 <= len(b)
}

// appendFlow appends the line of a conversation at its end.
func (p *printer) appendFlow(dst []byte, s *flow.Summary) []byte {
	l := p.begin(dst, s.Flow.Start.Time(), s.Flow, flow.Client)
	l.color(bold)
	l.cell(append(p.take(), s.Flow.Transport.String()...), p.method, left)
	l.color(plain)
	l.space(1)
	l.cell(append(p.take(), s.Reason.String()...), 8, left)
	for side, arrow := range [...]string{"→", "←"} {
		if p.method == wideMethod {
			l.space(2)
			l.cell(append(appendInt(p.take(), int64(s.Packets[side])), " packets"...), 15, right)
		}
		l.space(1)
		l.cell(append(append(appendSize(p.take(), int64(s.Bytes[side])), ' '), arrow...), 11, right)
	}
	l.space(1)
	l.cell(appendDuration(p.take(), s.End.Sub(s.Flow.Start)), 7, right)
	if lost := s.Lost[0] + s.Lost[1]; lost > 0 {
		l.space(1)
		l.color(yellow)
		l.text(appendSize(append(p.take(), "lost "...), int64(lost)))
		l.color(plain)
	}
	return l.end()
}

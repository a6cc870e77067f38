// Package line writes exchanges for people: one line each on a terminal, with
// headers and bodies below it where that is asked for. What came from the wire
// never reaches the terminal as a control character.
package line

import (
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// Config is what can be set.
type Config struct {
	// Width of the terminal in columns; a longer target is cut. Default 0: nothing
	// is cut.
	Width int
	// Color turns colours on. Default false. Whoever sets it has looked at NO_COLOR.
	Color bool
	// Verbose adds the headers (1) and the bodies (2) below each line. Default 0.
	Verbose int
	// Location is the time zone of the times shown. Default time.Local.
	Location *time.Location
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Location: time.Local} }

// New returns the format. It remembers how wide its columns have become, so
// each goroutine needs one of its own.
func New(c Config) format.Format {
	if c.Location == nil {
		c.Location = time.UTC
	}
	p := &printer{config: c, ends: 31, target: 24, method: wideMethod, clock: "15:04:05.000"}
	if c.Width > 0 && c.Width < narrow {
		p.ends, p.method, p.clock = 24, 4, "15:04:05"
	}
	return p
}

type printer struct {
	config Config
	ends   int // columns of "client → server": grows with what is seen
	target int // columns of the target where nothing is cut
	method int
	clock  string // layout of the time
	flags  []byte
	cell   []byte
}

// The columns are bounded, so that one IPv6 address does not widen all lines
// that follow.
const (
	maxEnds   = 45
	maxTarget = 60
	minTarget = 12
	narrow    = 110 // below it, times have no fraction, clients no port and conversations no count of packets

	wideMethod = 7
)

func (p *printer) ContentType() string { return "text/plain; charset=utf-8" }

// Append appends the line of x and what stands below it.
func (p *printer) Append(dst []byte, x *message.Exchange) []byte {
	if x.Summary != nil {
		return p.appendFlow(dst, x.Summary)
	}
	first := x.Request
	if first == nil {
		if first = x.Response; first == nil {
			return dst
		}
	}
	alone := x.Half == message.Unit || x.Half == message.LoneMessage // nothing else is expected beside it
	from := flow.Client
	if alone && x.Request == nil {
		from = flow.Server
	}
	l := p.begin(dst, first.Start.Time(), x.Flow, from)
	switch m := x.Request; {
	case m != nil:
		l.color(bold)
		l.cell(clean(p.take(), m.Op), p.method, left)
	case alone:
		l.cell(nil, p.method, left)
	default:
		l.color(dim)
		l.cell(append(p.take(), '?'), p.method, left)
	}
	l.color(plain)
	l.space(1)

	p.flags = appendFlags(p.flags[:0], x)
	// 3 status, 7 size, 7 latency and what separates them
	const behind = 1 + 3 + 1 + 7 + 1 + 7
	room := p.target
	if p.config.Width > 0 {
		room = p.config.Width - l.column - behind
		if n := columns(p.flags); n > 0 {
			room -= n + 1
		}
		room = max(room, minTarget)
	}
	var target []byte
	if x.Request == nil && alone {
		target = what(p.take(), x.Response)
	} else {
		target = where(p.take(), x.Request)
	}
	if p.config.Width > 0 {
		target = cut(target, room)
	} else {
		p.target = min(max(p.target, columns(target)), maxTarget)
		room = p.target
	}
	l.cell(target, room, left)

	l.space(1)
	status, size := p.take(), int64(-1)
	switch m := x.Response; {
	case m != nil:
		status = clean(status, m.Status)
		l.color(statusColor(m.Status))
		size = m.Size
	case alone:
		size = x.Request.Size
	default:
		status = append(status, '-')
		l.color(dim)
	}
	l.cell(status, 3, left)
	l.color(plain)
	l.space(1)
	l.cell(appendSize(p.take(), size), 7, right)
	l.space(1)
	latency := p.take()
	if x.Request != nil && x.Response != nil {
		latency = appendDuration(latency, x.Response.End.Sub(x.Request.Start))
	}
	l.cell(latency, 7, right)
	if len(p.flags) > 0 {
		l.space(1)
		l.color(yellow)
		l.text(p.flags)
		l.color(plain)
	}
	dst = l.end()
	if p.config.Verbose > 0 {
		dst = p.appendDetails(dst, x)
	}
	return dst
}

// begin appends the columns that all lines share: when, and who with whom. What
// stands alone from the server has the arrow turned round.
func (p *printer) begin(dst []byte, at time.Time, f *flow.Flow, from flow.Side) *row {
	l := &row{dst: dst, colors: p.config.Color}
	l.color(dim)
	l.text(at.In(p.config.Location).AppendFormat(p.take(), p.clock))
	l.color(plain)
	l.space(1)
	ends := p.take()
	if p.method < wideMethod {
		ends = f.Client.Addr().AppendTo(ends)
	} else {
		ends = f.Client.AppendTo(ends)
	}
	if from == flow.Client {
		ends = append(ends, " → "...)
	} else {
		ends = append(ends, " ← "...)
	}
	ends = f.Server.AppendTo(ends)
	p.ends = min(max(p.ends, columns(ends)), maxEnds)
	l.color(cyan)
	l.cell(ends, p.ends, left)
	l.color(plain)
	l.space(1)
	p.cell = ends
	return l
}

// take returns room for one cell.
func (p *printer) take() []byte { return p.cell[:0] }

// where appends what was asked for: the host, where the target does not name
// it, and the target.
func where(dst []byte, m *message.Message) []byte {
	if m == nil {
		return append(dst, '?')
	}
	if m.Target == "" || m.Target[0] == '/' {
		if host, ok := m.Get("host"); ok {
			dst = clean(dst, host)
		}
	}
	return clean(dst, m.Target)
}

// what appends what an answer without its request is: its reason and its kind.
func what(dst []byte, m *message.Message) []byte {
	dst = clean(dst, m.Reason)
	if kind, ok := m.Get("content-type"); ok {
		if len(dst) > 0 {
			dst = append(dst, ", "...)
		}
		dst = clean(dst, kind)
	}
	return dst
}

func appendFlags(dst []byte, x *message.Exchange) []byte {
	flag := func(s string) {
		if len(dst) > 0 {
			dst = append(dst, ", "...)
		}
		for i := range len(s) {
			c := s[i]
			if c == '_' {
				c = ' '
			}
			dst = append(dst, c)
		}
	}
	if x.Half != message.Whole && x.Half != message.LoneMessage && x.Half != message.Unit {
		flag(x.Half.String())
	}
	if x.Presumed {
		flag("presumed")
	}
	var lost int64
	var marks message.Mark
	for _, m := range []*message.Message{x.Request, x.Response} {
		if m != nil {
			lost += m.Lost
			marks |= m.Marks
		}
	}
	if lost > 0 {
		flag("lost ")
		dst = appendSize(dst, lost)
		marks &^= message.Gapped
	}
	var names [32]string
	for _, n := range marks.Names(names[:0]) {
		switch n {
		case "cut_end":
			n = "truncated"
		case "body_truncated":
			n = "body cut"
		case "body_unsent":
			n = "body not sent"
		case "close_delimited":
			continue // of interest to programs only
		}
		flag(n)
	}
	for _, m := range x.Interim {
		flag(string(clean(nil, m.Status)))
	}
	if k := x.Flow.Tunnel; k.Kind != 0 {
		flag(k.Kind.String() + " ")
		dst = appendInt(dst, int64(k.ID))
	}
	if x.Flow.VLAN != 0 {
		flag("vlan ")
		dst = appendInt(dst, int64(x.Flow.VLAN))
	}
	return dst
}

func statusColor(status string) style {
	if len(status) != 3 {
		return plain
	}
	switch status[0] {
	case '2':
		return green
	case '3':
		return cyan
	case '4':
		return yellow
	case '5':
		return red
	}
	return plain
}

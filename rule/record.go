package rule

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/vm"

	"github.com/passiflow/passiflow/message"
)

// record is what conditions see of an exchange: the members of the JSON record
// by their names there. What is absent reads "", 0 or false.
type record struct {
	ID        string    `expr:"id"`
	Time      string    `expr:"time"`
	Protocol  string    `expr:"protocol"`
	Source    string    `expr:"source"`
	Client    end       `expr:"client"`
	Server    end       `expr:"server"`
	Tunnel    tunnel    `expr:"tunnel"`
	VLAN      int       `expr:"vlan"`
	Pair      string    `expr:"pair"`
	Duration  int       `expr:"duration_ns"`
	Request   asked     `expr:"request"`
	Response  answered  `expr:"response"`
	Integrity integrity `expr:"integrity"`
}

type end struct {
	IP   string `expr:"ip"`
	Port int    `expr:"port"`
}

type tunnel struct {
	Kind string `expr:"kind"`
	ID   int    `expr:"id"`
}

type content struct {
	Time      string            `expr:"time"`
	Version   string            `expr:"version"`
	Headers   map[string]string `expr:"headers"`
	Body      string            `expr:"body"`
	BodySize  int               `expr:"body_size"`
	WireSize  int               `expr:"body_wire_size"`
	Truncated bool              `expr:"body_truncated"`
	Marks     []string          `expr:"marks"`
}

type asked struct {
	Method string `expr:"method"`
	Target string `expr:"target"`
	content
}

type answered struct {
	Status int    `expr:"status"`
	Reason string `expr:"reason"`
	content
}

type integrity struct {
	Complete     bool   `expr:"complete"`
	Half         string `expr:"half"`
	Pairing      string `expr:"pairing"` // presumed, or nothing
	StartMissing bool   `expr:"start_missing"`
	Truncated    bool   `expr:"truncated"`
	Open         bool   `expr:"open"`
	Lost         int    `expr:"lost"`
}

// fieldNames are the names that may stand in a condition.
func fieldNames() []string {
	return []string{
		"id", "time", "protocol", "source", "client", "server", "ip", "port", "tunnel", "kind", "vlan", "pair", "duration_ns", "request", "response",
		"method", "target", "status", "reason", "version", "headers", "body", "body_size", "body_wire_size", "body_truncated", "marks",
		"integrity", "complete", "half", "pairing", "start_missing", "truncated", "open", "lost", "cidr",
	}
}

// scratch is what evaluating needs; one goroutine has it at a time.
type scratch struct {
	machine vm.VM
	record  record
	filled  bool
}

// fill reads x into the record.
func (c *scratch) fill(x *message.Exchange, u *uses) {
	r := &c.record
	asked, answered := r.Request.Headers, r.Response.Headers
	*r = record{Protocol: x.Protocol}
	if f := x.Flow; f != nil {
		r.Source, r.VLAN = f.Source, int(f.VLAN)
		r.Client, r.Server = endOf(f.Client), endOf(f.Server)
		if f.Tunnel.Kind != 0 {
			r.Tunnel = tunnel{f.Tunnel.Kind.String(), int(f.Tunnel.ID)}
		}
	}
	if u.pair && x.Pair != 0 {
		r.Pair = fmt.Sprintf("%016x", x.Pair)
	}
	first := x.Request
	if first == nil {
		first = x.Response
	}
	if first != nil {
		if u.time {
			r.Time = stamp(first)
		}
		if u.id && x.Flow != nil {
			r.ID = fmt.Sprintf("%016x%08x", x.Flow.ID, uint32(first.From)<<31|first.Index&(1<<31-1))
		}
	}
	r.Request.Headers, r.Response.Headers = asked, answered
	if m := x.Request; m != nil {
		r.Request.Method, r.Request.Target = m.Op, text(m.Target)
	}
	if m := x.Response; m != nil {
		r.Response.Status, _ = strconv.Atoi(m.Status)
		r.Response.Reason = text(m.Reason)
	}
	r.Request.fill(x.Request, u)
	r.Response.fill(x.Response, u)
	if x.Request != nil && x.Response != nil && x.Response.End >= x.Request.Start {
		r.Duration = int(x.Response.End - x.Request.Start)
	}
	r.Integrity.fill(x)
	c.filled = true
}

// text is s as the record says it: what is not UTF-8 is ISO 8859-1.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	b := make([]rune, len(s))
	for i := range len(s) {
		b[i] = rune(s[i])
	}
	return string(b)
}

func endOf(a netip.AddrPort) end {
	if !a.IsValid() {
		return end{}
	}
	return end{a.Addr().WithZone("").String(), int(a.Port())}
}

func stamp(m *message.Message) string {
	return time.Unix(0, int64(m.Start)).UTC().Format("2006-01-02T15:04:05.000000000Z07:00")
}

func (c *content) fill(m *message.Message, u *uses) {
	clear(c.Headers)
	if m == nil {
		return
	}
	if u.time {
		c.Time = stamp(m)
	}
	c.Version, c.Body = m.Version, view(m.Body)
	c.BodySize, c.WireSize = int(max(m.Size, 0)), int(max(m.WireSize, 0))
	c.Truncated = m.Marks&message.BodyTruncated != 0
	if u.marks {
		c.Marks = (m.Marks &^ message.BodyTruncated).Names(nil)
	}
	if !u.every && len(u.headers) == 0 {
		return
	}
	if c.Headers == nil {
		c.Headers = map[string]string{}
	}
	for i := range m.Fields {
		f := &m.Fields[i]
		if u.every {
			c.header(strings.ToLower(f.Name), f.Value)
			continue
		}
		for _, n := range u.headers {
			if message.EqualFold(n, f.Name) {
				c.header(n, f.Value)
				break
			}
		}
	}
}

// header enters a field; those of the same name are one value with commas (RFC
// 9110 section 5.2).
func (c *content) header(name, value string) {
	value = text(value)
	if was, ok := c.Headers[name]; ok {
		value = was + ", " + value
	}
	c.Headers[name] = value
}

func (i *integrity) fill(x *message.Exchange) {
	var all message.Mark
	var lost int64
	halves := 0
	for _, m := range []*message.Message{x.Request, x.Response} {
		if m != nil {
			all, lost = all|m.Marks, lost+m.Lost
			halves++
		}
	}
	for _, m := range x.Interim {
		all, lost = all|m.Marks, lost+m.Lost
	}
	lone := x.Half == message.Unit || x.Half == message.LoneMessage
	i.Complete = all&message.Incomplete == 0 && lost == 0 && (lone || x.Half == message.Whole && halves == 2)
	if !lone {
		i.Half = x.Half.String()
	}
	if x.Presumed {
		i.Pairing = "presumed"
	}
	i.StartMissing = all&message.StartMissing != 0
	i.Truncated = all&(message.CutEnd|message.HeadTruncated) != 0
	i.Open = all&message.StillOpen != 0
	i.Lost = int(lost)
}

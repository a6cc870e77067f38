package diff

import (
	"slices"
	"strconv"
	"strings"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

// show makes the values in v what a report may show. The rules see both answers
// whole, because what is around a value may be what says that it is a secret.
func (d *Comparer) show(v *Verdict, recorded, replayed *message.Message) {
	if d.config.Rules != nil {
		was, is := d.look(recorded), d.look(replayed)
		for i := range v.Differences {
			f, at := &v.Differences[i], v.places[i]
			f.Recorded, f.Replayed = was.value(f, at, f.Recorded), is.value(f, at, f.Replayed)
		}
	}
	for i := range v.Differences {
		f := &v.Differences[i]
		if v.places[i].line > 0 {
			f.Recorded, f.Replayed = tail(f.Recorded, f.Replayed)
		}
		f.Recorded, f.Replayed = clip(f.Recorded), clip(f.Replayed)
	}
}

// Target returns a request target as a report may show it.
func (d *Comparer) Target(target string) string {
	if d.config.Rules != nil {
		x := &message.Exchange{Flow: &flow.Flow{}, Protocol: "http", Request: &message.Message{Op: "GET", Target: target}}
		if !d.config.Rules.Apply(x) {
			return rule.Redacted
		}
		target = x.Request.Target
	}
	return clip(target)
}

// masked is an answer after the rules.
type masked struct {
	*message.Message // nil: nothing of it may be shown
	body             string
	same             bool // the body is as it was
	tree             any  // the body as JSON, where it is any
	parsed           bool
}

func (d *Comparer) look(m *message.Message) *masked {
	c := *m
	c.Fields = slices.Clone(m.Fields)
	x := &message.Exchange{Flow: &flow.Flow{}, Protocol: "http", Response: &c}
	if !d.config.Rules.Apply(x) || x.Response == nil {
		return &masked{}
	}
	return &masked{Message: x.Response, body: string(x.Response.Body), same: string(x.Response.Body) == string(m.Body)}
}

// value returns what is left of a value of f.
func (m *masked) value(f *Difference, at place, value string) string {
	switch {
	case value == absent || f.Kind != Header && !at.json && at.line == 0:
		return value
	case m.Message == nil:
		return rule.Redacted
	case f.Kind == Header:
		var all []string
		for _, x := range m.Fields {
			if strings.EqualFold(x.Name, f.Name) {
				all = append(all, strings.TrimSpace(x.Value))
			}
		}
		return strings.Join(all, ", ")
	case m.same:
		return value
	case at.line > 0:
		lines := strings.SplitN(m.body, "\n", at.line+1)
		if len(lines) < at.line {
			return rule.Redacted
		}
		return lines[at.line-1]
	}
	if !m.parsed {
		m.parsed = true
		m.tree, _ = parseJSON([]byte(m.body))
	}
	v, ok := lookup(m.tree, at.path)
	if !ok {
		return rule.Redacted
	}
	return write(v)
}

// lookup returns what stands at a path.
func lookup(v any, path []string) (any, bool) {
	for _, e := range path {
		switch x := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = x[e]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(strings.TrimPrefix(e, index))
			if err != nil || i < 0 || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// tail drops what two long lines begin with in common, but for a few words.
func tail(a, b string) (string, string) {
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	if at = max(at-shown/4, 0); at == 0 || max(len(a), len(b)) <= shown {
		return a, b
	}
	return "…" + strings.ToValidUTF8(a[at:], ""), "…" + strings.ToValidUTF8(b[at:], "")
}

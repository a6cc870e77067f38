package wire

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/passiflow/passiflow/message"
)

// Rule replaces what matches in a text. The replacement may name groups of the
// match: $1, ${name}.
type Rule struct {
	Match *regexp.Regexp
	To    string
}

// HeaderRule is a Rule for the values of one header field.
type HeaderRule struct {
	Name string
	Rule
}

// ParseRule reads "REGEXP => TEXT"; spaces around the arrow do not count.
func ParseRule(s string) (Rule, error) {
	match, to, ok := strings.Cut(s, "=>")
	if !ok {
		return Rule{}, fmt.Errorf("%q is not REGEXP => TEXT", s)
	}
	re, err := regexp.Compile(strings.TrimSpace(match))
	if err != nil {
		return Rule{}, err
	}
	return Rule{re, strings.TrimSpace(to)}, nil
}

// ParseHeaderRule reads "NAME: REGEXP => TEXT".
func ParseHeaderRule(s string) (HeaderRule, error) {
	name, rest, ok := strings.Cut(s, ":")
	name = strings.TrimSpace(name)
	if !ok || !token(name) {
		return HeaderRule{}, fmt.Errorf("%q is not NAME: REGEXP => TEXT", s)
	}
	r, err := ParseRule(rest)
	return HeaderRule{name, r}, err
}

// ParseHeader reads "NAME: VALUE".
func ParseHeader(s string) (message.Field, error) {
	name, value, ok := strings.Cut(s, ":")
	f := message.Field{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)}
	switch {
	case !ok || !token(f.Name):
		return f, fmt.Errorf("%q is not NAME: VALUE", s)
	case !text(f.Value):
		return f, errors.New("the value has a control character in it")
	case framing(f.Name):
		return f, fmt.Errorf("%s is made from the body and cannot be set", f.Name)
	}
	return f, nil
}

// Target returns the target of m, rewritten.
func (c *Config) Target(m *message.Message) string {
	t := m.Target
	for _, r := range c.Targets {
		t = r.Match.ReplaceAllString(t, r.To)
	}
	return t
}

// fields returns the header fields of m, rewritten; those of m stay as they
// are.
func (c *Config) fields(m *message.Message) []message.Field {
	all := make([]message.Field, 0, len(m.Fields)+len(c.Set)+1)
	for _, f := range m.Fields {
		if removed(c.Remove, f.Name) {
			continue
		}
		for _, r := range c.Replace {
			if message.EqualFold(r.Name, f.Name) {
				f.Value = r.Match.ReplaceAllString(f.Value, r.To)
			}
		}
		all = append(all, f)
	}
	if c.Host != "" {
		all = set(all, message.Field{Name: "Host", Value: c.Host})
	}
	for _, f := range c.Set {
		all = set(all, f)
	}
	return all
}

func removed(names []string, name string) bool {
	for _, n := range names {
		if message.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// set gives the first field of that name the value and drops the others; where
// there is none it becomes the last one, and Host the first.
func set(all []message.Field, to message.Field) []message.Field {
	out, found := all[:0], false
	for _, f := range all {
		if message.EqualFold(f.Name, to.Name) {
			if found {
				continue
			}
			f.Value, found = to.Value, true
		}
		out = append(out, f)
	}
	switch {
	case found:
	case message.EqualFold(to.Name, "host"):
		out = append([]message.Field{to}, out...)
	default:
		out = append(out, to)
	}
	return out
}

// token tells whether s can be a method or a field name (RFC 9110 section
// 5.6.2).
func token(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// text tells whether s can be a field's value: whatever cannot end the line.
func text(s string) bool { return !strings.ContainsAny(s, "\r\n\x00") }

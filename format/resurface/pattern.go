package resurface

import (
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// patience is how long a pattern that backtracks may search one value. Values
// are chosen by whoever sends traffic, and some of them take for ever.
const patience = 100 * time.Millisecond

// mostPatience is how long all of them together may, in all values of a record.
const mostPatience = 3 * patience

// pattern is a regular expression. One that says only what a regular language
// can say takes time in proportion to its input; the rest, such as a look
// ahead, backtracks and is bounded by time.
type pattern struct {
	linear *regexp.Regexp
	quick  *quick // nil: there is no quicker way
	back   *regexp2.Regexp
	groups int
	names  map[string]int
}

// compile compiles text. A pattern for a whole value matches nothing less than
// all of it, with each of its alternatives.
func compile(text string, whole bool) (*pattern, error) {
	p, err := compileOne(text)
	if err != nil || !whole {
		if err == nil && p.linear != nil {
			p.quick = newQuick(text)
		}
		return p, err
	}
	return compileOne(`\A(?:` + text + `)\z`)
}

func compileOne(text string) (*pattern, error) {
	p := &pattern{names: map[string]int{}}
	re, err := regexp.Compile(text)
	if err == nil {
		p.linear, p.groups = re, re.NumSubexp()
		for i, n := range re.SubexpNames() {
			if n != "" {
				p.names[n] = i
			}
		}
		return p, nil
	}
	back, failed := regexp2.Compile(text, regexp2.RE2)
	if failed != nil {
		return nil, err
	}
	back.MatchTimeout = patience
	p.back = back
	for _, n := range back.GetGroupNumbers() {
		p.groups = max(p.groups, n)
		p.names[back.GroupNameFromNumber(n)] = n
	}
	return p, nil
}

// match tells whether the pattern occurs in s. The error says that it could not
// be told in time.
func (p *pattern) match(s string) (bool, error) {
	switch {
	case p.quick != nil:
		return p.quick.next(s, 0) != nil, nil
	case p.linear != nil:
		return p.linear.MatchString(s), nil
	}
	return p.back.MatchString(s)
}

// replace replaces each occurrence of the pattern in s.
func (p *pattern) replace(s string, to *template) (string, error) {
	switch {
	case p.quick != nil:
		return p.replaceQuick(s, to), nil
	case p.linear != nil:
		return p.replaceLinear(s, to), nil
	}
	return p.replaceBack(s, to)
}

func (p *pattern) replaceQuick(s string, to *template) string {
	var b []byte
	from := 0
	for {
		at := p.quick.next(s, from)
		if at == nil {
			break
		}
		if b == nil {
			b = make([]byte, 0, len(s)+64)
		}
		b = to.append(append(b, s[from:at[0]]...), s, at)
		from = at[1]
	}
	if b == nil {
		return s
	}
	return string(append(b, s[from:]...))
}

func (p *pattern) replaceLinear(s string, to *template) string {
	all := p.linear.FindAllStringSubmatchIndex(s, -1)
	if all == nil {
		return s
	}
	b := make([]byte, 0, len(s)+64)
	from := 0
	for _, at := range all {
		b = to.append(append(b, s[from:at[0]]...), s, at)
		from = at[1]
	}
	return string(append(b, s[from:]...))
}

// append appends the text for a match in s, whose places and those of its
// groups are at.
func (t *template) append(dst []byte, s string, at []int) []byte {
	for _, p := range t.parts {
		if p.group < 0 {
			dst = append(dst, p.text...)
		} else if i := at[2*p.group]; i >= 0 {
			dst = append(dst, s[i:at[2*p.group+1]]...)
		}
	}
	return dst
}

func (p *pattern) replaceBack(s string, to *template) (string, error) {
	m, err := p.back.FindStringMatch(s)
	if err != nil || m == nil {
		return s, err
	}
	runes := []rune(s)
	var b strings.Builder
	b.Grow(len(s))
	end := time.Now().Add(patience)
	from := 0
	for m != nil {
		if m.Length > 0 || m.Index != from || from == 0 { // like the linear one: no empty match behind another
			b.WriteString(string(runes[from:m.Index]))
			for _, t := range to.parts {
				if t.group < 0 {
					b.WriteString(t.text)
				} else if g := m.GroupByNumber(t.group); g != nil {
					b.WriteString(g.String())
				}
			}
			from = m.Index + m.Length
		}
		if m, err = p.back.FindNextMatch(m); err != nil {
			return "", err
		}
		if time.Now().After(end) {
			return "", errTime
		}
	}
	b.WriteString(string(runes[from:]))
	return b.String(), nil
}

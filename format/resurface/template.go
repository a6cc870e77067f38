package resurface

import (
	"errors"
	"fmt"
	"strings"
)

var errTime = errors.New("the time for a replacement is over")

// template is the text that a replace rule puts in place of what it found.
type template struct{ parts []part }

// part is text, or what a group of the pattern matched.
type part struct {
	text  string
	group int // -1: text
}

// parseTemplate reads a replacement: $1 and ${1} stand for a group by its number,
// ${name} by its name, and a backslash takes the meaning from what follows. A
// number takes as many digits as there are groups for; a dollar before anything
// else is a dollar.
func parseTemplate(s string, p *pattern) (template, error) {
	var t template
	var text strings.Builder
	group := func(n int) {
		if text.Len() > 0 {
			t.parts = append(t.parts, part{text.String(), -1})
			text.Reset()
		}
		t.parts = append(t.parts, part{group: n})
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			if i++; i == len(s) {
				return t, errors.New("a backslash at the end of the replacement")
			}
			text.WriteByte(s[i])
		case c == '$' && i+1 < len(s) && digit(s[i+1]):
			n := int(s[i+1] - '0')
			if n > p.groups {
				return t, fmt.Errorf("no group %d in the pattern", n)
			}
			for i++; i+1 < len(s) && digit(s[i+1]) && n*10+int(s[i+1]-'0') <= p.groups; i++ {
				n = n*10 + int(s[i+1]-'0')
			}
			group(n)
		case c == '$' && i+1 < len(s) && s[i+1] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return t, errors.New("${ without }")
			}
			word := s[i+2 : i+end]
			n, ok := p.group(word)
			if !ok {
				return t, fmt.Errorf("no group %q in the pattern", word)
			}
			group(n)
			i += end
		default:
			text.WriteByte(c)
		}
	}
	if text.Len() > 0 {
		t.parts = append(t.parts, part{text.String(), -1})
	}
	return t, nil
}

// group returns the number of the group called word, which may be a number.
func (p *pattern) group(word string) (int, bool) {
	if n, ok := p.names[word]; ok {
		return n, true
	}
	n := 0
	for i := range len(word) {
		if !digit(word[i]) || n > p.groups {
			return 0, false
		}
		n = n*10 + int(word[i]-'0')
	}
	return n, word != "" && n <= p.groups
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

package resurface

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ruleLine is a line with a rule that has expressions: text between two delimiters
// of one kind. An expression may hold its own delimiter behind a backslash, and
// may end with a backslash too, so that where it ends depends on what follows;
// places are tried one after the other.
type ruleLine string

// skip returns the place of the delimiter behind the white space at at, of
// which there has to be some if some is set.
func (l ruleLine) skip(at int, some bool) (int, bool) {
	from := at
	for at < len(l) && strings.IndexByte(space, l[at]) >= 0 {
		at++
	}
	if some && from == at || at == len(l) || strings.IndexByte(delimiters, l[at]) < 0 {
		return at, false
	}
	return at, true
}

// closings returns where the expression that begins at from may end, with at
// least shortest characters in it: the first delimiter without a backslash, then
// those with one before it. With torn it is every delimiter, to find out what
// somebody meant who forgot a backslash.
func (l ruleLine) closings(from, shortest int, torn bool) []int {
	var all []int
	for i := from + 1; i < len(l); i++ {
		if l[i] != l[from] {
			continue
		}
		long := i > from+shortest
		if l[i-1] == '\\' && i-1 > from {
			if long {
				all = append(all, i)
			}
			continue
		}
		if long {
			all = append(all, i)
		}
		if !torn {
			break
		}
	}
	slices.Reverse(all)
	return all
}

// text returns what stands between two delimiters, without the backslashes
// before that delimiter.
func (l ruleLine) text(from, end int) string {
	d := string(l[from])
	return strings.ReplaceAll(string(l[from+1:end]), `\`+d, d)
}

func (l ruleLine) pattern(from, end int, whole bool) (*pattern, error) {
	text := l.text(from, end)
	p, err := compile(text, whole)
	if whole && (text == "*" || text == "+" || text == "?") {
		err = errors.New("nothing to repeat")
	}
	if err != nil {
		return nil, fmt.Errorf("invalid regex (%s) in rule: %s: %w", l[from:end+1], string(l), err)
	}
	return p, nil
}

// span is where an expression stands: the places of its delimiters.
type span struct{ from, end int }

// shape is how a line with a scope can be read.
type shape struct {
	verb               verb
	scope, value, text span
}

// read finds how the line reads, with a scope that begins at start.
func (l ruleLine) read(start int, torn bool) (s shape, ok bool) {
	for _, end := range l.closings(start, 1, torn) {
		s.scope = span{start, end}
		at := end + 1
		for at < len(l) && strings.IndexByte(space, l[at]) >= 0 {
			at++
		}
		word := string(l[at:])
		if i := strings.IndexFunc(word, func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') }); i >= 0 {
			word = word[:i]
		}
		behind := at + len(word)
		for s.verb = stop; s.verb < verbs; s.verb++ {
			if s.verb.String() == word && l.readValue(behind, torn, &s) {
				return s, true
			}
		}
	}
	return s, false
}

// readValue reads what follows the verb.
func (l ruleLine) readValue(at int, torn bool, s *shape) bool {
	if s.verb == stop || s.verb == remove {
		return blank(string(l[at:]))
	}
	from, ok := l.skip(at, true)
	if !ok {
		return false
	}
	for _, end := range l.closings(from, 1, torn) {
		s.value = span{from, end}
		if s.verb != replace {
			if blank(string(l[end+1:])) {
				return true
			}
			continue
		}
		if end+1 == len(l) || l[end+1] != ',' {
			continue
		}
		text, ok := l.skip(end+2, true)
		if !ok {
			continue
		}
		for _, last := range l.closings(text, 0, torn) {
			if blank(string(l[last+1:])) {
				s.text = span{text, last}
				return true
			}
		}
	}
	return false
}

// addScoped reads a line whose rule begins with a scope, at start.
func (r *ruleSet) addScoped(line string, start int) (column int, err error) {
	l := ruleLine(line)
	s, ok := l.read(start, false)
	if !ok {
		if s, ok = l.read(start, true); ok {
			for _, e := range []span{s.scope, s.value, s.text} {
				for i := e.from + 1; i < e.end; i++ {
					if line[i] == line[e.from] && (line[i-1] != '\\' || i-1 == e.from) {
						return i, torn(line, i)
					}
				}
			}
		}
		return start, invalid(line)
	}
	rule := scoped{scope: len(r.scopes)}
	scope, err := l.pattern(s.scope.from, s.scope.end, true)
	if err != nil {
		return s.scope.from, err
	}
	if s.value != (span{}) {
		if rule.value, err = l.pattern(s.value.from, s.value.end, !s.verb.found()); err != nil {
			return s.value.from, err
		}
	}
	if s.verb == replace {
		if rule.text, err = parseTemplate(l.text(s.text.from, s.text.end), rule.value); err != nil {
			return s.text.from, fmt.Errorf("invalid replacement (%s) in rule: %s: %w", line[s.text.from:s.text.end+1], line, err)
		}
	}
	r.scopes = append(r.scopes, newScope(scope, l.text(s.scope.from, s.scope.end)))
	r.byVerb[s.verb] = append(r.byVerb[s.verb], rule)
	r.count++
	return 0, nil
}

package rule

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// jsonPaths masks by paths from the root of a document. It follows the
// structure strictly; where that is broken it says so, and the last names of
// the paths are then looked for everywhere instead.
type jsonPaths struct {
	steps []pathStep
	start uint64 // bit i: step i is next
	last  jsonNames
	all   jsonNames  // of each step, to know most others by their end
	deep  uint64     // steps at any depth
	plain bool       // no step is a pattern or any
	exact bool       // the indexer will not do
	names *jsonNames // those at any depth that are steps as well, for JSON in strings
	blind []*with    // of paths whose end has no name: what cannot be followed is masked whole
}

// pathStep is one step of a path; those of a path stand behind each other.
type pathStep struct {
	kind  stepKind
	deep  bool // at any depth
	name  string
	match func(string) bool
	text  string // of the pattern that match is, or name
	index int
	with  *with // the last step: what to do
}

type stepKind uint8

const (
	stepName  stepKind = iota
	stepAny            // * : any member or element
	stepIndex          // [3]
)

// maxSteps bounds the steps of all paths of one rule.
const maxSteps = 63

// parsePath reads $.user.password, $..card, $.items[*].pan, $["odd.name"],
// $..*token* and $[/^pass/]; a name alone is one at any depth. It returns where
// in the text it went wrong.
func parsePath(text string, w *with) (steps []pathStep, at int, err error) {
	s := strings.TrimPrefix(text, "$")
	for s != "" {
		at = len(text) - len(s)
		var step pathStep
		switch {
		case strings.HasPrefix(s, ".."):
			step.deep = true
			s = s[2:]
		case s[0] == '.':
			s = s[1:]
		case s[0] != '[' && at > 0:
			return nil, at, errors.New("a dot or a bracket should stand here")
		case at == 0 && s[0] != '[':
			step.deep = true
		}
		if s == "" {
			return nil, at, errors.New("a name is missing")
		}
		if s[0] == '[' {
			if s, err = step.bracket(s); err != nil {
				return nil, at, err
			}
		} else {
			end := strings.IndexAny(s, ".[")
			if end < 0 {
				end = len(s)
			}
			if end == 0 {
				return nil, at, errors.New("a name is missing")
			}
			step.named(s[:end])
			s = s[end:]
		}
		steps = append(steps, step)
	}
	if len(steps) == 0 {
		return nil, 0, errors.New("is not a path; write $.user.password or $..password")
	}
	steps[len(steps)-1].with = w
	return steps, 0, nil
}

func (p *pathStep) named(name string) {
	if name == "*" {
		p.kind = stepAny
		return
	}
	p.text = name
	if p.match, _ = compileName(name); p.match == nil { // no expression, which could be wrong
		p.name = foldName(name)
	}
}

// source returns the name as it was written.
func (p *pathStep) source() string { return p.text }

// bracket reads [3], [*], ["name"] or [/expression/].
func (p *pathStep) bracket(s string) (rest string, err error) {
	if s[1:] == "" {
		return "", errors.New("a bracket is not closed")
	}
	if q := s[1]; q == '"' || q == '\'' || q == '/' {
		end := strings.Index(s[2:], string(q)+"]")
		if end < 0 {
			return "", errors.New("a bracket is not closed")
		}
		inner := s[2 : 2+end]
		if q == '/' {
			if p.match, err = compileName("/" + inner + "/"); err != nil {
				return "", err
			}
			p.text = "/" + inner + "/"
		} else {
			p.text, p.name = inner, foldName(inner)
		}
		return s[2+end+2:], nil
	}
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return "", errors.New("a bracket is not closed")
	}
	if inner := s[1:end]; inner == "*" {
		p.kind = stepAny
	} else {
		p.kind = stepIndex
		if p.index, err = strconv.Atoi(inner); err != nil || p.index < 0 {
			return "", fmt.Errorf("[%s] is neither an index nor [*]; a name stands in quotation marks", inner)
		}
	}
	return s[end+1:], nil
}

// simple tells whether a path is one name at any depth.
func simple(steps []pathStep) bool {
	return len(steps) == 1 && steps[0].deep && steps[0].kind == stepName
}

// add takes the steps of a path.
func (p *jsonPaths) add(steps []pathStep) error {
	if len(p.steps)+len(steps) > maxSteps {
		return fmt.Errorf("the paths of one rule have more than %d steps together; make two rules of it", maxSteps)
	}
	p.start |= 1 << len(p.steps)
	p.plain = p.plain || len(p.steps) == 0
	for i, step := range steps {
		if step.deep {
			p.deep |= 1 << (len(p.steps) + i)
		}
		if step.kind == stepName && step.match == nil {
			name := `"` + step.name
			p.all.end(name[len(name)-2], name[len(name)-1])
		} else {
			p.plain = false
		}
		if step.kind == stepIndex || i == len(steps)-1 && step.kind != stepName {
			p.exact = true
		}
	}
	p.steps = append(p.steps, steps...)
	w := steps[len(steps)-1].with
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i].kind == stepName {
			return p.last.add(steps[i].source(), w)
		}
	}
	p.blind = append(p.blind, w)
	return nil
}

// join lets the paths do what names do too, in one walk, where that is possible.
func (p *jsonPaths) join(names *jsonNames, steps [][]pathStep) bool {
	if p.exact || len(p.steps)+len(steps) > maxSteps {
		return false
	}
	for _, s := range steps {
		_ = p.add(s) // there is room
	}
	p.names = names
	return true
}

// wanted tells whether s may hold something for the paths; it is quick.
func (p *jsonPaths) wanted(s string, esc bool, known *survey) bool {
	return len(p.blind) > 0 || p.last.every || p.last.wanted(s, esc, known)
}

// mask returns s with the values masked. odd tells whether names may stand in it
// that are not in double quotation marks.
func (p *jsonPaths) mask(s string, esc, odd bool, known *survey, t *trace) string {
	if !p.wanted(s, esc, known) {
		return s
	}
	if !p.exact {
		x := indexer{paths: p, s: s, esc: esc, trace: t}
		before := t.length()
		if x.walk() {
			if s = x.out.end(s); (x.strange || odd) && p.names != nil {
				s = p.names.mask(s, esc, nil, t)
			}
			return s
		}
		t.cut(before)
		return p.last.mask(s, esc, known, t)
	}
	f := follower{paths: p, s: s, trace: t}
	before := t.length()
	if f.follow() {
		return f.out.end(s)
	}
	t.cut(before)
	if len(p.blind) > 0 && strings.TrimSpace(s) != "" {
		return p.blind[0].hit(t, "", kindBody, s)
	}
	return p.last.mask(s, esc, known, t)
}

// follower walks through a text.
type follower struct {
	paths *jsonPaths
	s     string
	at    int
	out   splice
	trace *trace
	stack []frame
	space [24]frame
}

// frame is an object or array that is open.
type frame struct {
	states uint64 // steps that are next for what it holds
	array  bool
	index  int
}

// maxDepth bounds how deep a document is followed.
const maxDepth = 10_000

// follow returns false when the text is not JSON, as far as it goes: one
// document or several.
func (f *follower) follow() bool {
	f.stack = f.space[:0]
	f.at = prefix(f.s)
	for f.skip() {
		if !f.value(f.paths.start, nil) {
			return false
		}
		if f.at > len(f.s) {
			return true
		}
	}
	return true
}

// prefix skips what is put before JSON so that it is no script.
func prefix(s string) int {
	for _, p := range []string{"\ufeff", ")]}',", ")]}'", "for(;;);", "for (;;);", "while(1);"} {
		if strings.HasPrefix(s, p) {
			return len(p)
		}
	}
	return 0
}

// skip goes to the next byte that is no white space; false: there is none.
func (f *follower) skip() bool {
	for f.at < len(f.s) && (f.s[f.at] <= ' ') {
		f.at++
	}
	return f.at < len(f.s)
}

// value walks through one value of a document, which states are next for.
// When the text ends inside it, at is behind its end.
func (f *follower) value(states uint64, w *with) bool {
	if !f.one(states, w) {
		return false
	}
	for len(f.stack) > 0 && f.at <= len(f.s) {
		if !f.skip() {
			f.at = len(f.s) + 1
			return true
		}
		top := &f.stack[len(f.stack)-1]
		switch c := f.s[f.at]; {
		case c == '}' && !top.array, c == ']' && top.array:
			f.stack = f.stack[:len(f.stack)-1]
			f.at++
			continue
		case c == ',' && top.index > 0:
			f.at++
			if !f.skip() {
				f.at = len(f.s) + 1
				return true
			}
		case top.index > 0:
			return false
		}
		if !f.member(top) {
			return false
		}
	}
	return true
}

// member walks to the value of the next member or element of top.
func (f *follower) member(top *frame) bool {
	i := top.index
	top.index++
	if top.array {
		states, w := f.paths.element(top.states, i)
		return f.one(states, w)
	}
	if f.s[f.at] != '"' {
		return false
	}
	end := nextQuote(f.s, f.at+1, 0)
	if end < 0 {
		f.at = len(f.s) + 1
		return true
	}
	name := f.s[f.at+1 : end]
	f.at = end + 1
	if !f.skip() {
		f.at = len(f.s) + 1
		return true
	}
	if f.s[f.at] != ':' {
		return false
	}
	f.at++
	if !f.skip() {
		f.at = len(f.s) + 1
		return true
	}
	var states uint64
	var w *with
	if top.states != 0 {
		states, w = f.paths.member(top.states, name)
	}
	return f.one(states, w)
}

// one takes the value at f.at: a plain one whole, of others the beginning. With
// w it is masked.
func (f *follower) one(states uint64, w *with) bool {
	s := f.s
	c := s[f.at]
	if w != nil {
		from, end, kind, v := jsonValue(s, f.at, 0)
		f.at = end
		if kind == kindString && (v == "" || w.done(v)) || kind == "" {
			return end > from
		}
		f.out.quoted(s, from, end, 0, w.hitJSON(f.trace, kind, v, 0))
		return true
	}
	switch c {
	case '{', '[':
		if len(f.stack) == maxDepth {
			return false
		}
		f.stack = append(f.stack, frame{states: states, array: c == '['})
		f.at++
	case '"':
		end := nextQuote(s, f.at+1, 0)
		if end < 0 {
			f.at = len(s) + 1
			return true
		}
		f.at = end + 1
	default:
		from := f.at
		for f.at < len(s) && plain(s[f.at]) {
			f.at++
		}
		return f.at > from
	}
	return true
}

// plain tells whether c may stand in a number or in true, false and null.
func plain(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '.' || c == '-' || c == '+' || c == 'E'
}

// member returns which steps are next for the value of a member, and what to do
// with it.
func (p *jsonPaths) member(states uint64, name string) (next uint64, w *with) {
	decoded := false
	for rest := states; rest != 0; rest &= rest - 1 {
		i := trailing(rest)
		step := &p.steps[i]
		if step.deep {
			next |= 1 << i
		}
		switch step.kind {
		case stepIndex:
			continue
		case stepName:
			if !decoded {
				name, decoded = unescape(name, 0), true
			}
			if step.match != nil {
				if !step.match(name) {
					continue
				}
			} else if !same(name, step.name) {
				continue
			}
		}
		if step.with != nil {
			w = step.with
		} else {
			next |= 1 << (i + 1)
		}
	}
	return next, w
}

// element is member for an element of an array. A path need not mention arrays:
// a step that is a name stands for what the elements hold.
func (p *jsonPaths) element(states uint64, index int) (next uint64, w *with) {
	for rest := states; rest != 0; rest &= rest - 1 {
		i := trailing(rest)
		step := &p.steps[i]
		if step.deep || step.kind == stepName {
			next |= 1 << i
		}
		if step.kind == stepName || step.kind == stepIndex && step.index != index {
			continue
		}
		if step.with != nil {
			w = step.with
		} else {
			next |= 1 << (i + 1)
		}
	}
	return next, w
}

func trailing(v uint64) int { return bits.TrailingZeros64(v) }

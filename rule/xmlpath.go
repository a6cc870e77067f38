package rule

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// xmlPaths masks what elements and attributes hold, by paths such as
// //password, /order/card and //user/@token. Names are compared without regard
// to case; a prefix (soap:) need not be named. Where start and end of elements
// do not fit, and in HTML, a path counts for its last name alone.
type xmlPaths struct {
	elements, attributes names // by the last name of a path
	paths                map[*with][]xmlPath
	last                 map[*with]*with // what stands in the tables → what to do
}

type xmlPath []xmlStep

type xmlStep struct {
	name  string // folded
	match func(string) bool
	deep  bool
}

// add takes a path; at is where in it something is wrong.
func (x *xmlPaths) add(text string, w *with) (at int, err error) {
	s := text
	if s == "" || s[0] != '/' {
		return 0, errors.New("an XML path begins with / or //")
	}
	var path xmlPath
	attribute := false
	for s != "" {
		at = len(text) - len(s)
		if s[0] != '/' || attribute {
			return at, errors.New("a slash should stand here")
		}
		step := xmlStep{}
		s = s[1:]
		if strings.HasPrefix(s, "/") {
			step.deep = true
			s = s[1:]
		}
		if strings.HasPrefix(s, "@") {
			attribute = true
			s = s[1:]
		}
		end := strings.IndexByte(s, '/')
		if end < 0 {
			end = len(s)
		}
		if end == 0 {
			return at, errors.New("a name is missing")
		}
		name := s[:end]
		s = s[end:]
		if step.match, _ = compileName(name); step.match == nil {
			step.name = foldName(name)
		}
		path = append(path, step)
		if s != "" {
			continue
		}
		// One name may end several paths: the table finds this one first.
		table := &x.elements
		if attribute {
			table = &x.attributes
		}
		key := &with{}
		if step.match == nil {
			if k := table.find(name); k != nil && !patterned(table, k) {
				key = k
			} else {
				_ = table.add(name, key)
			}
		} else {
			_ = table.add(name, key)
		}
		if x.paths == nil {
			x.paths, x.last = map[*with][]xmlPath{}, map[*with]*with{}
		}
		x.paths[key] = append(x.paths[key], path)
		if x.last[key] == nil {
			x.last[key] = w
		}
	}
	return 0, nil
}

func patterned(n *names, w *with) bool {
	for _, p := range n.patterns {
		if p.with == w {
			return true
		}
	}
	return false
}

// lookup finds a name as it was sent, with or without its prefix.
func lookup(n *names, name string) *with {
	if w := n.find(name); w != nil {
		return w
	}
	if i := strings.IndexByte(name, ':'); i >= 0 {
		return n.find(name[i+1:])
	}
	return nil
}

// on returns what to do with an element or attribute that a table found.
func (x *xmlWalk) on(key *with, name string) *with {
	if key == nil {
		return nil
	}
	for _, p := range x.paths.paths[key] {
		if x.blind || p.fits(x.stack, name, &x.steps) {
			return x.paths.last[key]
		}
	}
	return nil
}

// maxFit bounds the steps that it takes to find out which elements of a document
// lie on a path, which whoever writes the document has a hand in. Beyond it, all
// do whose names fit.
const maxFit = 2_000_000

// fits tells whether stack and name lie on the path.
func (p xmlPath) fits(stack []string, name string, steps *int) bool {
	if *steps--; *steps < 0 {
		return true
	}
	n := len(p) - 1
	if !p[n].is(name) {
		return false
	}
	if p[n].deep {
		if n == 0 {
			return true
		}
		for i := len(stack) - 1; i >= 0; i-- {
			if p[:n].fits(stack[:i], stack[i], steps) {
				return true
			}
		}
		return false
	}
	if n == 0 {
		return len(stack) == 0
	}
	return len(stack) > 0 && p[:n].fits(stack[:len(stack)-1], stack[len(stack)-1], steps)
}

func (s *xmlStep) is(name string) bool {
	bare := name
	if i := strings.IndexByte(name, ':'); i >= 0 {
		bare = name[i+1:]
	}
	if s.match != nil {
		return s.match(name) || s.match(bare)
	}
	return same(name, s.name) || same(bare, s.name)
}

// mask returns s with the values masked.
func (x *xmlPaths) mask(s string, blind bool, t *trace) string {
	before := t.length()
	w := xmlWalk{paths: x, s: s, blind: blind, trace: t, steps: maxFit}
	if w.walk(0, len(s)) || blind {
		return w.out.end(s)
	}
	t.cut(before)
	w = xmlWalk{paths: x, s: s, blind: true, trace: t}
	w.walk(0, len(s))
	return w.out.end(s)
}

type xmlWalk struct {
	paths *xmlPaths
	s     string
	blind bool
	depth int // what is walked through is text of a document, or of one in its text
	out   splice
	trace *trace
	stack []string
	steps int // that are left of maxFit
}

// walk goes through s[i:to] and returns false where elements do not fit into
// each other.
func (x *xmlWalk) walk(i, to int) bool {
	s := x.s[:to]
	for {
		k := strings.IndexByte(s[i:], '<')
		if k < 0 {
			x.wrapped(i, to)
			return true
		}
		x.wrapped(i, i+k)
		i += k
		if x.depth > 0 && (strings.HasPrefix(s[i:], "<!") || strings.HasPrefix(s[i:], "<?")) {
			i += len("<!")
			continue
		}
		if end := skipMarkup(s, i); end > i {
			if x.depth == 0 {
				blind := x.blind
				x.blind, x.depth = true, 1
				x.walk(i+len("<!"), max(i+len("<!"), end-len("]]>")))
				x.blind, x.depth = blind, 0
			}
			i = end
			continue
		}
		tag, end, open := readTag(s, i)
		if tag == "" {
			i++
			continue
		}
		if tag[0] == '/' {
			if !x.close(tag[1:]) {
				return false
			}
			i = end
			continue
		}
		if !x.paths.attributes.empty() || strings.IndexByte(s[i:end], '&') >= 0 {
			x.attributes(tag, i+1+len(tag), end)
		}
		if !open {
			i = end
			continue
		}
		w := x.on(lookup(&x.paths.elements, tag), tag)
		if w != nil {
			inner, next := elementEnd(s, end, tag)
			x.hit(w, "", end, inner, s[end:inner])
			i = next
			continue
		}
		if !x.blind {
			if len(x.stack) == maxDepth {
				return false
			}
			x.stack = append(x.stack, tag)
		}
		i = end
	}
}

// wrapped masks in XML that is the text s[from:to] of a document, as services
// that pass on what others said write it.
func (x *xmlWalk) wrapped(from, to int) {
	v := x.s[from:to]
	if x.depth == deepestPart || !strings.Contains(v, "lt;") && !strings.Contains(v, "&#") {
		return
	}
	plain := xmlText(v)
	if strings.IndexByte(plain, '<') < 0 {
		return
	}
	in := xmlWalk{paths: x.paths, s: plain, blind: true, depth: x.depth + 1, trace: x.trace}
	in.walk(0, len(plain))
	if masked := in.out.end(plain); masked != plain {
		x.out.put(x.s, from, to, toEntities(masked))
	}
}

func (x *xmlWalk) close(name string) bool {
	if x.blind {
		return true
	}
	n := len(x.stack)
	if n == 0 || x.stack[n-1] != name {
		return false
	}
	x.stack = x.stack[:n-1]
	return true
}

// hit masks s[from:to].
func (x *xmlWalk) hit(w *with, under string, from, to int, v string) {
	if strings.TrimSpace(v) == "" || w.done(v) {
		return
	}
	kind := kindString
	if strings.IndexByte(v, '<') >= 0 {
		kind = kindXML
	} else {
		v = xmlText(v)
	}
	x.out.put(x.s, from, to, w.hit(x.trace, under, kind, v))
}

// attributes masks those of the tag whose name ends before at and which ends at
// end.
func (x *xmlWalk) attributes(tag string, at, end int) {
	s := x.s
	x.stack = append(x.stack, tag)
	for at < end {
		from := at
		for at < end && nameByte(s[at]) {
			at++
		}
		name := s[from:at]
		if name == "" {
			at++
			continue
		}
		for at < end && s[at] <= ' ' {
			at++
		}
		if at == end || s[at] != '=' {
			continue
		}
		at++
		for at < end && s[at] <= ' ' {
			at++
		}
		if at == end {
			break
		}
		from = at
		to := end
		if q := s[at]; q == '"' || q == '\'' {
			from++
			if k := strings.IndexByte(s[from:], q); k >= 0 {
				to = from + k
			}
			at = min(to+1, end)
		} else {
			for at < end && s[at] > ' ' && s[at] != '>' {
				at++
			}
			to = at
		}
		w := x.on(lookup(&x.paths.attributes, name), name)
		if w != nil && from < to {
			x.hit(w, "@"+name, from, to, s[from:to])
		} else {
			x.wrapped(from, to)
		}
	}
	x.stack = x.stack[:len(x.stack)-1]
}

// skipMarkup returns where a comment, CDATA section, instruction or declaration
// ends that begins at s[i]; i if it is none of these.
func skipMarkup(s string, i int) int {
	rest := s[i:]
	if len(rest) < 2 || rest[1] != '!' && rest[1] != '?' {
		return i
	}
	for _, m := range [...]struct{ begin, end string }{{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}, {"<!", ">"}} {
		if strings.HasPrefix(rest, m.begin) {
			if k := strings.Index(rest[len(m.begin):], m.end); k >= 0 {
				return i + len(m.begin) + k + len(m.end)
			}
			return len(s)
		}
	}
	return i
}

// readTag reads the tag that begins at s[i]: its name, with the slash of an end
// tag, where it ends, and whether it opens an element.
func readTag(s string, i int) (name string, end int, open bool) {
	at := i + 1
	if at < len(s) && s[at] == '/' {
		at++
	}
	first := at
	for at < len(s) && nameByte(s[at]) {
		at++
	}
	if at == first {
		return "", i, false
	}
	name = s[i+1 : at]
	for at < len(s) && s[at] != '>' {
		if q := s[at]; q == '"' || q == '\'' {
			k := strings.IndexByte(s[at+1:], q)
			if k < 0 {
				return name, len(s), false
			}
			at += k + 1
		}
		at++
	}
	if at >= len(s) {
		return name, len(s), false
	}
	return name, at + 1, s[at-1] != '/'
}

// elementEnd returns where what an element holds ends, whose start tag ends at
// at, and where its end tag ends; both are the end of the text where there is
// no end tag.
func elementEnd(s string, at int, name string) (inner, next int) {
	depth := 1
	for i := at; ; {
		k := strings.IndexByte(s[i:], '<')
		if k < 0 {
			return len(s), len(s)
		}
		i += k
		if end := skipMarkup(s, i); end > i {
			i = end
			continue
		}
		tag, end, open := readTag(s, i)
		switch {
		case tag == "":
			i++
			continue
		case tag[0] == '/' && strings.EqualFold(tag[1:], name):
			if depth--; depth == 0 {
				return i, end
			}
		case open && strings.EqualFold(tag, name):
			depth++
		}
		i = end
	}
}

func nameByte(c byte) bool {
	return c > ' ' && c != '>' && c != '/' && c != '=' && c != '<' && c != '"' && c != '\''
}

// xmlText undoes the references that every document knows, and those to
// characters by their numbers.
func xmlText(s string) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	b := append(make([]byte, 0, len(s)), s[:i]...)
	for i < len(s) {
		if s[i] == '&' {
			if r, n := reference(s[i:]); n > 0 {
				b = utf8.AppendRune(b, r)
				i += n
				continue
			}
		}
		b = append(b, s[i])
		i++
	}
	return string(b)
}

// reference reads the one that s begins with; n is 0 for none.
func reference(s string) (r rune, n int) {
	end := strings.IndexByte(s[:min(len(s), 12)], ';')
	if end < 0 {
		return 0, 0
	}
	switch name := s[1:end]; name {
	case "lt":
		r = '<'
	case "gt":
		r = '>'
	case "quot":
		r = '"'
	case "apos":
		r = '\''
	case "amp":
		r = '&'
	default:
		digits, ok := strings.CutPrefix(name, "#")
		base := 10
		if len(digits) > 1 && digits[0]|0x20 == 'x' {
			digits, base = digits[1:], 16
		}
		v, err := strconv.ParseUint(digits, base, 32)
		if !ok || err != nil || v == 0 || v > utf8.MaxRune {
			return 0, 0
		}
		r = rune(v)
	}
	return r, end + 1
}

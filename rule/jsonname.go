package rule

import (
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonNames masks the values of members with certain names wherever they stand
// in a text: in JSON that is whole, broken or cut, in one document or many, in
// events, scripts, and in JSON that stands in a string of JSON. It looks at
// every colon behind a name and follows no structure, so that nothing can lead
// it astray; where it cannot tell how far a value goes it masks the
// more.
type jsonNames struct {
	names names
	ends  [1024 / 64]uint64 // by what a name ends with
	every bool              // there are patterns: look at each name
}

func (j *jsonNames) add(text string, w *with) error {
	if err := j.names.add(text, w); err != nil {
		return err
	}
	j.every = len(j.names.patterns) > 0
	if n := len(j.names.exact); n > 0 {
		name := `"` + j.names.exact[n-1].name
		j.end(name[len(name)-2], name[len(name)-1])
	}
	return nil
}

// end notes two bytes that a name ends with, in all their spellings.
func (j *jsonNames) end(a, b byte) {
	for _, x := range spellings(a) {
		for _, y := range spellings(b) {
			h := endHash(x, y)
			j.ends[h>>6] |= 1 << (h & 63)
		}
	}
}

func spellings(c byte) []byte {
	switch c {
	case '-':
		return []byte{'-', '_'}
	case '"':
		return []byte{'"', '\''}
	}
	return []byte{c}
}

func endHash(a, b byte) uint { return (uint(a|0x20)<<4 ^ uint(b|0x20)) & 1023 }

// level is how deep in strings of JSON a quotation mark stands: so many
// backslashes are its own. 0, 1, 3, 7: one level less than the next. What is
// before them belongs to the text: at level n backslashes of the text come in
// multiples of 2n+2, and those before a quotation mark of the text are 2n+1
// more.
type level int

// levelOf returns the level of a quotation mark behind so many backslashes.
func levelOf(backslashes int) level { return level((backslashes ^ (backslashes + 1)) >> 1) }

// deepest bounds levels: what stands in more strings than that has more
// backslashes than anything else.
const deepest = 15

// mask returns s with the values masked. esc tells whether characters may be
// written as escapes in s; known knows where to look, nil: nobody does.
func (j *jsonNames) mask(s string, esc bool, known *survey, t *trace) string {
	if known != nil && !known.any {
		return s
	}
	var out splice
	var b bounds
	colons := colonsOf(s, known)
	for i := 0; ; {
		if i = colons.next(i); i < 0 {
			return out.end(s)
		}
		w, lv, odd := j.before(s, i, out.last, esc)
		if i++; w == nil {
			continue
		}
		if odd {
			i = max(i, oddValue(&out, s, i, &b, w, t))
		} else {
			i = max(i, j.value(&out, s, i, lv, w, t))
		}
	}
}

// inside is mask for strings in s in which characters of ASCII are written as
// escapes: quotation marks, as for JSON in a page (\u0022), or any, so that a name
// or colon in what is no JSON, such as GraphQL, would not be known.
func (j *jsonNames) inside(s string, depth int, t *trace) string {
	var out splice
	for at, look := 0, 0; ; {
		k := strings.Index(s[look:], `\u00`)
		if k < 0 || depth > deepestPart {
			return out.end(s)
		}
		k += look
		look = k + len(`\u00`)
		if look >= len(s) || s[look] < '2' || s[look] > '7' {
			continue
		}
		from, end := strings.LastIndexByte(s[at:k], '"')+at+1, nextQuote(s, k, 0)
		if end < 0 {
			end = len(s)
		}
		plain := unescapeOnce(s[from:end])
		if strings.IndexByte(plain, ':') >= 0 {
			if now := j.inside(j.mask(plain, true, nil, t), depth+1, t); now != plain {
				out.put(s, from, end, escape(now))
			}
		}
		at, look = end, end
	}
}

// wanted tells whether there is something for it in s.
func (j *jsonNames) wanted(s string, esc bool, known *survey) bool {
	if known != nil && !known.any {
		return false
	}
	colons := colonsOf(s, known)
	for i := 0; ; i++ {
		if i = colons.next(i); i < 0 {
			return false
		}
		if w, _, _ := j.before(s, i, 0, esc); w != nil {
			return true
		}
	}
}

// before returns what to do with the value behind the colon s[i], by the name
// that stands before it and not before low, at what level that stands, and
// whether it is odd.
func (j *jsonNames) before(s string, i, low int, esc bool) (w *with, lv level, odd bool) {
	e := i - 1
	for e > 0 && s[e] <= ' ' {
		e--
		for e > 1 && (s[e] == 'n' || s[e] == 'r' || s[e] == 't') && s[e-1] == '\\' { // white space of a string
			for e--; e > 0 && s[e] == '\\'; e-- {
			}
		}
	}
	if e < 0 || e < low {
		return nil, 0, false
	}
	if s[e] != '"' {
		w = j.odd(s, e, low)
		return w, 0, w != nil
	}
	if e < 2 || !j.every && s[e-1] != '\\' && !j.maybe(s, e, esc) {
		return nil, 0, false
	}
	w, lv = j.name(s, e)
	return w, lv, false
}

// maybe tells whether the name whose quotation mark is s[e] can be one of ours:
// by its end, which may be an escape such as \u0064.
func (j *jsonNames) maybe(s string, e int, esc bool) bool {
	h := endHash(s[e-2], s[e-1])
	return j.ends[h>>6]&(1<<(h&63)) != 0 || esc && strings.IndexByte(s[max(e-8, 0):e], '\\') >= 0
}

// longestName bounds a name as it was sent, in bytes.
const longestName = 1024

// name returns what to do with the value of the name that ends before the
// quotation mark s[e], and at what level it stands.
func (j *jsonNames) name(s string, e int) (*with, level) {
	lv := levelOf(backslashes(s, e))
	if lv > deepest {
		return nil, 0
	}
	end := e - int(lv)
	for at := end; ; {
		from := max(end-longestName, 0)
		at = strings.LastIndexByte(s[from:at], '"')
		if at < 0 {
			return nil, 0
		}
		at += from
		if levelOf(backslashes(s, at)) == lv {
			return j.names.find(unescape(s[at+1:end], lv)), lv
		}
	}
}

// backslashes counts those before s[i], up to a bound.
func backslashes(s string, i int) int {
	n := 0
	for n < i && n < 4096 && s[i-1-n] == '\\' {
		n++
	}
	return n
}

// value masks the value that begins at or behind s[at] and returns where it
// ends, 0 if there is nothing to mask.
func (j *jsonNames) value(out *splice, s string, at int, lv level, w *with, t *trace) int {
	at = skipSpace(s, at, lv)
	if at >= len(s) {
		return 0
	}
	from, end, kind, v := jsonValue(s, at, lv)
	if kind == "" || kind == kindString && (v == "" || w.done(v)) {
		return end
	}
	out.quoted(s, from, end, lv, w.hitJSON(t, kind, v, lv))
	return end
}

// skipSpace skips white space, also such as stands in a string.
func skipSpace(s string, at int, lv level) int {
	for at < len(s) {
		switch {
		case s[at] <= ' ':
			at++
			if strings.HasPrefix(s[at:], "data:") && s[at-1] != ' ' { // a line of an event, which is part of its text
				at += len("data:")
			}
		case lv > 0 && s[at] == '\\':
			n := at
			for n < len(s) && s[n] == '\\' {
				n++
			}
			if n == len(s) || s[n] != 'n' && s[n] != 't' && s[n] != 'r' {
				return at
			}
			at = n + 1
		default:
			return at
		}
	}
	return at
}

// hitJSON is hit for a value as it stands in JSON.
func (w *with) hitJSON(t *trace, kind, v string, lv level) string {
	if kind == kindString && w.style != fixed {
		v = unescape(v, lv)
	}
	return w.hit(t, "", kind, v)
}

// jsonValue finds the value that begins at s[at]: where it stands, what kind it
// is and its text, of a string without quotation marks. The kind is empty for null and for nothing at all.
func jsonValue(s string, at int, lv level) (from, end int, kind, v string) {
	switch c := s[at]; {
	case lv == 0 && c == '"' || lv > 0 && quoteAt(s, at, lv):
		if i := strings.IndexByte(s[at+1:], '"') + at + 1; lv == 0 && i > at && s[i-1] != '\\' && i+1 < len(s) {
			if n := s[i+1]; n == ',' || n == '}' || n == ']' { // as it mostly is
				return at, i + 1, kindString, s[at+1 : i]
			}
		}
		from = at
		at += int(lv) + 1
		end = at
		for {
			i, of := quoteUpTo(s, end, lv)
			if i < 0 {
				return from, len(s), kindString, s[at:]
			}
			end = i + int(of) + 1
			if valueEnds(s, end, of) {
				if of < lv { // the string around it ends first
					return from, i, kindString, s[at:i]
				}
				return from, end, kindString, s[at:i]
			}
		}
	case c == '{' || c == '[':
		end = composite(s, at, lv)
		kind = kindObject
		if c == '[' {
			kind = kindArray
		}
		return at, end, kind, s[at:end]
	}
	if c := s[at]; c == '\'' {
		end = stringEnd(s, at+1, c, 0, lv)
		return at, end, kindString, strings.TrimSuffix(s[at+1:end], "'")
	}
	end = scalarEnd(s, at, lv)
	for end > at && s[end-1] <= ' ' {
		end--
	}
	v = s[at:end]
	if v != "" && v[0] <= '9' {
		return at, end, kindNumber, v
	}
	switch v {
	case "", "null":
		return at, end, "", ""
	case "true", "false":
		return at, end, kindBoolean, v
	}
	return at, end, kindNumber, v
}

func quoteAt(s string, at int, lv level) bool {
	n := int(lv)
	return at+n < len(s) && s[at+n] == '"' && strings.Count(s[at:at+n], `\`) == n
}

// nextQuote returns where the next quotation mark of this level begins, with
// its backslashes; -1: nowhere.
func nextQuote(s string, at int, lv level) int {
	for i := at; ; i++ {
		k := strings.IndexByte(s[i:], '"')
		if k < 0 {
			return -1
		}
		i += k
		if levelOf(backslashes(s[at:], i-at)) == lv {
			return i - int(lv)
		}
	}
}

// quoteUpTo is nextQuote for quotation marks of this level and of those around
// it, and returns which.
func quoteUpTo(s string, at int, lv level) (int, level) {
	for i := at; ; i++ {
		k := strings.IndexByte(s[i:], '"')
		if k < 0 {
			return -1, 0
		}
		i += k
		if of := levelOf(backslashes(s[at:], i-at)); of <= lv {
			return i - int(of), of
		}
	}
}

// valueEnds tells whether what follows a string can follow one. Else the
// quotation mark was part of it, though JSON does not allow that.
func valueEnds(s string, at int, lv level) bool {
	at = skipSpace(s, at, lv)
	if at >= len(s) {
		return true
	}
	switch s[at] {
	case ',', '}', ']':
		return true
	}
	return lv > 0 && (s[at] == '"' || s[at] == '\\')
}

// scalarEnd returns where a value ends that is neither string, object nor array,
// such as a number, or what is no JSON: a call, or a comment before a string.
func scalarEnd(s string, at int, lv level) int {
	for at < len(s) {
		switch s[at] {
		case ',', '}', ']', '\n', '\r', '\\':
			return at
		case '(':
			at = composite(s, at, lv)
			continue
		case '"':
			if lv > 0 {
				return at
			}
			at = stringEnd(s, at+1, '"', 0, 0)
			continue
		}
		at++
	}
	return at
}

// composite returns where the object, array or list of arguments ends that
// begins at s[at].
func composite(s string, at int, lv level) int {
	depth, call := 0, s[at] == '('
	for i := at; i < len(s); i++ {
		switch s[i] {
		case '(', ')':
			if !call {
				continue
			}
			if s[i] == '(' {
				depth++
			} else if depth--; depth == 0 {
				return i + 1
			}
		case '{', '[':
			if !call {
				depth++
			}
		case '}', ']':
			if call {
				continue
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case '\'':
			i = stringEnd(s, i+1, '\'', 0, lv) - 1
		case '"':
			if of := levelOf(backslashes(s[at:], i-at)); of < lv { // the string around it ends
				return i - int(of)
			}
			end, of := quoteUpTo(s, i+1, lv)
			if end < 0 {
				return len(s)
			}
			if of < lv {
				return end
			}
			i = end + int(lv)
		}
	}
	return len(s)
}

// unescape returns what a string of JSON means that stands in strings of JSON.
// What is no escape stays as it is.
func unescape(s string, lv level) string {
	for n := bits.Len(uint(lv)) + 1; n > 0 && strings.IndexByte(s, '\\') >= 0; n-- {
		s = unescapeOnce(s)
	}
	return s
}

func unescapeOnce(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '\\' || i+1 == len(s) {
			b = append(b, c)
			continue
		}
		i++
		switch c = s[i]; c {
		case 'n':
			c = '\n'
		case 't':
			c = '\t'
		case 'r':
			c = '\r'
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'u':
			if r, n := unicodeEscape(s[i-1:]); n > 0 {
				b = utf8.AppendRune(b, r)
				i += n - 2
				continue
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// unicodeEscape reads \u0041 or two that are one character; n is 0 for neither.
func unicodeEscape(s string) (r rune, n int) {
	r = hex4(s)
	if r < 0 {
		return 0, 0
	}
	if r >= 0xd800 && r < 0xdc00 && len(s) > 6 {
		if low := hex4(s[6:]); low >= 0xdc00 && low < 0xe000 {
			return (r-0xd800)<<10 + low - 0xdc00 + 0x10000, 12
		}
	}
	return r, 6
}

func hex4(s string) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

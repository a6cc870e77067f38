package rule

import (
	"regexp"
	"slices"
	"strings"
)

// The kinds of value that detectors know by their shape.
const (
	kindCard   = "card"
	kindEmail  = "email"
	kindJWT    = "jwt"
	kindBearer = "bearer"
	kindKey    = "key"
	kindMatch  = "match" // of an expression
)

// shapes are the detectors by name.
func shapes() []string { return []string{kindCard, kindEmail, kindJWT, kindBearer, kindKey} }

// span is what a detector found.
type span struct {
	from, to int
	kind     string
}

// detector masks values by their shape.
type detector struct {
	card, email, jwt, bearer, key bool
	matches                       []*regexp.Regexp
	body, headers, query, target  bool // where it looks
	with                          *with
	sought                        *sought
	shortest                      int // below which nothing is found, in bytes
}

// ready makes what the detector needs to look for what it was told.
func (d *detector) ready() {
	d.sought = newSought()
	d.shortest = shortestCard
	if d.bearer || d.key {
		d.sought.wants |= wantTokens
	}
	if d.email || d.jwt || len(d.matches) > 0 {
		d.shortest = shortestSecret
	}
}

// join lets d seek what o seeks too.
func (d *detector) join(o *detector) {
	d.card, d.email, d.jwt = d.card || o.card, d.email || o.email, d.jwt || o.jwt
	d.bearer, d.key = d.bearer || o.bearer, d.key || o.key
	d.matches = append(d.matches, o.matches...)
}

// nothing tells, of most texts, that there is nothing in them: neither as they
// stand, nor encoded.
func (d *detector) nothing(v *survey) bool { return !v.any && d.plainly(v) }

// plainly tells that there is nothing in a text but where its spots are.
func (d *detector) plainly(v *survey) bool {
	if len(d.matches) > 0 || v.has(hasPercent|hasPlus) || v.seen(seenUnicode) {
		return false
	}
	return !(d.email && v.has(hasAt)) && !(d.jwt && v.seen(seenJWT))
}

// find returns what there is in s, in order and without overlap. cut tells that
// the text goes on behind its end; v has seen s.
func (d *detector) find(s string, cut bool, v *survey) []span {
	var room [8]span
	found := room[:0]
	if d.card {
		found = cards(s, cut, v, found)
	}
	if d.email && (cut || v.has(hasAt)) {
		found = emails(s, cut, found)
	}
	if d.jwt && v.seen(seenJWT) {
		found = jwts(s, cut, found)
	}
	if d.bearer || d.key {
		found = d.tokens(s, cut, v, found)
	}
	for _, re := range d.matches {
		for _, m := range re.FindAllStringIndex(s, -1) {
			if m[0] < m[1] {
				found = append(found, span{m[0], m[1], kindMatch})
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return merge(slices.Clone(found))
}

func merge(found []span) []span {
	slices.SortStableFunc(found, func(a, b span) int { return a.from - b.from })
	out := found[:1]
	for _, f := range found[1:] {
		if last := &out[len(out)-1]; f.from < last.to {
			last.to = max(last.to, f.to)
		} else {
			out = append(out, f)
		}
	}
	return out
}

// text masks what is in s, also where characters are written as escapes of
// JSON.
func (d *detector) text(s string, cut bool, t *trace, under string) string {
	var v survey
	return d.surveyed(s, cut, &v, t, under)
}

// surveyed is text with room for a survey, or with one of s.
func (d *detector) surveyed(s string, cut bool, v *survey, t *trace, under string) string {
	if v.of(d.sought, s).seen(seenUnicode) && escapes(s) {
		s = d.escaped(s, cut, 0, t, under)
	}
	return d.plain(s, cut, v.of(d.sought, s), t, under)
}

// plain masks what is in s as it stands; v has seen s.
func (d *detector) plain(s string, cut bool, v *survey, t *trace, under string) string {
	var out splice
	for _, f := range d.find(s, cut, v) {
		out.put(s, f.from, f.to, d.with.hit(t, under, f.kind, s[f.from:f.to]))
	}
	return out.end(s)
}

// url masks what is in s, also where it is percent-encoded. What is encoded
// comes first: a part of it would otherwise be taken for the whole.
func (d *detector) url(s string, cut bool, v *survey, t *trace, under string) string {
	if v.of(d.sought, s); !cut && d.nothing(v) {
		return s // as most values are, without more ado
	}
	if !v.has(hasPercent | hasPlus) {
		return d.surveyed(s, cut, v, t, under)
	}
	var out splice
	for at := 0; at < len(s); {
		end := at
		for end < len(s) && !parts(s[end]) {
			end++
		}
		if v := s[at:end]; strings.IndexByte(v, '%') >= 0 || strings.IndexByte(v, '+') >= 0 {
			last := cut && end == len(s)
			if i := strings.LastIndexByte(v, '%'); last && i >= len(v)-2 {
				v = v[:max(i, 0)] // the rest of it is missing
			}
			plain := percentDecode(v)
			if masked := d.text(plain, last, t, under); masked != plain {
				out.put(s, at, end, percentEncode(masked))
			}
		}
		at = end + 1
	}
	return d.text(out.end(s), cut, t, under)
}

// inParts masks what is in parts of URLs in a text, which are percent-encoded.
func (d *detector) inParts(s string, t *trace) string {
	if !strings.Contains(s, "%2") && !strings.Contains(s, "%3") && !strings.Contains(s, "%4") {
		return s // no delimiter of anything, and no '@'
	}
	return recoded(s, partsURL, percentEncodeAll, func(v string) string {
		if len(v) < d.shortest {
			return v
		}
		plain := percentDecode(v)
		if now := d.text(plain, false, t, ""); now != plain {
			return now
		}
		return v
	})
}

// percentEncodeAll encodes all but what words and our texts are made of, so that
// nothing that had a meaning in a value has one around it.
func percentEncodeAll(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+len(s)/2)
	for i := range len(s) {
		if c := s[i]; tokenByte(c) || c == '.' || c == '[' || c == ']' {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// percentEncode encodes what would be read as something else in a URL or form.
func percentEncode(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c == '%' || c == '+' || c == '&' || c == '#' || c == '?' || c == '=' || c == ';' || c == '"' || c == '\\' || c == '<' || c == '>' || c >= 0x7f {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// json masks what is in a text of JSON, so that it remains JSON: a number turns
// into a string, and what is written with escapes is seen too.
func (d *detector) json(s string, cut, esc bool, v *survey, t *trace, under string) string {
	if esc {
		s = d.escaped(s, cut, 0, t, under)
	}
	var out splice
	inside, at := false, 0 // whether s[at] stands in a string
	for _, f := range d.find(s, cut, v.of(d.sought, s)) {
		inside = quotes(s[at:f.from], inside)
		at = f.from
		text := d.with.hit(t, under, f.kind, s[f.from:f.to])
		if inside {
			out.put(s, f.from, f.to, text)
			continue
		}
		from, to := f.from, f.to
		for from > out.last && number(s[from-1]) {
			from--
		}
		for to < len(s) && number(s[to]) {
			to++
		}
		out.quoted(s, from, to, 0, text)
		at = to
	}
	return out.end(s)
}

func number(c byte) bool {
	return isDigit(c) || c == '-' || c == '+' || c == '.' || c|0x20 == 'e'
}

// quotes tells whether what follows s stands in a string, where its beginning
// does so or not.
func quotes(s string, inside bool) bool {
	for i := 0; ; i++ {
		k := strings.IndexByte(s[i:], '"')
		if k < 0 {
			return inside
		}
		i += k
		if backslashes(s, i)&1 == 0 {
			inside = !inside
		}
	}
}

// escapes tells whether characters may be written as escapes of JSON in s.
func escapes(s string) bool {
	for i := 0; ; i++ {
		k := strings.IndexByte(s[i:], '\\')
		if k < 0 {
			return false
		}
		if i += k; i+1 < len(s) && s[i+1] == 'u' {
			return true
		}
	}
}

// escaped masks in strings with characters of ASCII that are written as escapes,
// also in strings of JSON in strings.
func (d *detector) escaped(s string, cut bool, depth int, t *trace, under string) string {
	var out splice
	for at := 0; at < len(s); {
		from := nextQuote(s, at, 0)
		if from < 0 {
			break
		}
		end := nextQuote(s, from+1, 0)
		open := end < 0
		if open {
			end = len(s)
		}
		if v := s[from+1 : end]; escapes(v) {
			if open && cut {
				v = v[:len(v)-brokenEscape(v)]
			}
			plain := unescapeOnce(v)
			masked := plain
			if depth < deepestPart && escapes(plain) {
				masked = d.escaped(masked, cut && open, depth+1, t, under)
			}
			var w survey
			if masked = d.plain(masked, cut && open, w.of(d.sought, masked), t, under); masked != plain {
				out.put(s, from+1, end, escape(masked))
			}
		}
		at = end + 1
	}
	return out.end(s)
}

// brokenEscape returns how many bytes at the end of s are part of an escape that
// was cut.
func brokenEscape(s string) int {
	for n := 1; n < 6 && n <= len(s); n++ {
		if i := len(s) - n; s[i] == '\\' && backslashes(s, i)&1 == 0 && (n == 1 || s[i+1] == 'u') {
			return n
		}
	}
	return 0
}

// escape writes s as it stands in a string of JSON.
func escape(s string) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

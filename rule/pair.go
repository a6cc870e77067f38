package rule

import (
	"strings"

	"github.com/passiflow/passiflow/message"
)

// longestParameter bounds the name of a parameter as it was sent, in bytes.
const longestParameter = 512

// pairs masks the values of parameters, name=value, in a URL or a form. A name
// begins behind any byte that may part two parameters, or part the parameters
// from what is before them; a value that is masked goes up to the next '&' or
// to stop, since each of the other separators may also be part of a value.
func (n *names) pairs(s string, stop byte, t *trace, under string) string {
	return n.nested(s, stop, 0, t, under)
}

// nested is pairs, and looks also into values that are encoded pairs themselves,
// such as a URL with a query of its own.
func (n *names) nested(s string, stop byte, depth int, t *trace, under string) string {
	if depth < deepestPart && encodedPair(s) {
		s = decoded(s, partsURL, func(v string) string {
			if !encodedPair(v) {
				return v
			}
			return n.nested(percentDecode(v), '&', depth+1, t, under)
		})
	}
	return n.flat(s, stop, t, under)
}

// encodedPair tells whether there is an encoded '=' in s, perhaps encoded again.
func encodedPair(s string) bool { return encoded(s, "%3d") || encoded(s, "%253d") }

// mayHoldPair tells, of most values, that there is no parameter in them.
func mayHoldPair(s string) bool {
	return strings.IndexByte(s, '=') >= 0 || strings.IndexByte(s, '%') >= 0 && encodedPair(s)
}

// encoded tells whether s holds v, which ends with a letter, in either case.
func encoded(s, v string) bool {
	for n := len(v) - 1; ; {
		i := strings.Index(s, v[:n])
		if i < 0 || i+n >= len(s) {
			return false
		}
		if s[i+n]|0x20 == v[n] {
			return true
		}
		s = s[i+n:]
	}
}

// decoded hands each encoded part of s, between bytes that part, to mask, which
// returns it as it is, or decoded and perhaps changed; only what was changed is
// put into s.
func decoded(s string, parts func(byte) bool, mask func(part string) string) string {
	return recoded(s, parts, percentEncode, mask)
}

// recoded is decoded with an encoding for what was changed.
func recoded(s string, parts func(byte) bool, encode func(string) string, mask func(part string) string) string {
	var out splice
	for at := 0; ; {
		i := strings.IndexByte(s[at:], '%')
		if i < 0 {
			return out.end(s)
		}
		from, end := at+i, at+i
		for from > at && !parts(s[from-1]) {
			from--
		}
		for end < len(s) && !parts(s[end]) {
			end++
		}
		v := s[from:end]
		if now := mask(v); now != v && now != percentDecode(v) {
			out.put(s, from, end, encode(now))
		}
		at = end
	}
}

// flat is pairs for those that stand in s as they are.
func (n *names) flat(s string, stop byte, t *trace, under string) string {
	var out splice
	for i := 0; ; i++ {
		k := strings.IndexByte(s[min(i, len(s)):], '=')
		if k < 0 {
			return out.end(s)
		}
		i += k
		from := i
		for from > out.last && i-from < longestParameter && !parts(s[from-1]) {
			from--
		}
		w := n.parameter(s[from:i])
		if w == nil {
			continue
		}
		end := i + 1
		for end < len(s) && s[end] != '&' && s[end] != stop {
			end++
		}
		v := s[i+1 : end]
		if v == "" || w.done(v) {
			continue
		}
		if t != nil {
			out.put(s, i+1, end, w.hit(t, under+percentDecode(s[from:i]), kindString, percentDecode(v)))
		} else {
			out.put(s, i+1, end, w.hit(t, "", kindString, percentDecode(v)))
		}
		i = end
	}
}

// partsURL tells whether c parts a URL, or a list of them, where values stand that
// are encoded. An apostrophe need not be (it is not by encodeURIComponent).
func partsURL(c byte) bool {
	switch c {
	case '&', '?', '#', '=', '<', '>', '"', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

// parts tells whether c may stand before the name of a parameter.
func parts(c byte) bool {
	switch c {
	case '&', '?', ';', '#', '/', '<', '>', '"', '\'', ',', '=', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

// links masks parameters of URLs that stand in a text. quoted tells that they do
// so between double quotation marks, and may hold single ones.
func (n *names) links(s string, quoted bool, t *trace) string {
	if s = n.link(s, quoted, t); !encodedPair(s) {
		return s
	}
	around := parts
	if quoted {
		around = partsURL
	}
	return decoded(s, around, func(v string) string {
		if !encodedPair(v) {
			return v
		}
		return n.nested(percentDecode(v), '&', 1, t, "")
	})
}

func (n *names) link(s string, quoted bool, t *trace) string {
	var out splice
	for i := 0; ; i++ {
		k := strings.IndexByte(s[i:], '=')
		if k < 0 {
			return out.end(s)
		}
		i += k
		from := i
		for from > out.last && i-from < longestParameter && !parts(s[from-1]) {
			from--
		}
		if a := strings.LastIndex(s[from:i], `\u0026`); a >= 0 {
			from += a + len(`\u0026`)
		} else if from == 0 || s[from-1] != '?' && s[from-1] != '&' && s[from-1] != '#' && !strings.HasSuffix(s[:from], "amp;") {
			continue // an attribute, a statement
		}
		w := n.parameter(s[from:i])
		if w == nil {
			continue
		}
		end := i + 1
		for end < len(s) && s[end] > ' ' && s[end] != '&' && s[end] != '"' && (quoted || s[end] != '\'') && s[end] != '<' && s[end] != '>' {
			if s[end] == '\\' && !strings.HasPrefix(s[end:], `\/`) {
				break
			}
			end++
		}
		if v := s[i+1 : end]; v != "" && !w.done(v) {
			out.put(s, i+1, end, w.hit(t, "", kindString, percentDecode(v)))
			i = end - 1
		}
	}
}

// urls masks the parameters in the target of a request and in those fields,
// which hold URLs.
func (n *names) urls(m *message.Message, fields *names, t *trace) {
	if mayHoldPair(m.Target) {
		path, query := m.Target, ""
		if i := strings.IndexByte(path, '?'); i >= 0 {
			path, query = path[:i], path[i:]
		}
		was := len(path)
		path = n.pairs(path, '&', t, "target.")
		if masked := n.pairs(query, '&', t, "target."); masked != query || len(path) != was || path != m.Target[:was] {
			m.Target = path + masked
			m.Hold(len(m.Target))
		}
	}
	for i := range m.Fields {
		f := &m.Fields[i]
		if len(f.Value) > 0 && mayHoldPair(f.Value) && fields.find(f.Name) != nil {
			under := ""
			if t != nil {
				under = t.header(f.Name) + "."
			}
			if v := n.pairs(f.Value, '>', t, under); v != f.Value {
				f.Value = v
				m.Hold(len(v))
			}
		}
	}
}

// cookies masks cookies by name in Cookie and Set-Cookie.
func (n *names) cookies(m *message.Message, t *trace) {
	for i := range m.Fields {
		f := &m.Fields[i]
		switch {
		case message.EqualFold(f.Name, "Cookie"), message.EqualFold(f.Name, "Cookie2"):
			n.cookieField(m, f, false, t)
		case message.EqualFold(f.Name, "Set-Cookie"), message.EqualFold(f.Name, "Set-Cookie2"), message.EqualFold(f.Name, "Set_Cookie"):
			n.cookieField(m, f, true, t)
		}
	}
}

func (n *names) cookieField(m *message.Message, f *message.Field, answer bool, t *trace) {
	if v := n.cookie(f.Value, answer, t); v != f.Value {
		f.Value = v
		m.Hold(len(v))
	}
}

// cookie masks in one value; in the answer's form what stands behind the first
// ';' are attributes, and a comma may begin another cookie.
func (n *names) cookie(s string, answer bool, t *trace) string {
	var out splice
	for at := 0; at < len(s); {
		end := cookieEnd(s, at, answer)
		eq := strings.IndexByte(s[at:end], '=')
		if eq >= 0 {
			name := strings.Trim(s[at:at+eq], " \t,\"$")
			if answer {
				if i := strings.LastIndexByte(name, ','); i >= 0 {
					name = strings.TrimSpace(name[i+1:])
				}
			}
			if w := n.parameter(name); w != nil {
				v := strings.TrimSpace(s[at+eq+1 : end])
				if v != "" && !w.done(v) {
					under := ""
					if t != nil {
						under = "cookies." + name
					}
					out.put(s, at+eq+1, end, w.hit(t, under, kindString, strings.Trim(v, `"`)))
				}
			}
		}
		at = end + 1
	}
	return out.end(s)
}

// nextCookie returns where in a value of Set-Cookie the comma stands behind which
// another cookie begins, as proxies join them; -1: nowhere. A date has no '='.
func nextCookie(s string) int {
	for i := 0; ; i++ {
		k := strings.IndexByte(s[i:], ',')
		if k < 0 {
			return -1
		}
		i += k
		rest := strings.TrimLeft(s[i+1:], " \t")
		n := 0
		for n < len(rest) && tokenByte(rest[n]) {
			n++
		}
		if n > 0 && n < len(rest) && rest[n] == '=' {
			return i
		}
	}
}

// cookieEnd returns where the pair ends that begins at s[at]; answer tells that
// it is one of Set-Cookie. A ';' between quotation marks is part of a value.
func cookieEnd(s string, at int, answer bool) int {
	end := strings.IndexByte(s[at:], ';')
	if end < 0 {
		end = len(s) - at
	}
	end += at
	if answer {
		if k := nextCookie(s[at:end]); k >= 0 {
			return at + k
		}
	}
	if end == len(s) {
		return end
	}
	if q := strings.Index(s[at:end], `="`); q >= 0 {
		if strings.IndexByte(s[at+q+2:end], '"') < 0 {
			if k := strings.IndexByte(s[end:], '"'); k >= 0 {
				end += k
				if k = strings.IndexByte(s[end:], ';'); k < 0 {
					return len(s)
				}
				return end + k
			}
		}
	}
	return end
}

package rule

import (
	"strings"

	"github.com/passiflow/passiflow/message"
)

// inEntities masks in JSON that stands in HTML or XML with its quotation
// marks as references: data-user="{&quot;password&quot;:&quot;x&quot;}".
func (k *masks) inEntities(s string, depth int, t *trace) string {
	var out splice
	for at, look := 0, 0; ; {
		i := strings.IndexByte(s[look:], '&')
		if i < 0 {
			return out.end(s)
		}
		if i += look; !quoteEntity(s[i:]) {
			look = i + 1
			continue
		}
		from, end := i, i
		for from > at && !tagByte(s[from-1]) {
			from--
		}
		for end < len(s) && !tagByte(s[end]) {
			end++
		}
		if v := s[from:end]; strings.IndexByte(v, ':') >= 0 { // as behind a name
			plain := xmlText(v)
			if masked := k.unwrapped(plain, depth, t); masked != plain {
				out.put(s, from, end, toEntities(masked))
			}
		}
		at, look = end, end
	}
}

// unwrapped masks in what stood as text in HTML or XML.
func (k *masks) unwrapped(s string, depth int, t *trace) string {
	var w survey
	esc := escapes(s)
	s = k.members(s, startsJSON(s), esc, &w, t)
	if k.xml != nil && esc {
		s = k.xml.inJSON(s, 0, t)
	}
	if depth < deepestPart {
		s = k.inEntities(s, depth+1, t)
	}
	for _, d := range k.detect {
		if d.body {
			s = d.json(s, false, esc, &w, t, "")
		}
	}
	return s
}

// quoteEntity tells whether s begins with a reference to a quotation mark.
func quoteEntity(s string) bool {
	return strings.HasPrefix(s, "&quot;") || strings.HasPrefix(s, "&#34;") || hasFold(s, "&#x22;")
}

// tagByte tells whether c parts text and values of attributes.
func tagByte(c byte) bool { return c == '<' || c == '>' || c == '"' }

func toEntities(s string) string { return entities.Replace(s) }

// entities takes longer to make than most texts to go through.
var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// startsMessage tells whether s begins as a message of HTTP does.
func startsMessage(s string) bool {
	if strings.HasPrefix(s, "HTTP/") {
		return true
	}
	n := strings.IndexByte(s[:min(len(s), 8<<10)], '\n')
	return n > 0 && strings.Contains(s[max(n-len(" HTTP/1.1\r"), 0):n], " HTTP/")
}

// inHeads masks the fields of messages that stand in a body, as in the answer to
// TRACE (RFC 9110 section 9.3.8) and where requests are sent in a batch.
func (k *masks) inHeads(s string, t *trace) string {
	var out splice
	for at := 0; at < len(s); {
		end := len(s)
		if n := strings.IndexByte(s[at:], '\n'); n >= 0 {
			end = at + n
		}
		title, _, ok := strings.Cut(s[at:end], ":")
		name := strings.TrimSpace(title)
		var w *with
		if k.headers != nil {
			w = k.headers.find(name)
		}
		if w == nil && k.secrets != nil {
			if w = k.secrets.fields.find(name); !k.secrets.secret(w) {
				w = nil
			}
		}
		if !ok || w == nil {
			at = end + 1
			continue
		}
		for end+1 < len(s) && (s[end+1] == ' ' || s[end+1] == '\t') { // the value goes on (RFC 9112 section 5.2)
			if n := strings.IndexByte(s[end+1:], '\n'); n >= 0 {
				end += 1 + n
			} else {
				end = len(s)
			}
		}
		value := s[at+len(title)+1 : end]
		if v := strings.TrimSpace(value); v != "" && !w.done(v) {
			from := at + len(title) + 1 + strings.Index(value, v)
			out.put(s, from, from+len(v), w.hit(t, t.header(name), kindString, v))
		}
		at = end + 1
	}
	return out.end(s)
}

// locate masks what URLs in a text hold.
func (k *masks) locate(s string, form, quoted bool, t *trace) string {
	if !form {
		if k.query != nil {
			s = k.query.links(s, quoted, t)
		}
		s = k.inValues(s, 0, t)
	}
	if k.secrets != nil && mayHoldUser(s) {
		hide := urls
		if form {
			hide = locators
		}
		now := hide(s)
		if now != s {
			s = now
			k.secrets.urls.note(t, "", Redacted)
		}
	}
	return s
}

// inStrings masks what URLs hold that are written with escapes in strings of
// JSON: https:\/\/h\/?a\u003d1, or in strings in these.
func (k *masks) inStrings(s string, form bool, depth int, t *trace) string {
	var out splice
	for at := 0; at < len(s); {
		from := nextQuote(s, at, 0)
		if from < 0 {
			break
		}
		from++
		end := nextQuote(s, from, 0)
		if end < 0 {
			end = len(s)
		}
		if v := s[from:end]; escapedURL(v) || strings.Contains(v, `\u0026quot;`) {
			plain := unescapeOnce(v)
			masked := plain
			if depth < deepestPart && escapedURL(plain) {
				masked = k.inStrings(masked, form, depth+1, t)
			}
			masked = k.inEntities(masked, 0, t)
			if masked = k.locate(masked, form, true, t); masked != plain {
				out.put(s, from, end, escape(masked))
			}
		}
		at = end + 1
	}
	return out.end(s)
}

// escapedURL tells whether a byte that gives a URL its structure is written as an
// escape in s. For '&', which many write so, who looks for parameters needs no
// help.
func escapedURL(s string) bool {
	if strings.Contains(s, `\/`) {
		return true
	}
	for i := 0; ; i += 2 {
		k := strings.IndexByte(s[min(i, len(s)):], '\\')
		if k < 0 {
			return false
		}
		i += k
		if r := hex4(s[i:]); r > 0 && r < 0x80 && strings.IndexByte("#%/:=?@", byte(r)) >= 0 {
			return true
		}
	}
}

// inQuery masks members of JSON, GraphQL and the like in the query of a target.
func (k *masks) inQuery(s string, t *trace) string {
	if s = k.inValues(s, 0, t); k.json == nil && k.paths == nil || strings.IndexByte(s, '"') < 0 {
		return s
	}
	var w survey // as some send it who do not encode
	return k.members(s, false, escapes(s), &w, t)
}

// inValues masks members of JSON and XML that is the value of a parameter,
// encoded.
func (k *masks) inValues(s string, depth int, t *trace) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	members := (k.json != nil || k.paths != nil) && holdsEncoded(s, "22", "27")
	elements := k.xml != nil && holdsEncoded(s, "3C", "3c")
	if !members && !elements {
		return s
	}
	return recoded(s, partsURL, percentEncodeAll, func(v string) string {
		was := percentDecode(v)
		plain := was
		if members {
			start := strings.TrimLeft(plain, " \t\r\n")
			var w survey
			plain = k.inEntities(plain, depth, t)
			plain = k.members(plain, start != "" && (start[0] == '{' || start[0] == '['), escapes(plain), &w, t)
		}
		if elements && strings.IndexByte(plain, '<') >= 0 {
			plain = k.xml.mask(plain, true, t)
		}
		if k.xml != nil && members && escapes(plain) {
			plain = k.xml.inJSON(plain, 0, t)
		}
		if depth < deepestPart {
			plain = k.inValues(plain, depth+1, t)
		}
		if plain == was {
			return v
		}
		return plain
	})
}

// holdsEncoded tells whether one of two bytes may be in s, encoded once or more.
func holdsEncoded(s, a, b string) bool {
	return strings.Contains(s, "%"+a) || strings.Contains(s, "%"+b) || strings.Contains(s, "%25"+a) || strings.Contains(s, "%25"+b)
}

// inFields masks members of JSON that is the value of a field.
func (k *masks) inFields(m *message.Message, part string, t *trace) {
	for i := range m.Fields {
		f := &m.Fields[i]
		if len(f.Value) < 2 || f.Value[0] != '{' && f.Value[0] != '[' {
			continue
		}
		t.at(part + "." + t.header(f.Name))
		var w survey
		if v := k.members(f.Value, true, escapes(f.Value), &w, t); v != f.Value {
			f.Replace(v)
			m.Hold(len(v))
		}
		t.at(part)
	}
}

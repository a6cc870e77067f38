package rule

import "strings"

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
		name, value, ok := strings.Cut(s[at:end], ":")
		var w *with
		if k.headers != nil {
			w = k.headers.find(name)
		}
		if w == nil && k.secrets != nil {
			if w = k.secrets.fields.find(name); !k.secrets.secret(w) {
				w = nil
			}
		}
		if v := strings.TrimSpace(value); ok && w != nil && v != "" && !w.done(v) {
			from := at + len(name) + 1
			for s[from] == ' ' || s[from] == '\t' {
				from++
			}
			out.put(s, from, from+len(v), w.hit(t, t.header(name), kindString, v))
		}
		at = end + 1
	}
	return out.end(s)
}

package rule

import "strings"

// inEntities masks in JSON that stands in HTML or XML with its quotation
// marks as references: data-user="{&quot;password&quot;:&quot;x&quot;}".
func (k *masks) inEntities(s string, depth int, t *trace) string {
	if !strings.Contains(s, "&quot;") && !strings.Contains(s, "&#34;") && !encoded(s, "&#x22;") {
		return s
	}
	var out splice
	for at := 0; at < len(s); {
		end := len(s)
		if n := strings.IndexAny(s[at:], `<>"`); n >= 0 {
			end = at + n
		}
		if v := s[at:end]; strings.IndexByte(v, '&') >= 0 {
			if plain := xmlText(v); strings.IndexByte(plain, '"') >= 0 {
				var w survey
				esc := escapes(plain)
				masked := k.members(plain, startsJSON(plain), esc, &w, t)
				if k.xml != nil && esc {
					masked = k.xml.inJSON(masked, 0, t)
				}
				if depth < deepestPart {
					masked = k.inEntities(masked, depth+1, t)
				}
				for _, d := range k.detect {
					if d.body {
						masked = d.json(masked, false, esc, &w, t, "")
					}
				}
				if masked != plain {
					out.put(s, at, end, toEntities(masked))
				}
			}
		}
		at = end + 1
	}
	return out.end(s)
}

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
			if w = k.secrets.fields.find(name); w == k.secrets.urls {
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

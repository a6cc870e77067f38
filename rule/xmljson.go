package rule

import "strings"

// inJSON masks in XML that stands in strings of JSON, however its characters are
// written there: "<pin>1<\/pin>", "\u003cpin\u003e1". A path counts for its last
// name alone.
func (x *xmlPaths) inJSON(s string, depth int, t *trace) string {
	var out splice
	for at := 0; at < len(s); {
		from := nextQuote(s, at, 0)
		if from < 0 {
			from = len(s)
		}
		if v := s[at:from]; strings.IndexByte(v, '<') >= 0 { // of what is no JSON
			if masked := x.mask(v, true, t); masked != v {
				out.put(s, at, from, masked)
			}
		}
		if from == len(s) {
			break
		}
		from++
		end := nextQuote(s, from, 0)
		if end < 0 {
			end = len(s)
		}
		if v := s[from:end]; strings.IndexByte(v, '<') >= 0 || escapes(v) {
			plain := unescapeOnce(v)
			masked := plain
			if depth < deepestPart && strings.IndexByte(plain, '"') >= 0 && startsJSON(plain) {
				masked = x.inJSON(plain, depth+1, t)
			} else if strings.IndexByte(plain, '<') >= 0 {
				masked = x.mask(plain, true, t)
			}
			if masked != plain {
				out.put(s, from, end, escape(masked))
			}
		}
		at = end + 1
	}
	return out.end(s)
}

func startsJSON(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return s != "" && (s[0] == '{' || s[0] == '[' || s[0] == '"')
}

package rule

import (
	"mime"
	"strings"
)

// boundary returns what parts a multipart body whose type is contentType, which
// may lie: then the body's own first line counts. It is empty when there is
// none.
func boundary(contentType, s string) string {
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		if b := params["boundary"]; b != "" && strings.Contains(s, "--"+b) {
			return "--" + b
		}
	}
	line := strings.TrimLeft(s, "\r\n")
	if !strings.HasPrefix(line, "--") {
		return ""
	}
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	if line = strings.TrimRight(line, " \t\r"); len(line) < 3 || len(line) > 200 {
		return ""
	}
	return line
}

// multipart calls part with the head and the place of each part's content, and
// replaces the content by what part returns.
func multipart(s, boundary string, part func(head, content string) string) string {
	var out splice
	at := strings.Index(s, boundary)
	for at >= 0 && at < len(s) {
		from := at + len(boundary)
		next := strings.Index(s[from:], "\n"+boundary)
		end := len(s)
		if next >= 0 {
			end = from + next
			next = end + 1
		}
		content := headEnd(s, from, end)
		stop := end
		if next >= 0 && stop > content && s[stop-1] == '\r' {
			stop--
		}
		if content < stop {
			was := s[content:stop]
			if now := part(s[from:content], was); now != was {
				out.put(s, content, stop, now)
			}
		}
		at = next
	}
	return out.end(s)
}

// headEnd returns where the content begins of the part in s[from:to].
func headEnd(s string, from, to int) int {
	i := strings.IndexByte(s[from:to], '\n') // the boundary's own line
	if i < 0 {
		return to
	}
	for i += from + 1; i < to; {
		k := strings.IndexByte(s[i:to], '\n')
		if k < 0 {
			return to
		}
		if strings.TrimRight(s[i:i+k], "\r") == "" {
			return i + k + 1
		}
		i += k + 1
	}
	return to
}

// partName returns what to do with a part by its head. It looks at whatever
// stands behind "name=", in whatever form clients write it. A part with more
// names than any client writes, or with one longer than any, counts as meant:
// whoever looked at each up to its end would take for ever.
func (n *names) partName(head string) *with {
	for i, seen := 0, 0; ; i++ {
		k := strings.IndexByte(head[i:], '=')
		if k < 0 {
			return nil
		}
		i += k
		key := strings.TrimRight(head[:i], " \t*0123456789")
		if len(key) < 4 || !strings.EqualFold(key[len(key)-4:], "name") {
			continue
		}
		rest := strings.TrimLeft(head[i+1:], " \t")
		rest = rest[:min(len(rest), longestParameter)]
		name := rest
		var end int
		if strings.HasPrefix(rest, `"`) {
			if end = nextQuote(rest, 1, 0); end >= 0 {
				name = rest[:end]
			}
			name = unescapeOnce(name[1:])
		} else if end = strings.IndexAny(rest, "; \t\r\n"); end >= 0 {
			name = rest[:end]
		}
		if seen++; seen > mostNames || end < 0 && len(rest) == longestParameter {
			return n.any()
		}
		if w := n.parameter(name); w != nil {
			return w
		}
		if q := strings.LastIndexByte(name, '\''); q >= 0 { // utf-8''name
			if w := n.parameter(name[q+1:]); w != nil {
				return w
			}
		}
	}
}

package rule

import (
	"encoding/json"
	"strings"
)

// oddName is one that stands in single quotation marks or in none, as in
// JSON5, in GraphQL, and as Python writes a dict: {'a': 'x', b: "y"}. It may
// stand in a string of JSON.

// odd returns what to do with the value of the odd name whose last byte, or
// quotation mark, is s[e].
func (j *jsonNames) odd(s string, e, low int) *with {
	if c := s[e]; c == '\'' {
		if e < 2 || !j.every && s[e-1] != '\\' && !j.maybe(s, e, true) {
			return nil
		}
		lv := levelOf(backslashes(s, e))
		end := e - int(lv)
		for at := end; lv <= deepest; {
			from := max(end-longestName, low)
			if from >= at {
				break
			}
			if at = strings.LastIndexByte(s[from:at], '\''); at < 0 {
				break
			}
			if at += from; levelOf(backslashes(s, at)) == lv {
				return j.names.find(unescape(s[at+1:end], lv))
			}
		}
		return nil
	} else if !bareByte(c) || e == 0 {
		return nil
	}
	if before := s[e-1]; !j.every {
		if !bareByte(before) {
			before = '"'
		}
		if h := endHash(before, s[e]); j.ends[h>>6]&(1<<(h&63)) == 0 {
			return nil
		}
	}
	from := e
	for from > low && e-from < longestName && bareByte(s[from-1]) {
		from--
	}
	if from = behindEscape(s, from); from > e || !mayBegin(s, from) {
		return nil
	}
	return j.names.find(s[from : e+1])
}

func bareByte(c byte) bool { return roles[c]&inWord != 0 || c == '$' || c >= 0x80 }

// mayBegin tells whether a name without quotation marks may begin at s[at].
func mayBegin(s string, at int) bool {
	low, line := max(at-longestName, 0), false
	for at > low {
		switch c := s[at-1]; {
		case c == '{' || c == ',' || c == '(':
			return true
		case c <= ' ':
			line = line || c == '\n'
			at--
		case (c == 'n' || c == 't' || c == 'r') && s[max(at-2, low)] == '\\': // white space in a string
			line = line || c == 'n'
			at -= 2
			for at > low && s[at-1] == '\\' {
				at--
			}
		case c == '/' && s[max(at-2, low)] == '*':
			if !strings.Contains(s[low:at-1], "/*") {
				return false
			}
			at = low + strings.LastIndex(s[low:at-1], "/*")
		default: // the end of a line, perhaps of a comment
			if !line || !strings.Contains(s[low:at], "//") {
				return false
			}
			return !strings.Contains(s[low+strings.LastIndex(s[low:at], "//"):at], "\n")
		}
	}
	return false
}

// bounds knows where strings of JSON end that names stand in, of lines and
// texts that are JSON.
type bounds struct {
	asked, valid bool // the whole text
	from, to     int  // the line that was asked for
	line         bool // it is JSON
	quote        int  // where the string ends that was asked for last
}

// of returns where the string ends that s[at] is in if it can only be in one.
func (b *bounds) of(s string, at int) int {
	if !b.asked {
		b.asked, b.valid = true, json.Valid(bytesOf(s[prefix(s):]))
	}
	if !b.valid {
		if at >= b.to {
			b.from, b.to = strings.LastIndexByte(s[:at], '\n')+1, len(s)
			if k := strings.IndexByte(s[at:], '\n'); k >= 0 {
				b.to = at + k + 1
			}
			b.line = json.Valid(bytesOf(strings.TrimPrefix(s[b.from:b.to], "data:")))
		}
		if !b.line {
			return -1
		}
	}
	if at >= b.quote && b.quote >= 0 {
		b.quote = nextQuote(s, at, 0)
	}
	return b.quote
}

// oddValue masks the value that begins at or behind s[at], which an odd name
// has, and returns where it ends, 0 if there is nothing to mask.
func oddValue(out *splice, s string, at int, b *bounds, w *with, t *trace) int {
	if at = skipSpace(s, at, 1); at >= len(s) || s[at] == ':' {
		return 0
	}
	limit := b.of(s, at)
	lv := level(0)
	if limit >= 0 {
		s, lv = s[:limit], 1
	}
	if at >= len(s) {
		return 0
	}
	from := at
	for at-from < 2 && at+1 < len(s) && strings.IndexByte("uUbBrRfF", s[at]) >= 0 { // Python's strings
		at++
	}
	quote := at
	for quote < len(s) && s[quote] == '\\' {
		quote++
	}
	var end int
	slashes := quote - at
	kind, v, mark := "", "", "'"
	switch {
	case quote < len(s) && strings.IndexByte("'\"`", s[quote]) >= 0 && slashes <= int(deepest):
		mark = s[at : quote+1]
		if three := mark + mark + mark; strings.HasPrefix(s[at:], three) { // as in GraphQL and Python
			mark, quote = three, at+len(three)-1
			end = blockEnd(s, quote+1, three)
		} else {
			end = stringEnd(s, quote+1, s[quote], slashes, 0)
		}
		kind, v = kindString, strings.TrimSuffix(s[quote+1:end], mark)
	case s[from] == '{' || s[from] == '[':
		end = composite(s, from, lv)
		kind, v = kindObject, s[from:end]
		if s[from] == '[' {
			kind = kindArray
		}
	default:
		end = from
		for end < len(s) && strings.IndexByte(",}])\n\r\"\\", s[end]) < 0 {
			if s[end] == '(' {
				end = composite(s, end, lv)
				continue
			}
			end++
		}
		v = strings.TrimRight(s[from:end], " \t")
		end = from + len(v)
		if declared(s[:from], v) {
			return end
		}
		switch v {
		case "", "null", "None", "undefined":
			return end
		case "true", "false", "True", "False":
			kind = kindBoolean
		default:
			kind = kindNumber
		}
	}
	if kind == kindString && (v == "" || w.done(v)) {
		return end
	}
	if kind == kindString && w.style != fixed {
		v = unescape(v, levelOf(slashes))
	}
	out.put(s, from, end, mark+w.hit(t, "", kind, v)+mark)
	return end
}

// stringEnd returns where the string ends whose first byte is s[at] and which
// began with a quotation mark behind n backslashes. A mark counts as its end if
// what follows may follow one. Where it stands in strings of JSON of a level it
// goes no further than these.
func stringEnd(s string, at int, mark byte, n int, around level) int {
	for i := at; i < len(s); i++ {
		c := s[i]
		if c != mark && c != '"' {
			continue
		}
		m := backslashes(s[at:], i-at)
		of := levelOf(m)
		if c == '"' && of < around || c == mark && of < levelOf(n) {
			return i - int(of)
		}
		if c != mark || n == 0 && m&3 != 0 || n > 0 && of > levelOf(n) { // of two backslashes nobody can tell
			continue
		}
		if oddEnds(s, i+1) {
			return i + 1
		}
	}
	return len(s)
}

// declared tells whether v is a variable of GraphQL, which is no secret: it was
// declared with its type before.
func declared(s, v string) bool {
	return len(v) > 1 && v[0] == '$' && len(v) < longestName && strings.Contains(s[max(len(s)-4*longestName, 0):], v+":")
}

// blockEnd returns where the string ends whose first byte is s[at] and which ends
// with three quotation marks.
func blockEnd(s string, at int, three string) int {
	for i := at; ; i++ {
		k := strings.Index(s[i:], three)
		if k < 0 {
			return len(s)
		}
		if i += k; i == at || s[i-1] != '\\' {
			return i + len(three)
		}
	}
}

func oddEnds(s string, at int) bool {
	at = skipSpace(s, at, 1)
	return at >= len(s) || strings.IndexByte(",:}])\"\\;/", s[at]) >= 0 || s[at-1] == '\n'
}

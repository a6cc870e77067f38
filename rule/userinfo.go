package rule

import "strings"

// What ends the authority of a URL (RFC 3986 section 3.2): in a URL, and in a
// text, where a comma, semicolon or apostrophe is more likely part of the text.
const (
	endsInURL  = "/?# \t\r\n<>\"\\"
	endsInText = endsInURL + ",;'"
)

// mayHoldUser tells, of most URLs, that they have no user.
func mayHoldUser(s string) bool {
	return strings.IndexByte(s, '@') >= 0 || strings.IndexByte(s, '%') >= 0 && encodedAt(s)
}

// encodedAt tells whether there is an encoded '@' in s, perhaps encoded again.
func encodedAt(s string) bool { return strings.Contains(s, "%40") || strings.Contains(s, "%2540") }

// target masks user and password in the target of a request.
func target(op, t string) string {
	if op == "CONNECT" && !strings.Contains(t, "://") {
		return authority(t)
	}
	return locators(t)
}

// locators masks user and password in what is a URL, or several, also without a
// scheme, and in those that are encoded in it.
func locators(s string) string { return users(s, "//", endsInURL, partsURL, 0) }

// urls masks user and password in each URL in a text.
func urls(s string) string { return users(s, "://", endsInText, parts, 0) }

func users(s, begin, ends string, parts func(byte) bool, depth int) string {
	if depth < deepestPart && encodedAt(s) {
		s = decoded(s, parts, func(v string) string {
			if !encodedAt(v) {
				return v
			}
			return users(percentDecode(v), begin, endsInURL, partsURL, depth+1)
		})
	}
	if s = usersAt(s, begin, ends); strings.Contains(s, `:\/\/`) { // in JSON as PHP writes it
		s = usersAt(s, `:\/\/`, ends)
	}
	return s
}

func usersAt(s, begin, ends string) string {
	var out splice
	for from := 0; ; {
		at := strings.Index(s[from:], begin)
		if at < 0 {
			return out.end(s)
		}
		at += from
		if from = at + len(begin); at > 0 && s[at] == '/' && strings.IndexByte(":=<,; ", s[at-1]) < 0 {
			continue // within a path
		}
		if end := userinfo(s, from, ends); end >= 0 && s[from:end] != Redacted {
			out.put(s, from, end, Redacted)
		}
	}
}

// authority is locators for the authority of a URL alone.
func authority(s string) string {
	if end := userinfo(s, 0, endsInURL); end >= 0 {
		return Redacted + s[end:]
	}
	return s
}

// userinfo returns where user and password end in the authority that begins at
// from; -1 if there are none.
func userinfo(s string, from int, ends string) int {
	end := len(s)
	if n := strings.IndexAny(s[from:], ends); n >= 0 {
		end = from + n
	}
	if n := strings.LastIndexByte(s[from:end], '@'); n >= 0 {
		return from + n
	}
	if n := strings.LastIndex(s[from:end], "%40"); n >= 0 { // of a URL in a parameter, the rest of which is not encoded
		return from + n
	}
	return -1
}

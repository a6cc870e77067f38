package metrics

import "strings"

// Route returns the path of a request target with what looks like an identifier
// replaced, so that /users/17/cart and /users/18/cart are one route.
func Route(target string) string {
	if _, rest, ok := strings.Cut(target, "://"); ok && target[0] != '/' {
		target = "/"
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			target = rest[i:]
		}
	}
	if i := strings.IndexAny(target, "?#;"); i >= 0 {
		target = target[:i]
	}
	if len(target) > maxLabel {
		target = target[:maxLabel]
	}
	parts := strings.Split(target, "/")
	for i, p := range parts {
		if identifier(p) {
			parts[i] = "{id}"
		}
		if i == maxParts {
			parts = append(parts[:i], "…")
			break
		}
	}
	return strings.ToValidUTF8(strings.Join(parts, "/"), "?")
}

// maxParts bounds the parts of a path that are told apart.
const maxParts = 8

// identifier tells whether a part of a path names one thing of many: a number,
// a UUID, a hash, a token, an address.
func identifier(s string) bool {
	digits, letters, hex, odd := 0, 0, 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
			hex++
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			letters++
			hex++
		case c >= 'g' && c <= 'z' || c >= 'G' && c <= 'Z':
			letters++
		case c == '@' || c == '%' || c == '=' || c == ',':
			odd++
		}
	}
	switch {
	case odd > 0:
		return true
	case digits > 0 && letters == 0:
		return true
	case digits == 0:
		return len(s) > 40
	case len(s) >= 8 && hex >= len(s)-4: // with dashes
		return true
	}
	return digits >= 3 && len(s) >= 8 || len(s) > 24
}

package har

import (
	"strings"
	"time"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// appendSent appends the cookies that a client sends (RFC 6265 section 4.2).
func appendSent(dst []byte, fields []message.Field) []byte {
	more := false
	for i := range fields {
		if !message.EqualFold(fields[i].Name, "Cookie") {
			continue
		}
		for rest := fields[i].Value; rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if !ok { // a masked header is no cookie
				continue
			}
			dst = appendPair(dst, more, name, value)
			dst = append(dst, '}')
			more = true
		}
	}
	return dst
}

// appendSet appends the cookies that a server sets (RFC 6265 section 4.1).
func appendSet(dst []byte, fields []message.Field) []byte {
	more := false
	for i := range fields {
		if !message.EqualFold(fields[i].Name, "Set-Cookie") {
			continue
		}
		pair, rest, _ := strings.Cut(fields[i].Value, ";")
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			continue
		}
		dst = appendPair(dst, more, name, value)
		dst = appendAttributes(dst, rest)
		dst = append(dst, '}')
		more = true
	}
	return dst
}

func appendAttributes(dst []byte, rest string) []byte {
	var path, domain, site string
	var expires time.Time
	var secure, hidden bool
	for rest != "" {
		var one string
		one, rest, _ = strings.Cut(rest, ";")
		key, value, _ := strings.Cut(strings.TrimSpace(one), "=")
		switch strings.ToLower(key) { // the last of a kind counts
		case "path":
			path = value
		case "domain":
			domain = value
		case "samesite":
			site = value
		case "secure":
			secure = true
		case "httponly":
			hidden = true
		case "expires":
			expires = moment(value)
		}
	}
	for _, a := range [...]struct{ name, value string }{{`,"path":`, path}, {`,"domain":`, domain}, {`,"sameSite":`, site}} {
		if a.value != "" {
			dst = append(dst, a.name...)
			dst = format.AppendText(dst, a.value)
		}
	}
	if !expires.IsZero() {
		dst = append(dst, `,"expires":"`...)
		dst = expires.UTC().AppendFormat(dst, "2006-01-02T15:04:05Z")
		dst = append(dst, '"')
	}
	if hidden {
		dst = append(dst, `,"httpOnly":true`...)
	}
	if secure {
		dst = append(dst, `,"secure":true`...)
	}
	return dst
}

// moment reads a date in the forms that servers send; what it cannot read is
// the zero time.
func moment(s string) time.Time {
	for _, layout := range [...]string{time.RFC1123, "Mon, 02-Jan-2006 15:04:05 MST", "Mon, 02-Jan-06 15:04:05 MST", time.RFC850, time.ANSIC} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 0 && t.Year() < 10000 {
			return t
		}
	}
	return time.Time{}
}

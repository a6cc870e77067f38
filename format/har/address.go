package har

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// address returns the absolute URL that was asked for, as far as it is known.
func address(x *message.Exchange, m *message.Message) string {
	target := m.Target
	if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") {
		return escape(target)
	}
	host, ok := m.Get("Host")
	if !ok || !plainHost(host) {
		host = authority(x.Flow.Server)
	}
	switch {
	case m.Op == "CONNECT" && plainHost(target):
		return "http://" + target + "/"
	case !strings.HasPrefix(target, "/"): // "*", or nothing that is known
		target = "/" + target
	}
	return escape("http://" + host + target)
}

func authority(a netip.AddrPort) string {
	host := a.Addr().WithZone("").Unmap().String()
	if !a.IsValid() {
		host = "unknown"
	}
	if a.Port() == 80 {
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(int(a.Port())))
}

// plainHost tells whether s can stand in a URL as host and port.
func plainHost(s string) bool {
	if s == "" || len(s) > 300 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c-'0' > 9 && c|0x20-'a' > 25 && !strings.ContainsRune(".-_:[]", rune(c)) {
			return false
		}
	}
	_, err := url.Parse("http://" + s + "/")
	return err == nil
}

// escape writes with percent signs what cannot stand in a URL.
func escape(s string) string {
	bad := func(c byte) bool { return c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 }
	count := 0
	for i := range len(s) {
		if bad(s[i]) || s[i] == '%' && !hexPair(s[i+1:]) {
			count++
		}
	}
	if count == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*count)
	for i := range len(s) {
		if c := s[i]; bad(c) || c == '%' && !hexPair(s[i+1:]) {
			b = append(b, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

func hexPair(s string) bool {
	digit := func(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 5 }
	return len(s) >= 2 && digit(s[0]) && digit(s[1])
}

// appendQuery appends the parameters of a request target.
func appendQuery(dst []byte, target string) []byte {
	_, query, ok := strings.Cut(target, "?")
	if !ok {
		return dst
	}
	query, _, _ = strings.Cut(query, "#")
	return appendForm(dst, query)
}

// appendForm appends the names and values of a form (application/
// x-www-form-urlencoded), decoded where they can be.
func appendForm(dst []byte, form string) []byte {
	more := false
	for form != "" {
		var pair string
		pair, form, _ = strings.Cut(form, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		dst = appendPair(dst, more, decoded(name), decoded(value))
		dst = append(dst, '}')
		more = true
	}
	return dst
}

func decoded(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// appendPosted appends the body of a request. The form's parameters stand beside
// the text: browsers write both, and some readers know one of them only.
func appendPosted(dst []byte, m *message.Message) []byte {
	body := format.Body(m)
	if len(body) == 0 {
		return dst
	}
	kind, _ := m.Get("Content-Type")
	dst = append(dst, `,"postData":{"mimeType":`...)
	dst = format.AppendText(dst, kind)
	if !utf8.Valid(body) {
		dst = append(dst, `,"text":`...)
		dst = appendBase64(dst, m.Body)
		return append(dst, `,"_encoding":"base64"}`...)
	}
	if kind, _, _ = strings.Cut(kind, ";"); strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		dst = append(dst, `,"params":[`...)
		dst = appendForm(dst, string(body))
		dst = append(dst, ']')
	}
	dst = append(dst, `,"text":`...)
	dst = format.AppendQuoted(dst, body)
	return append(dst, '}')
}

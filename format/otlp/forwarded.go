package otlp

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/passiflow/passiflow/message"
)

// origin is what proxies say of a request as they got it: Forwarded (RFC 7239)
// or the headers that were there before it. What is not known is empty. Whoever
// sends the request can write such headers, too.
type origin struct {
	client     netip.Addr
	clientPort uint16
	scheme     string
	host       string
	port       uint16
}

// originOf reads what the proxy nearest to the client has added, which stands
// first.
func originOf(m *message.Message) origin {
	var o origin
	if value, ok := m.Get("Forwarded"); ok {
		for value != "" {
			name, text, rest, more := cutPair(value)
			switch {
			case message.EqualFold(name, "for"):
				o.setClient(text)
			case message.EqualFold(name, "proto"):
				o.setScheme(text)
			case message.EqualFold(name, "host"):
				o.setHost(text)
			}
			if value = rest; !more {
				break
			}
		}
	}
	if value, ok := m.Get("X-Forwarded-For"); ok && !o.client.IsValid() {
		o.setClient(first(value))
	}
	if value, ok := m.Get("X-Forwarded-Proto"); ok && o.scheme == "" {
		o.setScheme(first(value))
	}
	if value, ok := m.Get("X-Forwarded-Host"); ok && o.host == "" {
		o.setHost(first(value))
	}
	if value, ok := m.Get("X-Forwarded-Port"); ok && o.host != "" && o.port == 0 {
		o.port = portOf(first(value))
	}
	return o
}

// first returns the first of a list.
func first(list string) string {
	one, _, _ := strings.Cut(list, ",")
	return strings.Trim(one, " \t")
}

// cutPair cuts one pair off a Forwarded header and tells whether more of the
// same element follows (RFC 7239 section 4).
func cutPair(s string) (name, value, rest string, more bool) {
	name, s, ok := cutAny(s, "=;,")
	name = strings.Trim(name, " \t")
	if !ok || s[0] != '=' {
		return name, "", strings.TrimPrefix(s, ";"), ok && s[0] == ';'
	}
	if s = s[1:]; strings.HasPrefix(s, `"`) {
		end := 1
		for end < len(s) && s[end] != '"' {
			if s[end] == '\\' {
				end++ // no address and no name has a character that needs it
			}
			end++
		}
		if end >= len(s) {
			return name, "", "", false
		}
		value, s = s[1:end], s[end+1:]
		_, s, ok = cutAny(s, ";,")
	} else {
		value, s, ok = cutAny(s, ";,")
		value = strings.Trim(value, " \t")
	}
	if !ok || s[0] == ',' {
		return name, value, "", false
	}
	return name, value, s[1:], true
}

// cutAny cuts s before the first of chars.
func cutAny(s, chars string) (before, from string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:], true
	}
	return s, "", false
}

// setClient takes an address with or without a port. What hides it (unknown, or
// a name that begins with _) and what is masked says nothing.
func (o *origin) setClient(text string) {
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		o.client = ip
		return
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		o.client, o.clientPort = ip, portOf(port)
	}
}

func (o *origin) setScheme(text string) {
	switch {
	case message.EqualFold(text, "https"):
		o.scheme = "https"
	case message.EqualFold(text, "http"):
		o.scheme = "http"
	}
}

// maxHost is the longest name of a host (RFC 1035 section 2.3.4).
const maxHost = 255

func (o *origin) setHost(text string) {
	host, port := splitAuthority(text)
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/;<=>?@\{}`, r) }
	if host == "" || len(host) > maxHost || strings.ContainsFunc(host, odd) {
		return
	}
	o.host, o.port = host, port
}

func portOf(text string) uint16 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// standardPort returns the port of a scheme.
func standardPort(scheme string) uint16 {
	if scheme == "https" {
		return 443
	}
	return 80
}

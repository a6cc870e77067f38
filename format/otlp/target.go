package otlp

import (
	"net"
	"strings"

	"github.com/passiflow/passiflow/message"
)

// methodOf returns the method under the name that the conventions allow, and
// whether it is one of those that they list.
func methodOf(m *message.Message) (string, bool) {
	if m != nil {
		switch m.Op {
		case "GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE":
			return m.Op, true
		}
	}
	return "_OTHER", false
}

// target is what a request is for. What is not known is empty.
type target struct {
	scheme, host string
	port         uint16
	path, query  string
}

// parseTarget reads the request target in its four forms (RFC 9112 section 3.2)
// and the Host header.
func parseTarget(m *message.Message) target {
	t := target{scheme: "http"}
	authority, _ := m.Get("Host")
	rest := m.Target
	switch {
	case m.Op == "CONNECT":
		authority, rest = rest, ""
	case strings.HasPrefix(rest, "/"):
	default:
		scheme, after, ok := strings.Cut(rest, "://")
		if !ok || scheme != "http" && scheme != "https" {
			rest = "" // "*", or nothing that is known
			break
		}
		t.scheme = scheme
		at := strings.IndexAny(after, "/?")
		if at < 0 {
			authority, rest = after, "/"
		} else if authority, rest = after[:at], after[at:]; rest[0] == '?' {
			rest = "/" + rest
		}
	}
	rest, _, _ = strings.Cut(rest, "#")
	t.path, t.query, _ = strings.Cut(rest, "?")
	t.host, t.port = splitAuthority(authority)
	return t
}

// splitAuthority returns host and port; 0: none.
func splitAuthority(authority string) (string, uint16) {
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:] // a password has no place in an attribute
	}
	host, port, err := net.SplitHostPort(authority)
	if err != nil {
		return strings.Trim(authority, "[]"), 0
	}
	return host, portOf(port)
}

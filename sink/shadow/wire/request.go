package wire

import (
	"strconv"
	"strings"

	"github.com/passiflow/passiflow/message"
)

// framing tells whether a field says where the body ends.
func framing(name string) bool {
	return message.EqualFold(name, "content-length") || message.EqualFold(name, "transfer-encoding")
}

// chunkBytes is how much of a body one chunk carries.
const chunkBytes = 16 << 10

// Append appends the request of x as it goes over the wire, or says why it
// cannot be sent; dst is then as it was.
func (c *Config) Append(dst []byte, x *message.Exchange) ([]byte, Refusal) {
	if why := c.Refuse(x); why != Sendable {
		return dst, why
	}
	m := x.Request
	version, target := m.Version, c.Target(m)
	if version != "1.0" {
		version = "1.1"
	}
	if !token(m.Op) || target == "" || strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return dst, Malformed
	}
	all, ok := plain(c.fields(m))
	if !ok {
		return dst, Malformed
	}
	fields, trailers := split(all)
	body, kept := encode(m, all)
	chunked := version == "1.1" && isChunked(all)
	length := len(body) > 0
	for _, f := range all {
		length = length || message.EqualFold(f.Name, "content-length")
	}
	start := len(dst)
	dst = append(dst, m.Op...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	dst = append(dst, " HTTP/"...)
	dst = append(dst, version...)
	dst = append(dst, "\r\n"...)
	framed := false
	frame := func() {
		switch {
		case framed:
		case chunked:
			dst = appendField(dst, "Transfer-Encoding", "chunked")
		case length:
			dst = appendField(dst, "Content-Length", strconv.Itoa(len(body)))
		}
		framed = true
	}
	for _, f := range fields {
		switch {
		case framing(f.Name):
			frame() // once, where the first of them stood
		case !kept && message.EqualFold(f.Name, "content-encoding"):
		default:
			if !token(f.Name) || !text(f.Value) {
				return dst[:start], Malformed
			}
			dst = appendField(dst, f.Name, f.Value)
		}
	}
	frame()
	dst = append(dst, "\r\n"...)
	if !chunked {
		return append(dst, body...), Sendable
	}
	for len(body) > 0 {
		n := min(len(body), chunkBytes)
		dst = strconv.AppendUint(dst, uint64(n), 16)
		dst = append(dst, "\r\n"...)
		dst = append(dst, body[:n]...)
		dst = append(dst, "\r\n"...)
		body = body[n:]
	}
	dst = append(dst, "0\r\n"...)
	for _, f := range trailers {
		if !token(f.Name) || !text(f.Value) {
			return dst[:start], Malformed
		}
		dst = appendField(dst, f.Name, f.Value)
	}
	return append(dst, "\r\n"...), Sendable
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// plain makes fields of HTTP/2 those of HTTP/1.1: the pseudo fields go, and
// :authority is the Host.
func plain(all []message.Field) ([]message.Field, bool) {
	out := all[:0]
	host := ""
	for _, f := range all {
		switch {
		case message.EqualFold(f.Name, ":authority"):
			host = f.Value
		case strings.HasPrefix(f.Name, ":"):
		default:
			out = append(out, f)
		}
	}
	if host != "" {
		if !text(host) {
			return nil, false
		}
		out = set(out, message.Field{Name: "Host", Value: host})
	}
	return out, true
}

// split parts the trailer fields, which a record has behind the header fields,
// from these. They are known by their names, which the Trailer field tells.
func split(all []message.Field) (fields, trailers []message.Field) {
	var named []string
	if isChunked(all) {
		for _, f := range all {
			if message.EqualFold(f.Name, "trailer") {
				for n := range strings.SplitSeq(f.Value, ",") {
					named = append(named, strings.TrimSpace(n))
				}
			}
		}
	}
	at := len(all)
	for at > 0 && len(named) > 0 && removed(named, all[at-1].Name) {
		at--
	}
	return all[:at], all[at:]
}

func isChunked(all []message.Field) bool {
	for _, f := range all {
		if message.EqualFold(f.Name, "transfer-encoding") && strings.Contains(strings.ToLower(f.Value), "chunked") {
			return true
		}
	}
	return false
}

package http1

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/protocoltest"
)

// TestOpaque says when the decoder lets go, and what it says then.
func TestOpaque(t *testing.T) {
	const record = "\x17\x03\x03\x00\x05hello"
	connect := lines("CONNECT a.example:443 HTTP/1.1", "Host: a.example")
	ok := s(lines("HTTP/1.1 200 Connection established"))
	for _, c := range []struct {
		name string
		in   []seg
		want *protocol.Opaque
		n    int // messages
	}{
		{"tunnel with TLS", []seg{c(connect), ok, c(record)}, &protocol.Opaque{Cause: protocol.Tunnelled, Next: "tls"}, 2},
		{"tunnel where the server begins", []seg{c(connect), ok, s("SSH-2.0-x\r\n")}, &protocol.Opaque{Cause: protocol.Tunnelled, Next: "ssh"}, 2},
		{"tunnel in the same segment", []seg{c(connect), s(ok.Data + "220 mail\r\n")}, &protocol.Opaque{Cause: protocol.Tunnelled}, 2},
		{"tunnel with its first bytes too early", []seg{c(connect + record), ok, s("x")}, &protocol.Opaque{Cause: protocol.Tunnelled}, 2},
		{"requests through a tunnel", []seg{c(connect), ok, c(lines("GET / HTTP/1.1")), s(lines("HTTP/1.1 200 OK", "Content-Length: 1") + "x"), c(lines("GET /2 HTTP/1.1"))}, nil, 5},
		{"their first line in pieces", []seg{c(connect), ok, c("GE"), c("T /"), c(" HTTP/1.1\r\n\r\n"), s(lines("HTTP/1.1 204 No"))}, nil, 4},
		{"a tunnel through a tunnel", []seg{c(connect), ok, c(connect), ok, c(record)}, &protocol.Opaque{Cause: protocol.Tunnelled, Next: "tls"}, 4},
		{"another protocol's line", []seg{c(connect), ok, c("OPTIONS sip:x SIP/2.0\r\n\r\n")}, &protocol.Opaque{Cause: protocol.Tunnelled}, 2},
		{"a line that no request becomes", []seg{c(connect), ok, c("NI"), c("CK me\r\n")}, &protocol.Opaque{Cause: protocol.Tunnelled}, 2},
		{"tunnel that nobody used", []seg{c(connect), fin(ok)}, nil, 2},
		{"no tunnel", []seg{c(connect), s(lines("HTTP/1.1 403 No", "Content-Length: 0")), c(lines("GET / HTTP/1.1"))}, nil, 3},
		{"a length in the answer counts for nothing", []seg{c(connect), s(lines("HTTP/1.1 200 OK", "Content-Length: 10")), c(record)},
			&protocol.Opaque{Cause: protocol.Tunnelled, Next: "tls"}, 2},
		{"upgrade", []seg{c(lines("GET / HTTP/1.1", "Upgrade: websocket")), s(lines("HTTP/1.1 101 Yes", "Upgrade: WebSocket") + "\x81")},
			&protocol.Opaque{Cause: protocol.Upgraded, Next: "websocket"}, 2},
		{"upgrade to HTTP/2", []seg{c(lines("GET / HTTP/1.1", "Upgrade: h2c")), s(lines("HTTP/1.1 101 Yes", "Upgrade: h2c"))},
			&protocol.Opaque{Cause: protocol.Upgraded, Next: "h2c"}, 2},
		{"upgrade refused", []seg{c(lines("GET / HTTP/1.1", "Upgrade: h2c")), s(lines("HTTP/1.1 200 OK", "Content-Length: 1") + "x"), c(lines("GET / HTTP/1.1"))}, nil, 3},
		{"nonsense", []seg{c("\x00\x01\x02 secret 42")}, &protocol.Opaque{Sample: "...._aaaaaa_00"}, 0},
		{"ciphertext in the middle", []seg{mid(c(record))}, &protocol.Opaque{Next: "tls", Sample: "......aaaaa"}, 0},
		{"a line that is no request", []seg{c(lines("GET / HTTP/1.1")), c("T / HTTP\r\n\r\n"), c(lines("GET /2 HTTP/1.1"))}, nil, 2},
		{"nonsense later on", []seg{c(lines("GET / HTTP/1.1")), c("\x00\x01\x02"), c(lines("GET /2 HTTP/1.1"))}, nil, 2},
	} {
		d := protocoltest.Run(protocolOf(), c.in)
		d.Check(t)
		var got *protocol.Opaque
		errors.As(d.Err, &got)
		if got != nil {
			if c.want != nil {
				c.want.Protocol = "http"
			}
			if got.Cause != protocol.NotSpoken {
				got.Sample = ""
			}
		}
		if c.want != nil && c.want.Sample != "" && got != nil && got.Sample[0] == '.' {
			c.want.Sample = got.Sample // its masking is tested beside it
		}
		if diff := cmp.Diff(c.want, got); diff != "" || len(d.Messages) != c.n {
			t.Errorf("%s: %d messages, %v\n%s", c.name, len(d.Messages), d.Err, diff)
		}
		for _, m := range d.Messages {
			if m.From == flow.Server && m.Status == "200" && len(m.Body) > 1 {
				t.Errorf("%s: a tunnel's bytes as a body", c.name)
			}
		}
	}
}

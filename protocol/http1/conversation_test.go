package http1

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/protocoltest"
)

type seg = protocoltest.Segment

func c(s string) seg { return seg{From: flow.Client, Data: s} }
func s(s string) seg { return seg{From: flow.Server, Data: s} }
func fin(s seg) seg  { s.End = true; return s }

func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }

func squeeze(t testing.TB, how, text string) string {
	var b bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "flate":
		w, _ = flate.NewWriter(&b, 6)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func conversations(t testing.TB) []protocoltest.Conversation {
	gz := squeeze(t, "gzip", strings.Repeat("text that repeats ", 20))
	return []protocoltest.Conversation{
		{Name: "keep-alive", Aligned: true, Segments: []seg{
			c(lines("GET /a?b=1 HTTP/1.1", "Host: x", "Accept: */*")),
			s(lines("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Type: text/plain") + "hello"),
			c(lines("POST /b HTTP/1.1", "Host: x", "Content-Length: 3") + "abc"),
			s(lines("HTTP/1.1 404 Not Found", "Content-Length: 0")),
			c(lines("DELETE /c HTTP/1.1", "Host: x")),
			s(lines("HTTP/1.1 204 No Content")),
			c(lines("GET /d HTTP/1.1", "Host: x")),
			fin(s(lines("HTTP/1.1 304 Not Modified", "Content-Length: 99"))),
		}},
		{Name: "segments of a body", Aligned: true, Segments: []seg{
			c(lines("PUT /b HTTP/1.1", "Host: x", "Content-Length: 30") + "0123456789"), c("0123456789"), c("0123456789"),
			s(lines("HTTP/1.1 200 OK", "Content-Length: 20")), s("0123456789"), s("0123456789"),
			c(lines("GET / HTTP/1.1", "Host: x")),
			s(lines("HTTP/1.1 200 OK", "Content-Length: 1") + "1"),
		}},
		{Name: "pipelined", Segments: []seg{
			c(lines("GET /1 HTTP/1.1", "Host: x") + lines("HEAD /2 HTTP/1.1", "Host: x") + lines("GET /3 HTTP/1.1", "Host: x")),
			s(lines("HTTP/1.1 200 OK", "Content-Length: 3") + "one" + lines("HTTP/1.1 200 OK", "Content-Length: 3") + lines("HTTP/1.1 200 OK", "Content-Length: 5") + "three"),
		}},
		{Name: "chunked", Aligned: true, Segments: []seg{
			c(lines("POST /c HTTP/1.1", "Transfer-Encoding: chunked") + "5;name=value\r\nhello\r\n6 ;a=\"b;c\"\r\n world\r\n"), c("00\r\nX-Sum: 1\r\nY: z\r\n\r\n"),
			s(lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "A\r\n0123456789\r\n"), s("a\r\n0123456789\r\n0\r\n\r\n"),
			c(lines("GET /n HTTP/1.1")),
			s(lines("HTTP/1.1 200 OK", "Content-Length: 2") + "ok"),
		}},
		{Name: "interim", Aligned: true, Segments: []seg{
			c(lines("POST /i HTTP/1.1", "Expect: 100-continue", "Content-Length: 4")),
			s(lines("HTTP/1.1 100 Continue")),
			c("data"),
			s(lines("HTTP/1.1 103 Early Hints", "Link: </a>; rel=preload")),
			s(lines("HTTP/1.1 201 Created", "Content-Length: 0")),
		}},
		{Name: "refused", Segments: []seg{
			c(lines("POST /i HTTP/1.1", "Expect: 100-continue", "Content-Length: 4")),
			s(lines("HTTP/1.1 417 Expectation Failed", "Content-Length: 0")),
			c(lines("GET /n HTTP/1.1", "Host: x")),
			s(lines("HTTP/1.1 200 OK", "Content-Length: 2") + "ok"),
		}},
		{Name: "early answer", Segments: []seg{
			c(lines("POST /big HTTP/1.1", "Content-Length: 10") + "0123"),
			s(lines("HTTP/1.1 413 Too Large", "Content-Length: 2", "Connection: close") + "no"),
			c("45"),
			fin(s("")),
		}},
		{Name: "closed", Segments: []seg{
			c(lines("GET / HTTP/1.0")),
			s(lines("HTTP/1.0 200 OK", "Content-Type: text/html") + "<html>"), fin(s("</html>")),
		}},
		{Name: "cut", Segments: []seg{
			c(lines("GET / HTTP/1.1", "Host: x")),
			s(lines("HTTP/1.1 200 OK", "Content-Length: 10") + "half"),
		}},
		{Name: "gzip", Segments: []seg{
			c(lines("GET / HTTP/1.1", "Accept-Encoding: gzip")),
			s(lines("HTTP/1.1 200 OK", "Content-Encoding: gzip", fmt.Sprint("Content-Length: ", len(gz))) + gz),
			c(lines("GET / HTTP/1.1", "Accept-Encoding: gzip")),
			s(lines("HTTP/1.1 200 OK", "Content-Encoding: gzip", "Transfer-Encoding: chunked") + fmt.Sprintf("5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", gz[:5], len(gz)-5, gz[5:])),
		}},
		{Name: "connect", Once: true, Segments: []seg{
			c(lines("CONNECT a:443 HTTP/1.1", "Host: a")),
			s(lines("HTTP/1.1 407 Auth", "Content-Length: 2") + "no"),
			c(lines("CONNECT a:443 HTTP/1.1", "Host: a")),
			s(lines("HTTP/1.1 200 Connection established")),
			c("\x17\x03\x03\x00\x05hello"),
		}},
		{Name: "upgrade", Once: true, Segments: []seg{
			c(lines("GET /ws HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket")),
			s(lines("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: WebSocket") + "\x81\x02hi"),
		}},
		{Name: "odd heads", Segments: []seg{
			c("\r\n\r\nGET /fold HTTP/1.1\r\nA: one\r\n two\r\n\tthree\r\nB:\t x \t\r\nC:\r\n\r\n"),
			s("HTTP/1.1 200\r\nContent-Length: 1, 1\r\n\r\nx"),
			c("get /bare HTTP/1.0\nX: y\n\n"),
			s("ICY 200 OK\r\nContent-Length: 1\r\n\r\ny"),
			c(lines("M-SEARCH * HTTP/1.1", "Bad Name: 1", "no colon", "X : y")),
			s(lines("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked") + "1\r\nz\r\n0\r\n\r\n"),
			c(lines("GET http://a.example/absolute HTTP/1.1")),
			s(lines("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6") + "12345"),
		}},
		{Name: "0.9", Segments: []seg{c("GET /old\r\n"), s("<html>old"), fin(s("</html>"))}},
		{Name: "in the middle", Segments: []seg{
			{From: flow.Client, Data: "rest of a body", Mid: true},
			{From: flow.Server, Data: "rest of an answer", Mid: true},
			c(lines("GET /known HTTP/1.1", "Host: x")),
			s(lines("HTTP/1.1 200 OK", "Content-Length: 2") + "ok"),
		}},
	}
}

func protocolOf() protocol.Protocol { return New(DefaultConfig()) }

func TestConform(t *testing.T) {
	protocoltest.Conform(t, protocolOf, conversations(t))
}

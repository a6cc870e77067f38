package wire_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// request returns a recorded request; fields are "Name: value".
func request(method, target, body string, fields ...string) *message.Exchange {
	m := &message.Message{Op: method, Target: target, Version: "1.1", Body: []byte(body), Size: int64(len(body)), WireSize: int64(len(body))}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		m.Fields = append(m.Fields, message.Field{Name: name, Value: value})
	}
	return &message.Exchange{Protocol: "http", Request: m}
}

func appended(t *testing.T, c wire.Config, x *message.Exchange) string {
	t.Helper()
	b, why := c.Append([]byte("before"), x)
	if why != wire.Sendable {
		t.Fatalf("refused: %s", why)
	}
	rest, ok := strings.CutPrefix(string(b), "before")
	if !ok {
		t.Fatalf("what was there is gone: %q", b)
	}
	return rest
}

func TestAppend(t *testing.T) {
	rule := func(s string) wire.Rule {
		r, err := wire.ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	headerRule, err := wire.ParseHeaderRule("X-Tenant: ^(.*)-prod$ => $1-test")
	if err != nil {
		t.Fatal(err)
	}
	any := wire.Config{Unsafe: true}
	for _, x := range []struct {
		name   string
		config wire.Config
		in     *message.Exchange
		want   string
	}{
		{"as recorded", any, request("GET", "/a?b=1", "", "HoSt: x", "accept: a", "Accept: b", "X-Empty: "),
			"GET /a?b=1 HTTP/1.1\r\nHoSt: x\r\naccept: a\r\nAccept: b\r\nX-Empty: \r\n\r\n"},
		{"length in its place", any, request("POST", "/", "body", "Host: x", "content-length: 9", "Z: 1"),
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nZ: 1\r\n\r\nbody"},
		{"length of nothing", any, request("POST", "/", "", "Content-Length: 0"), "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"},
		{"two lengths and chunks become one", any, request("POST", "/", "body", "Content-Length: 4", "Content-Length: 5", "Transfer-Encoding: gzip, chunked"),
			"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"},
		{"trailers", any, request("POST", "/", "b", "Trailer: Digest, X-T", "Transfer-Encoding: chunked", "digest: 1", "X-T: 2"),
			"POST / HTTP/1.1\r\nTrailer: Digest, X-T\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\ndigest: 1\r\nX-T: 2\r\n\r\n"},
		{"http2", any, request("GET", "/", "", ":method: GET", ":path: /", ":authority: shop", "accept: a"),
			"GET / HTTP/1.1\r\nHost: shop\r\naccept: a\r\n\r\n"},
		{"remove, replace, set, host", wire.Config{
			Methods: wire.SafeMethods(), Host: "other", Remove: []string{"cookie"}, Replace: []wire.HeaderRule{headerRule},
			Set: []message.Field{{Name: "Accept", Value: "z"}, {Name: "X-New", Value: "n"}}, Targets: []wire.Rule{rule("^/v1/ => /v2/"), rule(`id=(\d+) => key=$1`)},
		}, request("GET", "/v1/a?id=7", "", "Host: x", "Cookie: s", "X-Tenant: shop-prod", "accept: a", "Accept: b"),
			"GET /v2/a?key=7 HTTP/1.1\r\nHost: other\r\nX-Tenant: shop-test\r\naccept: z\r\nX-New: n\r\n\r\n"},
	} {
		t.Run(x.name, func(t *testing.T) {
			fields := append([]message.Field(nil), x.in.Request.Fields...)
			if d := cmp.Diff(x.want, appended(t, x.config, x.in)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(fields, x.in.Request.Fields); d != "" {
				t.Errorf("the record was changed: %s", d)
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	safe := wire.DefaultConfig()
	marked := func(m message.Mark, x *message.Exchange) *message.Exchange {
		x.Request.Marks |= m
		return x
	}
	cut := request("GET", "/", "part")
	cut.Request.Size = 10
	old := request("GET", "/", "")
	old.Request.Version = "0.9"
	for name, x := range map[string]struct {
		x    *message.Exchange
		want wire.Refusal
	}{
		"nothing to refuse":     {request("HEAD", "/", ""), wire.Sendable},
		"answer alone":          {&message.Exchange{Protocol: "http", Response: &message.Message{}}, wire.NoRequest},
		"another protocol":      {&message.Exchange{Protocol: "dns", Request: &message.Message{Op: "GET"}}, wire.NotHTTP},
		"HTTP/0.9":              {old, wire.NotHTTP},
		"POST":                  {request("POST", "/", ""), wire.UnsafeMethod},
		"lower case":            {request("get", "/", ""), wire.UnsafeMethod},
		"override":              {request("GET", "/", "", "x-http-method-override: DELETE"), wire.UnsafeMethod},
		"harmless override":     {request("GET", "/", "", "X-HTTP-Method: head"), wire.Sendable},
		"tunnel":                {request("CONNECT", "a:443", ""), wire.Connect},
		"gap":                   {marked(message.Gapped, request("GET", "/", "")), wire.Incomplete},
		"cut body":              {cut, wire.CutBody},
		"truncated":             {marked(message.BodyTruncated, request("GET", "/", "x")), wire.CutBody},
		"masked header":         {request("GET", "/", "", "Authorization: [REDACTED]"), wire.Masked},
		"masked target":         {request("GET", "/?k=[REDACTED]", ""), wire.Masked},
		"masked, escaped":       {request("GET", "/?k=%5BREDACTED%5D", ""), wire.Masked},
		"masked body":           {request("GET", "/", `{"a":"[REDACTED]"}`), wire.Masked},
		"undecodable":           {marked(message.BadEncoding, request("GET", "/", "x")), wire.BadEncoding},
		"target of two words":   {request("GET", "/a b", ""), wire.Malformed},
		"target with a line":    {request("GET", "/a\r\nX: y", ""), wire.Malformed},
		"no target":             {request("GET", "", ""), wire.Malformed},
		"value with a line":     {request("GET", "/", "", "X: a\r\nY: b"), wire.Malformed},
		"name with a space":     {request("GET", "/", "", "X : a"), wire.Malformed},
		"trailer with a line":   {request("GET", "/", "b", "Trailer: t", "Transfer-Encoding: chunked", "T: a\nb"), wire.Malformed},
		"authority with a line": {request("GET", "/", "", ":authority: a\r\nX: y"), wire.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			b, why := safe.Append(nil, x.x)
			if why != x.want || why != wire.Sendable && len(b) > 0 {
				t.Errorf("%q, %q", why, b)
			}
		})
	}
	asked := wire.DefaultConfig()
	asked.AsIs = true
	for _, x := range []*message.Exchange{cut, request("GET", "/", "", "Cookie: [REDACTED]")} {
		if why := asked.Refuse(x); why != wire.Sendable {
			t.Errorf("as is: %s", why)
		}
	}
	asked.Methods = append(asked.Methods, "PATCH")
	if why := asked.Refuse(request("PATCH", "/", "")); why != wire.Sendable {
		t.Errorf("named: %s", why)
	}
}

// A body that came compressed goes out compressed the same way, and a server
// reads what was recorded.
func TestCodings(t *testing.T) {
	body := strings.Repeat("the same again and again ", 500)
	for _, coding := range []string{"gzip", "x-gzip", "deflate", "br", "zstd", "identity", "gzip, br", "rot13"} {
		x := request("POST", "/", body, "Host: a", "Content-Encoding: "+coding, "Transfer-Encoding: chunked")
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(appended(t, wire.Config{Unsafe: true}, x))))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		switch coding {
		case "rot13":
			if string(b) != body || r.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s: %d bytes, %v", coding, len(b), r.Header)
			}
		case "identity":
			if string(b) != body {
				t.Errorf("%s: %d bytes", coding, len(b))
			}
		case "gzip":
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if b, err = io.ReadAll(z); err != nil || string(b) != body {
				t.Errorf("%s: %d bytes, %v", coding, len(b), err)
			}
		default:
			if len(b) > 1000 || r.Header.Get("Content-Encoding") != coding {
				t.Errorf("%s: %d bytes, %v", coding, len(b), r.Header)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for _, bad := range []string{"", "a", "( => b"} {
		if _, err := wire.ParseRule(bad); err == nil {
			t.Errorf("rule %q", bad)
		}
	}
	for _, bad := range []string{"", "a => b", "a b: x => y", "a: x", "a: ( => y"} {
		if _, err := wire.ParseHeaderRule(bad); err == nil {
			t.Errorf("header rule %q", bad)
		}
	}
	for _, bad := range []string{"", "a", "a b: c", "a: b\r\nc: d", "Content-Length: 4", "transfer-encoding: chunked"} {
		if _, err := wire.ParseHeader(bad); err == nil {
			t.Errorf("header %q", bad)
		}
	}
	for in, want := range map[string]string{
		"127.0.0.1:80": "http://127.0.0.1:80", "a:81": "http://a:81", "http://a": "http://a:80", "https://a/": "https://a:443",
		"http://[::1]:8080": "http://[::1]:8080", "https://a:1": "https://a:1", "[::1]:5": "http://[::1]:5",
		"a": "", "": "", "ftp://a": "", "http://a/b": "", "http://u:pass@a": "", "http://u:pass@a/b": "", "http://u:pass@a:b": "", "http://u:pass%@a": "", "u:pass@a:80": "", "a:0": "", "a:99999": "", "a:x": "", "http://": "", "http://a?b": "",
	} {
		got, err := wire.ParseTarget(in)
		if err != nil != (want == "") || err == nil && got.String() != want {
			t.Errorf("target %q: %v, %v", in, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "pass") {
			t.Errorf("target %q: the password is told: %v", in, err)
		}
	}
}

// Whatever is recorded, what goes out is one request or nothing.
func FuzzAppend(f *testing.F) {
	f.Add("GET", "/", "Host", "a", "Transfer-Encoding", "chunked", "body", true)
	f.Add("POST", "/a", "Content-Length", "9", "Trailer", "x", "0\r\n\r\nGET / HTTP/1.1\r\n\r\n", false)
	f.Fuzz(func(t *testing.T, method, target, name1, value1, name2, value2, body string, new bool) {
		x := request(method, target, body)
		x.Request.Fields = []message.Field{{Name: name1, Value: value1}, {Name: name2, Value: value2}}
		if !new {
			x.Request.Version = "1.0"
		}
		c := wire.Config{Unsafe: true, AsIs: true}
		b, why := c.Append(nil, x)
		if why != wire.Sendable {
			if len(b) != 0 {
				t.Fatalf("refused and written: %q", b)
			}
			return
		}
		in := bufio.NewReader(bytes.NewReader(b))
		r, err := http.ReadRequest(in)
		if err != nil {
			return // what was odd when it was recorded is odd again
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Fatalf("%v: %q", err, b)
		}
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Fatalf("a second request: %q in %q", rest, b)
		}
	})
}

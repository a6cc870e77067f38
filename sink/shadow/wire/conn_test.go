package wire_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// dial connects to a server that says answer to whatever it is asked.
func dial(t *testing.T, answer string, end bool) *wire.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, answer)
		if end {
			c.Close()
			return
		}
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	}()
	t.Cleanup(func() { l.Close() })
	c := connect(t, l.Addr().String())
	t.Cleanup(c.Close)
	return c
}

func connect(t *testing.T, to string) *wire.Conn {
	t.Helper()
	target, err := wire.ParseTarget(to)
	if err != nil {
		t.Fatal(err)
	}
	if loopback, err := target.Resolve(t.Context()); err != nil || !loopback {
		t.Fatal(loopback, err)
	}
	c, err := target.Connect(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c.Deadline(time.Now().Add(time.Minute))
	return c
}

func TestReceive(t *testing.T) {
	c := dial(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"+
		"HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nX-A: 1\r\nX-A: 2\r\n\r\nabc"+
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n"+
		"HTTP/1.1 200 OK\r\n\r\nto the end", true)
	for i, want := range []struct {
		method, status, body string
		close                bool
	}{{"GET", "200", "abc", false}, {"GET", "304", "", false}, {"HEAD", "200", "", false}, {"GET", "200", "abcde", false}, {"GET", "200", "to the end", true}} {
		a, err := c.Receive(want.method, 100)
		if err != nil {
			t.Fatal(i, err)
		}
		if a.Status != want.status || string(a.Body) != want.body || a.Close != want.close || a.Size != int64(len(want.body)) || a.Last.Before(a.First) || a.First.IsZero() {
			t.Errorf("%d: %+v", i, a)
		}
		if v, _ := a.Get("x-a"); i == 0 && (v != "1" || a.Reason != "Fine" || len(a.Fields) != 3) {
			t.Errorf("%+v", a.Message)
		}
	}
	if _, err := c.Receive("GET", 100); wire.Why(err) != "connection closed" {
		t.Errorf("%v: %s", err, wire.Why(err))
	}
}

func TestReceiveCodings(t *testing.T) {
	body := strings.Repeat("answer ", 1000)
	pack := func(w func(io.Writer) io.WriteCloser) string {
		var b bytes.Buffer
		z := w(&b)
		_, _ = io.WriteString(z, body)
		z.Close()
		return b.String()
	}
	for coding, packed := range map[string]string{
		"gzip":    pack(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }),
		"br":      pack(func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) }),
		"deflate": pack(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }),
		"Deflate": pack(func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 5); return z }),
		"zstd":    pack(func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z }),
	} {
		head := "HTTP/1.1 200 OK\r\nContent-Encoding: " + coding + "\r\nTransfer-Encoding: chunked\r\n\r\n"
		chunk := strings.TrimLeft(string(appendHex(len(packed))), "0") + "\r\n" + packed + "\r\n0\r\n\r\n"
		c := dial(t, head+chunk+head+chunk+head+"4\r\njunk\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", false)
		a, err := c.Receive("GET", 1<<20)
		if err != nil || string(a.Body) != body || a.WireSize != int64(len(packed)) {
			t.Fatalf("%s: %v, %d bytes", coding, err, len(a.Body))
		}
		if a, err = c.Receive("GET", 10); err != nil || string(a.Body) != body[:10] || a.Marks&message.BodyTruncated == 0 || a.Size != -1 {
			t.Fatalf("%s: %v, %q %v", coding, err, a.Body, a.Marks)
		}
		if a, err = c.Receive("GET", 10); err != nil || a.Marks&message.BadEncoding == 0 {
			t.Fatalf("%s: %v, %v", coding, err, a.Marks)
		}
		// Whatever became of the body, the next answer is found.
		if a, err = c.Receive("GET", 10); err != nil || a.Status != "204" {
			t.Fatalf("%s: %v", coding, err)
		}
	}
}

func appendHex(n int) []byte {
	const digits = "0123456789abcdef"
	return []byte{digits[n>>12&15], digits[n>>8&15], digits[n>>4&15], digits[n&15]}
}

func TestReceiveHostile(t *testing.T) {
	for name, x := range map[string]struct{ answer, why string }{
		"endless head":    {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("a", 1000)+"\r\n", 2000), "malformed answer"},
		"endless interim": {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000), "malformed answer"},
		"no HTTP":         {"SSH-2.0-OpenSSH\r\n\r\n\r\n", "malformed answer"},
		"bad chunk":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed answer"},
		"cut":             {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "connection closed"},
		"nothing":         {"", "connection closed"},
	} {
		c := dial(t, x.answer, true)
		if _, err := c.Receive("GET", 100); wire.Why(err) != x.why {
			t.Errorf("%s: %v: %s", name, err, wire.Why(err))
		}
	}
	c := dial(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", false)
	c.Deadline(time.Now().Add(20 * time.Millisecond))
	if _, err := c.Receive("GET", 100); wire.Why(err) != "timeout" {
		t.Error(err)
	}
}

func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target, err := wire.ParseTarget(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Connect(t.Context(), time.Second); err == nil {
		t.Error("dialled before it was resolved")
	}
	l.Close()
	if _, err := target.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Connect(t.Context(), time.Minute); wire.Why(err) != "connection refused" {
		t.Error(err)
	}
	for host, want := range map[string]bool{"127.5.6.7:1": true, "[::1]:1": true, "localhost:1": true, "192.0.2.1:1": false, "0.0.0.0:1": false, "[::ffff:127.0.0.1]:1": true} {
		target, err := wire.ParseTarget(host)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := target.Resolve(t.Context()); err != nil || got != want {
			t.Errorf("%s is of this machine: %v, %v", host, got, err)
		}
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	defer s.Close()
	target, err := wire.ParseTarget(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Connect(t.Context(), time.Minute); err == nil {
		t.Fatal("an unknown certificate was taken")
	}
	if target.TLS, err = (sink.TLSConfig{Insecure: true}).Client(); err != nil {
		t.Fatal(err)
	}
	c, err := target.Connect(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Send([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if a, err := c.Receive("GET", 100); err != nil || string(a.Body) != "HTTP/1.1" {
		t.Error(err)
	}
}

// What is wrong with an address is told without what may be secret in it.
func TestTargetKeepsSecrets(t *testing.T) {
	for _, address := range []string{"http://user:s3cr3t@h", "user:s3cr3t@h:80", "http://user:%s3cr3t@h", "https://h/in?token=s3cr3t", "http://h/s3cr3t", "ftp://user:s3cr3t@h"} {
		if _, err := wire.ParseTarget(address); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

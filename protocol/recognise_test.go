package protocol

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
)

// hello returns what a TLS client sends first.
func hello(t testing.TB, name string) []byte {
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		_ = tls.Client(b, &tls.Config{ServerName: name, InsecureSkipVerify: name == ""}).Handshake() // fails when the pipe closes
		b.Close()
	}()
	head := make([]byte, 5)
	if _, err := io.ReadFull(a, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(a, body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

func TestRecognise(t *testing.T) {
	whole := hello(t, "shop.example")
	for i := range whole {
		if got := TLSHello(whole[:i]); got != More {
			t.Fatalf("%d bytes: %v", i, got)
		}
	}
	if TLSHello(whole) != Yes {
		t.Error("a whole hello is not one")
	}
	for _, c := range []struct {
		b            string
		client       bool
		next, server string
	}{
		{string(whole), true, "tls", "shop.example"},
		{string(whole), false, "tls", ""},
		{string(hello(t, "")), true, "tls", ""},
		{string(whole[:50]), true, "tls", ""},
		{"\x17\x03\x03\x00\x05hello", true, "tls", ""},
		{"SSH-2.0-x\r\n", false, "ssh", ""},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true, "http2", ""},
		{"GET / HTTP/1.1\r\n", true, "", ""},
		{"", true, "", ""},
	} {
		if next, server := Recognise([]byte(c.b), c.client); next != c.next || server != c.server {
			t.Errorf("%.20q: %q %q, want %q %q", c.b, next, server, c.next, c.server)
		}
	}
}

func FuzzRecognise(f *testing.F) {
	f.Add(hello(f, "shop.example"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, server := Recognise(b, true)
		if len(server) > 255 {
			t.Error(server)
		}
		for i := range server {
			if server[i] <= ' ' || server[i] > '~' {
				t.Errorf("%q", server)
			}
		}
	})
}

package wire_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// said is a connection on which everything was said already.
type said struct {
	net.Conn
	bytes.Reader
}

func (s *said) Read(p []byte) (int, error)     { return s.Reader.Read(p) }
func (*said) SetReadDeadline(time.Time) error  { return nil }
func (*said) SetWriteDeadline(time.Time) error { return nil }
func (s *said) Write(p []byte) (int, error)    { return len(p), nil }
func (*said) Close() error                     { return nil }

// Whatever a server says, reading it ends, and keeps no more than was asked for.
func FuzzReceive(f *testing.F) {
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 204 No\r\n\r\n"), "GET")
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip, br\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n"), "GET")
	f.Add([]byte("HTTP/1.0 200\r\nContent-Encoding: zstd\r\n\r\n\x28\xb5\x2f\xfd"), "HEAD")
	f.Add([]byte("HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\nwhatever"), "GET")
	f.Fuzz(func(t *testing.T, in []byte, method string) {
		s := &said{}
		s.Reader.Reset(in)
		c := wire.NewConn(s)
		for n := 0; ; n++ {
			a, err := c.Receive(method, 100)
			if a != nil && a.Message != nil && len(a.Body) > 100 {
				t.Fatalf("%d bytes kept", len(a.Body))
			}
			if err != nil {
				if wire.Why(err) == "" {
					t.Fatal(err)
				}
				return
			}
			if a.Status == "" || a.Last.Before(a.First) || n > len(in) {
				t.Fatalf("%d: %+v", n, a)
			}
			if a.Close {
				return
			}
		}
	})
}

package http1

import (
	"bytes"

	"github.com/passiflow/passiflow/protocol"
)

// helloLimit bounds how much of a TLS client's first message is waited for.
const helloLimit = 16 << 10

// inside looks at the first bytes inside a tunnel and then lets go of it.
func (d *decoder) inside(in *protocol.Input) (int, error) {
	if len(in.Data) == 0 {
		return 0, nil
	}
	if !in.Final && len(in.Data) < helloLimit && (tlsHello(in.Data, nil) == protocol.More || in.Data[0] >= 20 && in.Data[0] <= 23 && len(in.Data) < 3) {
		return 0, nil // a TLS record may begin here
	}
	next, name := recognise(in.Data, asks(in.From))
	return 0, &protocol.Opaque{Cause: protocol.Tunnelled, Protocol: "http", Next: next, Server: name}
}

// recognise tells what a side's first bytes are, if it is something common that
// is not HTTP/1.x, and the server name a TLS client asks for.
func recognise(b []byte, client bool) (next, server string) {
	switch {
	case len(b) >= 3 && b[0] >= 20 && b[0] <= 23 && b[1] == 3 && b[2] <= 4:
		if client {
			tlsHello(b, &server)
		}
		return "tls", server
	case bytes.HasPrefix(b, []byte("SSH-")):
		return "ssh", ""
	case client && bytes.HasPrefix(b, []byte("PRI * HTTP/2.0\r\n")):
		return "http2", ""
	}
	return "", ""
}

// tlsHello tells whether b begins with a TLS ClientHello (RFC 8446 section
// 4.1.2) and reads the server name (RFC 6066 section 3) if name is not nil.
// More means that b ends inside of it.
func tlsHello(b []byte, name *string) protocol.Match {
	if len(b) < 6 {
		if len(b) > 0 && b[0] == 22 && (len(b) < 2 || b[1] == 3) {
			return protocol.More
		}
		return protocol.No
	}
	if b[0] != 22 || b[1] != 3 || b[5] != 1 {
		return protocol.No
	}
	n := int(b[3])<<8 | int(b[4])
	if n < 42 || n > 16<<10 {
		return protocol.No
	}
	if len(b) < 5+n {
		if name != nil {
			readName(b[5:], name)
		}
		return protocol.More
	}
	if name != nil {
		readName(b[5:5+n], name)
	}
	return protocol.Yes
}

// readName finds the server name in a ClientHello, whole or cut.
func readName(b []byte, name *string) {
	skip := func(width, fixed int) bool { // a vector whose length takes width bytes
		n := fixed
		for i := 0; i < width; i++ {
			if len(b) <= i {
				return false
			}
			n = n<<8 | int(b[i])
		}
		if len(b) < width+n {
			return false
		}
		b = b[width+n:]
		return true
	}
	if !skip(0, 4+2+32) || !skip(1, 0) || !skip(2, 0) || !skip(1, 0) || !skip(0, 2) {
		return
	}
	for len(b) >= 4 {
		kind, n := int(b[0])<<8|int(b[1]), int(b[2])<<8|int(b[3])
		if len(b) < 4+n {
			return
		}
		v := b[4 : 4+n]
		b = b[4+n:]
		if kind != 0 || len(v) < 5 {
			continue
		}
		if l := int(v[3])<<8 | int(v[4]); l > 0 && l <= len(v)-5 && l <= 255 && printable(v[5:5+l]) {
			*name = string(v[5 : 5+l])
		}
		return
	}
}

func printable(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

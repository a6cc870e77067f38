package protocol

import "bytes"

// Recognise tells what the first bytes of a side are, if it is something common
// that no decoder here reads, and the server name that a TLS client asks for.
// Names are "tls", "ssh", "http2".
func Recognise(b []byte, client bool) (next, server string) {
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

// TLSHello tells whether b begins with a TLS record that holds a whole
// ClientHello (RFC 8446 section 4.1.2). More means that b ends inside of it, or
// too early to tell any TLS record from other bytes.
func TLSHello(b []byte) Match { return tlsHello(b, nil) }

// tlsHello is TLSHello; it reads the server name (RFC 6066 section 3) if name
// is not nil.
func tlsHello(b []byte, name *string) Match {
	if len(b) < 3 {
		return more(len(b) == 0 || b[0] >= 20 && b[0] <= 23 && (len(b) == 1 || b[1] == 3))
	}
	if len(b) < 6 {
		return more(b[0] == 22 && b[1] == 3)
	}
	if b[0] != 22 || b[1] != 3 || b[5] != 1 {
		return No
	}
	n := int(b[3])<<8 | int(b[4])
	if n < 42 || n > 16<<10 {
		return No
	}
	if len(b) < 5+n {
		if name != nil {
			readName(b[5:], name)
		}
		return More
	}
	if name != nil {
		readName(b[5:5+n], name)
	}
	return Yes
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

func more(maybe bool) Match {
	if maybe {
		return More
	}
	return No
}

func printable(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

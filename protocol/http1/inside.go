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
	if !in.Final && (d.plain(in) == protocol.More || len(in.Data) < helloLimit && protocol.TLSHello(in.Data) == protocol.More) {
		return 0, nil
	}
	next, name := protocol.Recognise(in.Data, asks(in.From))
	return 0, &protocol.Opaque{Cause: protocol.Tunnelled, Protocol: "http", Next: next, Server: name}
}

// plain tells whether the client sends requests through a tunnel as they are,
// which it may to any port (RFC 9110 section 9.3.6). They begin with the first
// byte inside, and the client says it.
func (d *decoder) plain(in *protocol.Input) protocol.Match {
	b := in.Data
	if !asks(in.From) || in.Lost > 0 || len(b) == 0 || d.half[in.From].state != atHead {
		return protocol.No
	}
	if e := bytes.IndexByte(b, '\n'); e >= 0 {
		return yes(requestLine(b[:e]))
	}
	return yesMore(len(b) < firstLine && startsRequest(b) != protocol.No)
}

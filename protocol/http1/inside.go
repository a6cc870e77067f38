package http1

import "github.com/passiflow/passiflow/protocol"

// helloLimit bounds how much of a TLS client's first message is waited for.
const helloLimit = 16 << 10

// inside looks at the first bytes inside a tunnel and then lets go of it.
func (d *decoder) inside(in *protocol.Input) (int, error) {
	if len(in.Data) == 0 {
		return 0, nil
	}
	if !in.Final && len(in.Data) < helloLimit && protocol.TLSHello(in.Data) == protocol.More {
		return 0, nil
	}
	next, name := protocol.Recognise(in.Data, asks(in.From))
	return 0, &protocol.Opaque{Cause: protocol.Tunnelled, Protocol: "http", Next: next, Server: name}
}

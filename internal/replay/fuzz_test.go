package replay_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/passiflow/passiflow/internal/replay"
	"github.com/passiflow/passiflow/packet/packettest"
)

// Whatever a file holds, it is read within its bound or refused.
func FuzzLoad(f *testing.F) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:4000", "10.1.0.1:80", nil)
	c.Client("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
	c.Server(answer("GET /a"))
	c.Close()
	f.Add(tape.Bytes())
	f.Add([]byte(lines(f, tape.Bytes(), "exchange")))
	f.Add([]byte(lines(f, tape.Bytes(), "message")))
	f.Add([]byte(gzipped("{}")))
	m := &mirrored{t: f}
	m.say("10.0.0.1:1", "10.1.0.1:80", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
	m.say("10.1.0.1:80", "10.0.0.1:1", answer("GET /a"))
	f.Add(m.out)
	f.Add([]byte(`{"schema":"passiflow.exchange/1","id":"0123456789abcdef00000000","pair":"1","request":{"headers":{"a":["b"]},"marks":["open"]}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		o := replay.DefaultOptions()
		o.File, o.Stdin, o.Memory, o.BodyLimit = "-", bytes.NewReader(in), 1<<20, 1<<16
		o.Request.Unsafe = true
		r, err := replay.Load(context.Background(), &o)
		if err != nil {
			return
		}
		refused := 0
		for _, n := range r.Refused {
			refused += n
		}
		if r.Requests != r.Sendable+refused || r.Conversations() > r.Sendable {
			t.Errorf("%+v", r)
		}
	})
}

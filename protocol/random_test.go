package protocol_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/http1"
)

// chance is where a random run takes its decisions from.
type chance interface{ pick(n int) int }

type random struct{ *rand.Rand }

func (r random) pick(n int) int { return r.IntN(n) }

// tape decides by bytes; when they are used up it decides 0.
type tape struct{ b []byte }

func (t *tape) pick(n int) int {
	if len(t.b) == 0 {
		return 0
	}
	c := int(t.b[0])
	t.b = t.b[1:]
	return c % n
}

// phrases are what the sides of a random conversation say, in pieces.
var phrases = [2][]string{
	{"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /b HTTP/1.1\r\nHost: a\r\n\r\n", "POST /c HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789",
		"PUT /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n\r\n", "\x05\x01\x00", "\x16\x03\x01\x00\x40\x01nonsense", "GET /e"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nuntil the end", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\x1f\x8b\x08\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", "\x05\x00", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"},
}

// drive lets some conversations run at random and holds the laws of
// protocol.Stats at every step.
func drive(t *testing.T, c chance) {
	w := newWorld(t, func(cfg *protocol.Config) {
		cfg.Protocols = []protocol.Protocol{http1.New(http1.DefaultConfig())}
		cfg.Messages = c.pick(2) == 1
		cfg.Exchanges = !cfg.Messages || c.pick(2) == 1
		cfg.Outstanding = 1 + c.pick(6)
		cfg.Pairing = protocol.Pairing(c.pick(2))
		cfg.Tries = 1 + c.pick(4)
		if c.pick(4) == 0 {
			cfg.Hold = 20
		}
		if c.pick(4) == 0 {
			cfg.Memory = 1000 * (1 + c.pick(6))
		}
	})
	type name struct {
		flow  uint64
		from  flow.Side
		index uint32
	}
	once := map[name]bool{}
	var talks []*talk
	for range 1 + c.pick(3) {
		x := w.open()
		x.mid[0], x.mid[1] = c.pick(6) == 0, c.pick(6) == 0
		talks = append(talks, x)
	}
	var rest [2]string
	for range 5 + c.pick(60) {
		x := talks[c.pick(len(talks))]
		if x.shut {
			continue
		}
		from := flow.Side(c.pick(2))
		switch c.pick(16) {
		case 0:
			x.lose(from, "some bytes"[:1+c.pick(9)])
		case 1:
			x.wait([]time.Duration{time.Millisecond, second, 6 * second, 31 * second}[c.pick(4)])
		case 2:
			x.chunk(from, flow.Chunk{End: true})
		case 3:
			x.close(flow.Reason(c.pick(4)))
		case 4:
			if x.auto = !x.auto; !x.auto {
				x.ack = [2]uint64{flow.AckUnknown, uint64(c.pick(40))}
			}
		case 5:
			x.chunk(from, flow.Chunk{})
		default:
			if rest[from] == "" {
				rest[from] = phrases[from][c.pick(len(phrases[from]))]
			}
			n := len(rest[from])
			if c.pick(3) == 0 {
				n = 1 + c.pick(n)
			}
			x.say(from, rest[from][:n])
			rest[from] = rest[from][n:]
		}
	}
	for _, x := range talks {
		x.close(flow.Reason(c.pick(4)))
	}
	w.empty()
	for _, x := range w.whole {
		for _, m := range append([]*message.Message{x.Request, x.Response}, x.Interim...) {
			if m == nil {
				continue
			}
			k := name{x.Flow.ID, m.From, m.Index}
			if once[k] {
				t.Fatalf("%s told twice", op(m))
			}
			once[k] = true
		}
	}
}

func TestConserved(t *testing.T) {
	for seed := range uint64(6000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { drive(t, random{rand.New(rand.NewPCG(seed, 1))}) })
		if t.Failed() {
			return
		}
	}
}

func FuzzConserved(f *testing.F) {
	f.Add([]byte{})
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		b := make([]byte, 200)
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { drive(t, &tape{b}) })
}

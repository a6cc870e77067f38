package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
)

// discard answers Begin with one request for all.
type discard struct {
	request *message.Message
	in      protocol.Input
}

func (o *discard) Begin(*message.Message) *message.Message { return o.request }
func (o *discard) End(*message.Message)                    {}

var get = &message.Message{Op: "GET"}

const apiRequest = "POST /v1/orders/1234567 HTTP/1.1\r\nHost: api.shop.example\r\nUser-Agent: okhttp/4.12.0\r\nAccept: application/json\r\n" +
	"Accept-Encoding: identity\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n" +
	"Traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\nX-Request-Id: 0123456789abcdef0123456789abcdef\r\n" +
	"Content-Type: application/json\r\n"

const apiAnswer = "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 17:00:00 GMT\r\nServer: nginx\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n" +
	"X-Request-Id: 0123456789abcdef0123456789abcdef\r\nCache-Control: no-store\r\n"

func sized(head string, n int) string {
	return head + fmt.Sprintf("Content-Length: %d\r\n\r\n", n) + strings.Repeat("x", n)
}

func chunked(head string, n, size int) string {
	var b strings.Builder
	b.WriteString(head + "Transfer-Encoding: chunked\r\n\r\n")
	for ; n > 0; n -= size {
		size = min(size, n)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", size, strings.Repeat("x", size))
	}
	return b.String() + "0\r\n\r\n"
}

// feed gives data in segments of at most mss bytes, as the core does.
func feed(dec protocol.Decoder, out *discard, from flow.Side, data, held []byte, mss int) []byte {
	in := &out.in // one for all: the interface makes it escape
	*in = protocol.Input{From: from, Edge: true}
	for len(data) > 0 {
		n := min(mss, len(data))
		in.Data = data[:n]
		if len(held) > 0 {
			held = append(held, data[:n]...)
			in.Data = held
		}
		used, err := dec.Decode(in, out)
		if err != nil {
			panic(err)
		}
		held = append(held[:0], in.Data[used:]...)
		data = data[n:]
	}
	return held
}

func BenchmarkMessage(b *testing.B) {
	gz := squeeze(b, "gzip", strings.Repeat(`{"id":73645123,"name":"plain text value","amount":4821.07},`, 40))
	for _, c := range []struct {
		name string
		from flow.Side
		data string
	}{
		{"request head", flow.Client, apiRequest + "\r\n"},
		{"request 512", flow.Client, sized(apiRequest, 512)},
		{"answer 1000", flow.Server, sized(apiAnswer, 1000)},
		{"answer 20000", flow.Server, sized(apiAnswer, 20000)},
		{"answer 1000000", flow.Server, sized(apiAnswer, 1000000)},
		{"chunked 4000", flow.Server, chunked(apiAnswer, 4000, 1000)},
		{"gzip 2400", flow.Server, apiAnswer + fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(gz)) + gz},
	} {
		b.Run(c.name, func(b *testing.B) {
			dec := New(DefaultConfig()).New(nil)
			data := []byte(c.data)
			held := make([]byte, 0, 4096)
			out := &discard{request: get}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				held = feed(dec, out, c.from, data, held, 1448)
			}
		})
	}
}

// TestAllocations holds the budget: a message with its fields, its head and its
// body.
func TestAllocations(t *testing.T) {
	gz := squeeze(t, "gzip", strings.Repeat("text ", 200))
	zs := squeeze(t, "zstd", strings.Repeat("text ", 200))
	for _, c := range []struct {
		name string
		from flow.Side
		data string
		most float64
	}{
		{"request without a body", flow.Client, apiRequest + "\r\n", 2},
		{"request", flow.Client, sized(apiRequest, 300), 3},
		{"answer", flow.Server, sized(apiAnswer, 1000), 3},
		{"answer in segments", flow.Server, sized(apiAnswer, 9000), 3},
		{"chunked", flow.Server, chunked(apiAnswer, 900, 100), 3},
		{"gzip", flow.Server, apiAnswer + fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(gz)) + gz, 3},
		{"zstd", flow.Server, apiAnswer + fmt.Sprintf("Content-Encoding: zstd\r\nContent-Length: %d\r\n\r\n", len(zs)) + zs, 3},
	} {
		dec := New(DefaultConfig()).New(nil)
		data, held, out := []byte(c.data), make([]byte, 0, 4096), &discard{request: get}
		if n := testing.AllocsPerRun(100, func() { held = feed(dec, out, c.from, data, held, 1448) }); n > c.most {
			t.Errorf("%s: %v allocations, at most %v", c.name, n, c.most)
		}
	}
}

// TestNoMemoryAnnounced sends heads that announce huge bodies: memory follows
// what was seen.
func TestNoMemoryAnnounced(t *testing.T) {
	cfg := DefaultConfig()
	cfg.BodyLimit = 1 << 30
	dec := New(cfg).New(nil)
	out := &discard{request: get}
	var m *message.Message
	in := protocol.Input{From: flow.Server, Edge: true, Data: []byte("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nx")}
	if _, err := dec.Decode(&in, out); err != nil {
		t.Fatal(err)
	}
	if m = dec.(*decoder).half[flow.Server].m; cap(m.Body) > firstRoom {
		t.Errorf("%d bytes of memory for one byte of body", cap(m.Body))
	}
	dec = New(cfg).New(nil)
	in.Data = []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\nx")
	if _, err := dec.Decode(&in, out); err != nil {
		t.Fatal(err)
	}
	if m = dec.(*decoder).half[flow.Server].m; cap(m.Body) > firstRoom {
		t.Errorf("%d bytes of memory for one byte of chunk", cap(m.Body))
	}
}

package http1

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol/protocoltest"
)

// TestLoss takes segments out of random conversations whose messages begin
// where segments begin. What claims to be whole is true, and each message that
// lost no byte is whole.
func TestLoss(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	p := protocolOf()
	whole, intact := 0, 0
	for round := range 2000 {
		segments := randomConversation(r)
		truth := protocoltest.Run(p, segments)
		var lossy []seg
		var offset, lost [2]uint64
		var missing [2][][2]uint64
		for _, s := range segments {
			n := uint64(len(s.Data))
			if n > 0 && r.IntN(10) == 0 {
				missing[s.From] = append(missing[s.From], [2]uint64{offset[s.From], offset[s.From] + n})
				lost[s.From] += n
				offset[s.From] += n
				continue
			}
			offset[s.From] += n
			s.Lost, lost[s.From] = lost[s.From], 0
			lossy = append(lossy, s)
		}
		got := protocoltest.Run(p, lossy)
		got.Check(t)
		if got.Err != nil {
			t.Fatal(got.Err)
		}
		for _, m := range got.Ended {
			want := find(truth, m)
			if m.Marks&message.Incomplete == 0 && (want == nil || !bytes.Equal(want.Body, m.Body) || want.Stop != m.Stop || want.Size != m.Size) {
				t.Errorf("round %d: %s %s%s at %d claims to be whole: %v", round, m.From, m.Target, m.Status, m.Begin, m.Marks.Names(nil))
			}
		}
		for _, want := range truth.Messages {
			touched := false
			for _, g := range missing[want.From] {
				touched = touched || g[0] < want.Stop && g[1] > want.Begin
			}
			if touched {
				continue
			}
			intact++
			if m := find(got, want); m == nil || m.Marks != want.Marks || !bytes.Equal(m.Body, want.Body) {
				t.Errorf("round %d: %s %s%s at %d lost nothing and is not there, or not whole: %+v", round, want.From, want.Target, want.Status, want.Begin, m)
				continue
			}
			whole++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d intact messages whole", whole, intact)
}

func find(d *protocoltest.Driver, m *message.Message) *message.Message {
	for _, x := range d.Messages {
		if x.From == m.From && x.Begin == m.Begin {
			return x
		}
	}
	return nil
}

// randomConversation makes a keep-alive conversation in segments of 100 bytes.
// It has no HEAD: without its request, its answer cannot always be told.
func randomConversation(r *rand.Rand) (out []seg) {
	cut := func(from flow.Side, data string) {
		for len(data) > 0 {
			n := min(100, len(data))
			out = append(out, seg{From: from, Data: data[:n]})
			data = data[n:]
		}
	}
	for range 2 + r.IntN(8) {
		body := strings.Repeat("some text 0123456789abcdef ", r.IntN(20))
		switch r.IntN(3) {
		case 0:
			cut(flow.Client, fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", r.IntN(1000)))
		case 1:
			cut(flow.Client, fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", r.IntN(1000), len(body), body))
		default:
			cut(flow.Client, chunked("PUT / HTTP/1.1\r\n", len(body), 1+r.IntN(200)))
		}
		body = strings.Repeat("an answer's text 0123456789 ", r.IntN(20))
		switch r.IntN(4) {
		case 0:
			cut(flow.Server, "HTTP/1.1 100 Continue\r\n\r\n")
			cut(flow.Server, sized("HTTP/1.1 200 OK\r\n", len(body)))
		case 1:
			cut(flow.Server, "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n")
		case 2:
			cut(flow.Server, chunked("HTTP/1.1 200 OK\r\n", len(body), 1+r.IntN(200)))
		default:
			cut(flow.Server, sized("HTTP/1.1 404 No\r\nX: y\r\n", len(body)))
		}
	}
	return append(out, seg{From: flow.Client, End: true}, seg{From: flow.Server, End: true})
}

package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol/protocoltest"
)

// fuzzed runs a conversation that the bytes of script cut up: pieces for either
// side, with gaps, edges and ends.
func fuzzed(client, server, script []byte) *protocoltest.Driver {
	d := protocoltest.NewDriver(New(Config{BodyLimit: 4 << 10, HeadLimit: 2 << 10, FieldLimit: 8, ChunkLine: 128, DecodedLimit: 1 << 20}))
	rest := [2][]byte{client, server}
	for _, op := range script {
		from := flow.Side(op & 1)
		n := min(int(op>>3)*3+1, len(rest[from]))
		x := seg{From: from, Data: string(rest[from][:n])}
		rest[from] = rest[from][n:]
		switch op >> 1 & 3 {
		case 1:
			x.Rest = true
		case 2:
			x.Lost = uint64(op >> 3)
		case 3:
			x.Mid, x.Lost = op > 128, 0
		}
		d.Feed(&x)
	}
	for s, data := range rest {
		d.Feed(&seg{From: flow.Side(s), Data: string(data), End: true, Cut: len(script)&1 != 0})
	}
	return d
}

// FuzzConversation feeds anything in any pieces.
func FuzzConversation(f *testing.F) {
	for _, c := range conversations(f) {
		var side [2]string
		for _, s := range c.Segments {
			side[s.From] += s.Data
		}
		f.Add([]byte(side[0]), []byte(side[1]), []byte{0x81, 0x80, 0x45, 0x20})
		f.Add([]byte(side[0]), []byte(side[1]), []byte{0x12, 0x13, 0x14, 0x15, 0x16, 0x17})
	}
	f.Fuzz(func(t *testing.T, client, server, script []byte) {
		d := fuzzed(client, server, script)
		d.Check(t)
		for _, m := range d.Ended {
			checkMessage(t, m)
		}
	})
}

// checkMessage holds what is true of every message.
func checkMessage(t *testing.T, m *message.Message) {
	t.Helper()
	whole := m.Marks&message.Incomplete == 0
	switch {
	case len(m.Body) > 4<<10:
		t.Errorf("a body of %d bytes", len(m.Body))
	case whole && m.Lost > 0:
		t.Errorf("whole and %d bytes lost", m.Lost)
	case m.Marks&message.Gapped == 0 && len(m.Gaps) > 0, m.Marks&message.Gapped != 0 && m.Lost == 0:
		t.Errorf("gaps %v, lost %d, marks %v", m.Gaps, m.Lost, m.Marks.Names(nil))
	case whole && m.Marks&(message.BodyTruncated|message.Bomb) == 0 && m.Size >= 0 && int64(len(m.Body)) != m.Size:
		t.Errorf("a whole body of %d bytes with size %d, marks %v", len(m.Body), m.Size, m.Marks.Names(nil))
	case len(m.Fields) > 8:
		t.Errorf("%d fields", len(m.Fields))
	}
	if v, ok := m.Get("Content-Length"); ok && whole && m.Marks == 0 && m.From == flow.Client {
		if _, coded := m.Get("Transfer-Encoding"); !coded && strings.TrimLeft(v, "0") != strings.TrimLeft(fmt.Sprint(m.WireSize), "0") && !strings.Contains(v, ",") {
			t.Errorf("Content-Length %q, and %d bytes came", v, m.WireSize)
		}
	}
}

// FuzzSplit decodes a conversation whole and byte by byte: the messages are the
// same.
func FuzzSplit(f *testing.F) {
	for _, c := range conversations(f) {
		var side [2]string
		for _, s := range c.Segments {
			side[s.From] += s.Data
		}
		f.Add([]byte(side[0]), []byte(side[1]))
	}
	f.Fuzz(func(t *testing.T, client, server []byte) {
		p := New(DefaultConfig())
		whole := protocoltest.Run(p, []seg{{From: flow.Client, Data: string(client)}, fin(s(string(server)))})
		var single []seg
		for i := range client {
			single = append(single, seg{From: flow.Client, Data: string(client[i : i+1]), Rest: i > 0})
		}
		for i := range server {
			single = append(single, seg{From: flow.Server, Data: string(server[i : i+1]), Rest: i > 0})
		}
		cut := protocoltest.Run(p, append(single, fin(s(""))))
		cut.Check(t)
		if whole.Err != nil || cut.Err != nil {
			return // told earlier or later, as the pieces come
		}
		if len(whole.Messages) != len(cut.Messages) {
			t.Fatalf("%d messages whole, %d byte by byte", len(whole.Messages), len(cut.Messages))
		}
		for i, m := range whole.Messages {
			n := cut.Messages[i]
			if m.Begin != n.Begin || m.Stop != n.Stop || m.Target != n.Target || m.Marks != n.Marks || !bytes.Equal(m.Body, n.Body) || m.Size != n.Size {
				t.Errorf("message %d:\n%+v\n%+v", i, m, n)
			}
		}
	})
}

// FuzzCoding decompresses anything.
func FuzzCoding(f *testing.F) {
	for i, how := range []string{"gzip", "zlib", "br", "zstd", "flate"} {
		f.Add(squeeze(f, how, "some text to pack, some text to pack"), uint8(i), uint8(0))
	}
	sh := &shared{Config: Config{BodyLimit: 1 << 10, DecodedLimit: 1 << 20, DecodedRatio: 100, DecodedCredit: 1 << 20}}
	f.Fuzz(func(t *testing.T, wire string, a, b uint8) {
		c := codings{n: 2, list: [6]coding{coding(b % 6), coding(a % 6)}}
		if c.list[0] == identity {
			c = codings{n: 1, list: [6]coding{c.list[1]}}
		}
		sh.pool.credit = int64(a) << 10
		before := sh.pool.credit
		body, size, err := sh.decompress(c, []byte(wire))
		if left := sh.pool.credit; left < 0 || left > before || size > freeBytes+freeRatio*int64(len(wire))+before+64<<10 {
			t.Errorf("%d bytes for %d with a credit of %d, which leaves %d", size, len(wire), before, left)
		}
		if len(body) > 1<<10 || err == nil && size < int64(len(body)) {
			t.Errorf("%d bytes of %d, %v", len(body), size, err)
		}
	})
}

// TestAgainstNetHTTP compares well-formed messages with what net/http reads.
func TestAgainstNetHTTP(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 9))
	word := func(n int) string {
		b := make([]byte, 1+r.IntN(n))
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyzABCDEF0123456789-"[r.IntN(43)]
		}
		return string(b)
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "QUERY"}
	for round := range 3000 {
		var client, server strings.Builder
		n := 1 + r.IntN(4)
		for range n {
			method := methods[r.IntN(len(methods))]
			fmt.Fprintf(&client, "%s /%s?%s=%s HTTP/1.1\r\nHost: %s\r\n", method, word(20), word(5), word(9), word(9))
			writeMessage(&client, r, word, method != "GET" && method != "HEAD" && r.IntN(2) == 0, false)
			status := []int{200, 201, 204, 206, 301, 304, 404, 500}[r.IntN(8)]
			fmt.Fprintf(&server, "HTTP/1.1 %d %s\r\n", status, word(12))
			writeMessage(&server, r, word, status != 204 && status != 304, method == "HEAD")
		}
		// An answer to HEAD needs its request, which the pieces bring first.
		d := protocoltest.Run(protocolOf(), []seg{{From: flow.Client, Data: client.String()}, fin(s(server.String()))})
		d.Check(t)
		compareOracle(t, d, client.String(), server.String())
		if t.Failed() {
			t.Fatalf("round %d\n%q\n%q", round, client.String(), server.String())
		}
	}
}

// writeMessage writes fields and a body of some framing.
func writeMessage(w *strings.Builder, r *rand.Rand, word func(int) string, body, head bool) {
	for range r.IntN(6) {
		fmt.Fprintf(w, "X-%s:%s%s\r\n", word(9), strings.Repeat(" ", r.IntN(3)), word(30))
	}
	data := strings.Repeat(word(50), r.IntN(40))
	switch {
	case !body:
		w.WriteString("\r\n")
	case r.IntN(2) == 0:
		fmt.Fprintf(w, "Content-Length: %d\r\n\r\n", len(data))
		if !head {
			w.WriteString(data)
		}
	default:
		w.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		if head {
			return
		}
		for len(data) > 0 {
			n := min(len(data), 1+r.IntN(300))
			fmt.Fprintf(w, "%x\r\n%s\r\n", n, data[:n])
			data = data[n:]
		}
		w.WriteString("0\r\n\r\n")
	}
}

func compareOracle(t *testing.T, d *protocoltest.Driver, client, server string) {
	t.Helper()
	var requests, answers []*message.Message
	for _, m := range d.Messages {
		if m.Marks != 0 {
			t.Errorf("marks %v", m.Marks.Names(nil))
		}
		if m.From == flow.Client {
			requests = append(requests, m)
		} else {
			answers = append(answers, m)
		}
	}
	from := bufio.NewReader(strings.NewReader(client))
	back := bufio.NewReader(strings.NewReader(server))
	for i := 0; ; i++ {
		want, err := http.ReadRequest(from)
		if err == io.EOF {
			if i != len(requests) || i != len(answers) {
				t.Errorf("%d requests and %d answers, net/http has %d", len(requests), len(answers), i)
			}
			return
		}
		if err != nil || i >= len(requests) || i >= len(answers) {
			t.Errorf("message %d of %d and %d: %v", i, len(requests), len(answers), err)
			return
		}
		got := requests[i]
		if got.Op != want.Method || got.Target != want.RequestURI || "HTTP/"+got.Version != want.Proto {
			t.Errorf("request %d: %s %s %s", i, got.Op, got.Target, got.Version)
		}
		compareFields(t, got, want.Header)
		compareBody(t, got, want.Body)
		answer, err := http.ReadResponse(back, want)
		if err != nil {
			t.Errorf("answer %d: %v", i, err)
			return
		}
		if a := answers[i]; a.Status+" "+a.Reason != answer.Status {
			t.Errorf("answer %d: %s %s", i, a.Status, a.Reason)
		}
		compareFields(t, answers[i], answer.Header)
		compareBody(t, answers[i], answer.Body)
	}
}

func compareFields(t *testing.T, m *message.Message, h http.Header) {
	t.Helper()
	got := http.Header{}
	for _, f := range m.Fields {
		if n := http.CanonicalHeaderKey(f.Name); n != "Host" && n != "Transfer-Encoding" {
			got.Add(n, f.Value)
		}
	}
	for k, v := range h {
		if !slices.Equal(got[k], v) {
			t.Errorf("%s: %q, want %q", k, got[k], v)
		}
	}
	if len(got) != len(h) {
		t.Errorf("%d fields, want %d", len(got), len(h))
	}
}

func compareBody(t *testing.T, m *message.Message, body io.Reader) {
	t.Helper()
	want, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(m.Body, want) || m.Size != int64(len(want)) {
		t.Errorf("a body of %d bytes, want %d, %v", len(m.Body), len(want), err)
	}
}

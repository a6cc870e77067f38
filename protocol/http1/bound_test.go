package http1

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/protocoltest"
)

// answer decodes one answer with a configuration.
func answer(t *testing.T, c Config, data string) *message.Message {
	t.Helper()
	d := protocoltest.Run(New(c), []seg{{From: flow.Client, Data: "GET / HTTP/1.1\r\n\r\n"}, fin(s(data))})
	d.Check(t)
	if len(d.Messages) != 2 || d.Err != nil {
		t.Fatalf("%d messages, error %v", len(d.Messages), d.Err)
	}
	return d.Messages[1]
}

func packed(t *testing.T, how string, plain string) string {
	b := squeeze(t, how, plain)
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", how, len(b), b)
}

func TestBodyLimit(t *testing.T) {
	small := Config{BodyLimit: 100}
	none := Config{}
	for _, c := range []struct {
		name       string
		cfg        Config
		data       string
		kept       int
		size, wire int64
		marks      message.Mark
	}{
		{"plain", small, sized("HTTP/1.1 200 OK\r\n", 1000), 100, 1000, 1000, message.BodyTruncated},
		{"plain, as long as the limit", small, sized("HTTP/1.1 200 OK\r\n", 100), 100, 100, 100, 0},
		{"chunked", small, chunked("HTTP/1.1 200 OK\r\n", 1000, 77), 100, 1000, 1000, message.BodyTruncated},
		{"closed", small, "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 1000), 100, 1000, 1000, message.BodyTruncated | message.CloseDelimited},
		{"gzip", small, packed(t, "gzip", strings.Repeat("x", 1000)), 100, 1000, -2, message.BodyTruncated},
		{"br", small, packed(t, "br", strings.Repeat("x", 1000)), 100, 1000, -2, message.BodyTruncated},
		{"as sent, for the coding is unknown", small, "HTTP/1.1 200 OK\r\nContent-Encoding: exi\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000), 100, 200000, 200000, message.BodyTruncated | message.BadEncoding},
		{"as sent, for it is no gzip", small, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2000\r\n\r\n" + strings.Repeat("x", 2000), 100, 2000, 2000, message.BodyTruncated | message.BadEncoding},
		{"no bodies", none, sized("HTTP/1.1 200 OK\r\n", 1000), 0, 1000, 1000, message.BodyTruncated},
		{"no bodies, gzip", none, packed(t, "gzip", strings.Repeat("x", 1000)), 0, -1, -2, message.BodyTruncated},
		{"no bodies, none there", none, sized("HTTP/1.1 200 OK\r\n", 0), 0, 0, 0, 0},
	} {
		m := answer(t, c.cfg, c.data)
		if len(m.Body) != c.kept || m.Size != c.size || c.wire != -2 && m.WireSize != c.wire || m.Marks != c.marks {
			t.Errorf("%s: kept %d, size %d, wire %d, marks %v", c.name, len(m.Body), m.Size, m.WireSize, m.Marks.Names(nil))
		}
	}
}

// TestCutCoding cuts packed bodies: what came is decompressed as far as it goes.
func TestCutCoding(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for text.Len() < 300_000 {
		fmt.Fprintf(&text, "%d words ", r.IntN(1_000_000))
	}
	plain := text.String()
	for _, how := range []string{"gzip", "br", "zstd"} {
		data := packed(t, how, plain)
		m := answer(t, DefaultConfig(), data[:len(data)*3/4])
		if m.Marks != message.CutEnd || m.Size != -1 || !strings.HasPrefix(plain, string(m.Body)) {
			t.Errorf("%s: %d bytes, size %d, %v", how, len(m.Body), m.Size, m.Marks.Names(nil))
		}
		if len(m.Body) < len(plain)/4 {
			t.Errorf("%s: only %d bytes", how, len(m.Body))
		}
	}
}

func TestBombs(t *testing.T) {
	zeros := strings.Repeat("\x00", 8<<20)
	cfg := DefaultConfig()
	cfg.BodyLimit = 1000
	for _, how := range []string{"gzip", "br", "zstd"} {
		m := answer(t, cfg, packed(t, how, zeros))
		if m.Marks&message.Bomb == 0 || m.Size != -1 || len(m.Body) > 1000 {
			t.Errorf("%s by ratio: kept %d, size %d, marks %v", how, len(m.Body), m.Size, m.Marks.Names(nil))
		}
		big := cfg
		big.DecodedRatio, big.DecodedLimit = 1<<40, 4<<20
		if m := answer(t, big, packed(t, how, zeros)); m.Marks&message.Bomb == 0 || m.Size != -1 {
			t.Errorf("%s by size: size %d, marks %v", how, m.Size, m.Marks.Names(nil))
		}
	}
	inner := squeeze(t, "gzip", zeros)
	twice := squeeze(t, "gzip", inner)
	m := answer(t, cfg, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n%s", len(twice), twice))
	if m.Marks&message.Bomb == 0 {
		t.Errorf("twice: marks %v", m.Marks.Names(nil))
	}
	many := strings.Repeat("gzip, ", 40) + "gzip"
	m = answer(t, cfg, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", many, len(twice), twice))
	if m.Marks&message.BadEncoding == 0 {
		t.Errorf("many: marks %v", m.Marks.Names(nil))
	}
}

func TestHeadBounds(t *testing.T) {
	cfg := DefaultConfig()
	cfg.HeadLimit = 1000
	m := answer(t, cfg, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", 2000)+"\r\n\r\n")
	if m.Marks&message.HeadTruncated == 0 || m.Stop != 1000 {
		t.Errorf("a long head: %v, stops at %d", m.Marks.Names(nil), m.Stop)
	}
	m = answer(t, DefaultConfig(), "HTTP/1.1 200 OK\r\n"+strings.Repeat("A: b\r\n", 1000)+"Content-Length: 2\r\n\r\nok")
	if m.Marks != message.HeadTruncated || len(m.Fields) != 256 || string(m.Body) != "ok" {
		t.Errorf("many fields: %v, %d fields, body %q", m.Marks.Names(nil), len(m.Fields), m.Body)
	}
	m = answer(t, DefaultConfig(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2;"+strings.Repeat("x", 5000)+"\r\nno\r\n0\r\n\r\n")
	if m.Marks != message.BadChunk || string(m.Body) != "ok" {
		t.Errorf("a long extension: %v, body %q", m.Marks.Names(nil), m.Body)
	}
	m = answer(t, DefaultConfig(), "HTTP/1.1 200 OK\r\nA:\r\n"+strings.Repeat(" b\r\n", 15000)+"Content-Length: 2\r\n\r\nok")
	if a, _ := m.Get("A"); m.Marks != message.FoldedHeader || len(a) != 2*15000-1 || string(m.Body) != "ok" {
		t.Errorf("a long folded field: %v, %d bytes, body %q", m.Marks.Names(nil), len(a), m.Body)
	}
	const last = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
	for _, trailer := range []string{strings.Repeat("A: b\r\n", 20000), "A: " + strings.Repeat("b", 70000) + "\r\n", "A: b\r\n" + strings.Repeat(" b\r\n", 10000)} {
		m = answer(t, DefaultConfig(), last+trailer+"\r\n")
		if m.Marks&message.HeadTruncated == 0 || len(m.Fields) > 256 || string(m.Body) != "ok" {
			t.Errorf("a long trailer: %v, %d fields, body %q", m.Marks.Names(nil), len(m.Fields), m.Body)
		}
	}
	for _, n := range []string{"99999999999999999999", "18446744073709551616", "-1", "0x10", "1e3", "9223372036854775808"} {
		m = answer(t, DefaultConfig(), "HTTP/1.1 200 OK\r\nContent-Length: "+n+"\r\n\r\nok")
		if m.Marks&message.ConflictLength == 0 || string(m.Body) != "ok" {
			t.Errorf("length %s: %v, body %q", n, m.Marks.Names(nil), m.Body)
		}
	}
	m = answer(t, DefaultConfig(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n10000000000000000\r\nno")
	if m.Marks != message.BadChunk || string(m.Body) != "ok" {
		t.Errorf("a huge chunk: %v, body %q", m.Marks.Names(nil), m.Body)
	}
}

func TestProbe(t *testing.T) {
	long := strings.Repeat("x", 9000)
	for _, c := range []struct {
		head           string
		client, server protocol.Match
	}{
		{"", protocol.More, protocol.More},
		{"\r\n", protocol.More, protocol.More},
		{"G", protocol.More, protocol.More},
		{"GET /", protocol.Yes, protocol.Reversed},
		{"GET x", protocol.More, protocol.More},
		{"GET  /  HTTP/1.0\r\n", protocol.Yes, protocol.Reversed},
		{"GET    /", protocol.Yes, protocol.Reversed},
		{"GET /a b HTTP/1.1\r\n", protocol.Yes, protocol.Reversed},
		{"GET x HTTP/1.1\r\n", protocol.Yes, protocol.Reversed},
		{"GET /" + long, protocol.Yes, protocol.Reversed},
		{"brew pot HTTP/1.0\n", protocol.Yes, protocol.Reversed},
		{"brew pot HTTP/2.0\n", protocol.No, protocol.No},
		{"PRI * HTTP/2.0\r\n\r\nSM", protocol.No, protocol.No},
		{"EHLO there\r\n", protocol.No, protocol.No},
		{"SSH-2.0-OpenSSH_9.2\r\n", protocol.No, protocol.No},
		{"a" + long, protocol.No, protocol.No},
		{"BREW " + long, protocol.No, protocol.No},
		{"\x16\x03\x01", protocol.No, protocol.No},
		{"HTTP/1.1 200 OK\r\n", protocol.Reversed, protocol.Yes},
		{"HTTP/1.1 200\r\n", protocol.Reversed, protocol.Yes},
		{"HTTP/1", protocol.More, protocol.More},
		{"HTTP/1.1 2", protocol.More, protocol.More},
		{"HTTP/1.1 2x0 OK", protocol.No, protocol.No},
		{"HTTP/3.1 200 OK", protocol.No, protocol.No},
		{"ICY 200 OK\r\n", protocol.Reversed, protocol.Yes},
		{"ICY 2000", protocol.Reversed, protocol.Yes},
		{"REGISTER sip:a SIP/2.0\r\n", protocol.No, protocol.No},
	} {
		p := New(DefaultConfig()).Probe
		if got := p([]byte(c.head), flow.Client); got != c.client {
			t.Errorf("client %.40q: %v, want %v", c.head, got, c.client)
		}
		if got := p([]byte(c.head), flow.Server); got != c.server {
			t.Errorf("server %.40q: %v, want %v", c.head, got, c.server)
		}
	}
}

// TestHostileHeads holds the work that a head of 64 KiB costs, by what it
// allocates: a field folded over many lines must not be joined line by line.
func TestHostileHeads(t *testing.T) {
	for _, h := range []string{
		"A:\r\n" + strings.Repeat(" b\r\n", 15000),
		strings.Repeat("a\n", 30000),
		strings.Repeat(":\n", 30000),
		strings.Repeat("\x00Transfer-Encoding:\n", 3000),
		"A: b\n" + strings.Repeat(" Transfer-Encoding:\n", 3000),
		"Transfer-Encoding: " + strings.Repeat("x,", 30000),
		"Content-Length: " + strings.Repeat("1,", 30000),
		"Content-Encoding: " + strings.Repeat("gzip,", 12000),
	} {
		data := []byte("HTTP/1.1 200 OK\r\n" + h + "\r\n\r\n")
		out := &discard{request: get}
		s := New(DefaultConfig())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 10 {
			feed(s.New(nil), out, flow.Server, data, nil, len(data))
		}
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) / 10; n > 1<<20 {
			t.Errorf("%.30q: %d bytes of memory for a head of %d", h, n, len(data))
		}
	}
}

// TestWeight holds that a head weighs what it holds in memory, wherever in it
// somebody puts what is left out of its parts.
func TestWeight(t *testing.T) {
	const size = 60 << 10
	pad, junk := strings.Repeat(" ", size), strings.Repeat("x", size)
	for name, data := range map[string]string{
		"behind the last value": "HTTP/1.1 200 OK\r\nContent-Length: 0" + pad + "\r\n\r\n",
		"before a value":        "HTTP/1.1 200 OK\r\nContent-Length: " + pad + "0\r\n\r\n",
		"behind the status":     "HTTP/1.1 204 " + pad + "\r\n\r\n",
		"the reason":            "HTTP/1.1 204 " + junk + "\r\n\r\n",
		"the version":           "HTTP/1" + junk + " 204 OK\r\n\r\n",
		"the status":            "HTTP/1.1 " + strings.Repeat("2", size) + "\r\nContent-Length: 0\r\n\r\n",
		"a folded value":        "HTTP/1.1 204 No\r\nA: b\r\n " + junk + "\r\n\r\n",
		"a trailer":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b" + pad + "\r\n\r\n",
		"what is no field":      "HTTP/1.1 204 No\r\n" + strings.Repeat("a:\r\n", size/4) + "\r\n",
	} {
		if m := answer(t, Config{}, data); m.Weight() < size || m.Weight() > 3*size {
			t.Errorf("%s: %d bytes", name, m.Weight())
		}
	}
	folds := strings.Repeat(" x\r\n", 10000)
	m := answer(t, Config{}, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"+folds+"\r\n")
	if n := m.Weight(); n > 2*len(folds) {
		t.Errorf("%d bytes for a trailer of %d", n, len(folds))
	}
}

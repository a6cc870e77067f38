package json

import (
	"bytes"
	"encoding/base64"
	stdjson "encoding/json"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

var start = packet.Time(time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC).UnixNano())

func sample() *message.Exchange {
	f := &flow.Flow{ID: 0x0123456789abcdef, Transport: packet.TCP, Source: "eth0", Start: start,
		Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:8080"),
		Tunnel: packet.Tunnel{Kind: packet.VXLAN, ID: 42}, VLAN: 7}
	return &message.Exchange{Flow: f, Protocol: "http", Pair: 0xff,
		Request: &message.Message{From: flow.Client, Index: 3, Start: start, End: start + 10, Op: "GET", Target: "/a?b=1", Version: "1.1",
			Fields:   []message.Field{{Name: "Host", Value: "x"}, {Name: "Accept", Value: "a"}, {Name: "accept", Value: "b"}},
			WireSize: 0},
		Response: &message.Message{From: flow.Server, Index: 3, Start: start + 1e9, End: start + 1234567890, Status: "200", Reason: "OK", Version: "1.1",
			Body: []byte("{\"a\": \"\u00e9\\n\"}\n"), Size: 13, WireSize: 33},
	}
}

const sampleLine = `{"schema":"passiflow.exchange/1","id":"0123456789abcdef00000003","time":"2026-01-02T03:04:05.123456789Z","protocol":"http","source":"eth0",` +
	`"client":{"ip":"10.0.0.1","port":40000},"server":{"ip":"10.0.0.2","port":8080},"tunnel":{"kind":"vxlan","id":42},"vlan":7,"labels":{"node":"n\"1","pod":"p"},` +
	`"pair":"00000000000000ff","duration_ns":1234567890,` +
	`"request":{"time":"2026-01-02T03:04:05.123456789Z","method":"GET","target":"/a?b=1","version":"1.1","headers":{"host":["x"],"accept":["a","b"]},"body_size":0},` +
	`"response":{"time":"2026-01-02T03:04:06.123456789Z","status":200,"reason":"OK","version":"1.1","headers":{},"body":"{\"a\": \"é\\n\"}\n","body_size":13,"body_wire_size":33},` +
	`"integrity":{"complete":true}}` + "\n"

func TestExchange(t *testing.T) {
	c := DefaultConfig()
	c.Labels = map[string]string{"pod": "p", "node": `n"1`}
	got := string(New(c).Append(nil, sample()))
	if d := cmp.Diff(sampleLine, got); d != "" {
		t.Error(d)
	}
}

func line(t *testing.T, x *message.Exchange) string {
	t.Helper()
	b := New(DefaultConfig()).Append(nil, x)
	if !stdjson.Valid(b) || !bytes.HasSuffix(b, []byte("}\n")) || bytes.Count(b, []byte("\n")) != 1 || !utf8.Valid(b) {
		t.Fatalf("not one line of JSON: %q", b)
	}
	return string(b)
}

func TestIntegrity(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*message.Exchange)
		want   string
	}{
		"no answer":     {func(x *message.Exchange) { x.Response, x.Half = nil, message.NoAnswer }, `{"complete":false,"half":"no_answer"}`},
		"unseen":        {func(x *message.Exchange) { x.Request, x.Half = nil, message.RequestUnseen }, `{"complete":false,"half":"request_unseen"}`},
		"lone":          {func(x *message.Exchange) { x.Response, x.Half = nil, message.LoneMessage }, `{"complete":true}`},
		"unit":          {func(x *message.Exchange) { x.Response, x.Half = nil, message.Unit }, `{"complete":true}`},
		"unexplained":   {func(x *message.Exchange) { x.Response = nil }, `{"complete":false}`},
		"body limit":    {func(x *message.Exchange) { x.Response.Marks = message.BodyTruncated }, `{"complete":true}`},
		"harmless":      {func(x *message.Exchange) { x.Response.Marks = message.BareLF | message.CloseDelimited }, `{"complete":true}`},
		"open":          {func(x *message.Exchange) { x.Response.Marks = message.StillOpen }, `{"complete":false,"open":true}`},
		"presumed":      {func(x *message.Exchange) { x.Presumed = true }, `{"complete":true,"pairing":"presumed"}`},
		"presumed, cut": {func(x *message.Exchange) { x.Presumed, x.Response.Marks = true, message.CutEnd }, `{"complete":false,"pairing":"presumed","truncated":true}`},
		"start":         {func(x *message.Exchange) { x.Request.Marks = message.StartMissing }, `{"complete":false,"start_missing":true}`},
		"cut":           {func(x *message.Exchange) { x.Response.Marks = message.CutEnd }, `{"complete":false,"truncated":true}`},
		"gaps": {func(x *message.Exchange) {
			x.Request.Marks, x.Request.Lost, x.Request.Gaps = message.Gapped, 7, []message.Gap{{Offset: 1, Length: 2}, {Offset: 9, Length: 5}}
			x.Interim = []*message.Message{{From: flow.Server, Status: "100", Marks: message.Gapped, Lost: 3, Gaps: []message.Gap{{Offset: 0, Length: 3}}}}
		}, `{"complete":false,"lost":10,"gaps":[{"in":"request","offset":1,"length":2},{"in":"request","offset":9,"length":5},{"in":"interim","offset":0,"length":3}]}`},
		"gap unlisted": {func(x *message.Exchange) { x.Request.Lost = 4 }, `{"complete":false,"lost":4}`},
	} {
		t.Run(name, func(t *testing.T) {
			x := sample()
			c.change(x)
			if got, want := line(t, x), `,"integrity":`+c.want+"}\n"; !strings.HasSuffix(got, want) {
				t.Errorf("got %s want %s", got, want)
			}
		})
	}
}

func TestUnknownIsAbsent(t *testing.T) {
	x := sample()
	x.Response.Size, x.Response.WireSize, x.Response.Status, x.Response.Reason, x.Response.Version = -1, -1, "2x0", "", ""
	x.Flow.Source, x.Flow.VLAN, x.Flow.Tunnel, x.Pair = "", 0, packet.Tunnel{}, 0
	got := line(t, x)
	for _, name := range []string{"body_wire_size", "status", "reason", "source", "vlan", "tunnel", "pair", "labels", "marks", "interim", "body_truncated"} {
		if strings.Contains(got, `"`+name+`"`) {
			t.Errorf("%s is there: %s", name, got)
		}
	}
	if n := strings.Count(got, `"body_size"`); n != 1 {
		t.Errorf("%d sizes", n)
	}
	x.Response.End = x.Request.Start - 1
	if strings.Contains(line(t, x), "duration_ns") {
		t.Error("a duration below zero")
	}
	if got := New(DefaultConfig()).Append(nil, &message.Exchange{Flow: x.Flow}); len(got) != 0 {
		t.Errorf("nothing gave %q", got)
	}
}

func TestMessageUnit(t *testing.T) {
	x := sample()
	x.Request, x.Half = nil, message.Unit
	x.Response.Interim, x.Response.Status, x.Response.Marks = true, "103", message.BadChunk|message.BareLF
	got := line(t, x)
	for _, want := range []string{`{"schema":"passiflow.message/1","id":"0123456789abcdef80000003","time":"2026-01-02T03:04:06.123456789Z"`,
		`"status":103`, `"interim":true`, `"marks":["bad_chunk","bare_lf"]`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestFlow(t *testing.T) {
	f := sample().Flow
	f.Client = netip.MustParseAddrPort("[2001:db8::1%eth0]:40000")
	s := &flow.Summary{Flow: f, End: start + 5e9, Reason: flow.Idle, Packets: [2]uint64{3, 2}, Bytes: [2]uint64{100, 200},
		Delivered: [2]uint64{90, 190}, Lost: [2]uint64{1, 0}, HasDigest: true}
	s.Digest[1][0], s.Digest[1][31] = 0xab, 0x0c
	got := line(t, &message.Exchange{Flow: f, Summary: s})
	want := `{"schema":"passiflow.flow/1","id":"0123456789abcdef","time":"2026-01-02T03:04:05.123456789Z","transport":"tcp","source":"eth0",` +
		`"client":{"ip":"2001:db8::1","port":40000,"packets":3,"bytes":100,"delivered":90,"lost":1,"digest":"` + strings.Repeat("0", 64) + `"},` +
		`"server":{"ip":"10.0.0.2","port":8080,"packets":2,"bytes":200,"delivered":190,"lost":0,"digest":"ab` + strings.Repeat("0", 60) + `0c"},` +
		`"tunnel":{"kind":"vxlan","id":42},"vlan":7,"duration_ns":5000000000,"end":"idle"}` + "\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestOtherProtocol(t *testing.T) {
	x := sample()
	x.Protocol, x.Response = "iso8583", nil
	x.Request.Op, x.Request.Target, x.Request.Version = "0100", "", ""
	x.Request.Fields = []message.Field{{Name: "2", Value: "4111"}, {Name: "48", Detail: &message.Detail{Children: []message.Field{{Name: "1", Value: "a"}}}}}
	if got, want := line(t, x), `"iso8583":{"op":"0100","fields":[{"name":"2","value":"4111"},{"name":"48","value":"","fields":[{"name":"1","value":"a"}]}]}`; !strings.Contains(got, want) {
		t.Errorf("no %s in %s", want, got)
	}
}

// half is what a reader in another language would declare.
type half struct {
	Method, Target, Reason, Version string
	Headers                         map[string][]string
	Body                            string
	Encoding                        string `json:"body_encoding"`
	Size                            int64  `json:"body_size"`
}

// meant is what a header value should read as.
func meant(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

func check(t *testing.T, target string, fields []message.Field, body []byte) {
	t.Helper()
	x := sample()
	x.Request.Target, x.Request.Fields, x.Request.Body = target, fields, body
	var got struct{ Request half }
	b := line(t, x)
	if err := stdjson.Unmarshal([]byte(b), &got); err != nil {
		t.Fatal(err)
	}
	if got.Request.Target != meant(target) {
		t.Fatalf("target %q, got %q", target, got.Request.Target)
	}
	want := map[string][]string{}
	for _, f := range fields {
		n := []byte(meant(f.Name))
		for i, c := range n {
			if c >= 'A' && c <= 'Z' {
				n[i] = c + 32
			}
		}
		want[string(n)] = append(want[string(n)], meant(f.Value))
	}
	if d := cmp.Diff(want, got.Request.Headers); d != "" {
		t.Fatal(d)
	}
	text := []byte(got.Request.Body)
	if got.Request.Encoding == "base64" {
		if utf8.Valid(body) {
			t.Fatalf("base64 for text: %q", body)
		}
		var err error
		if text, err = base64.StdEncoding.DecodeString(got.Request.Body); err != nil {
			t.Fatal(err)
		}
	} else if !utf8.Valid(body) {
		t.Fatalf("text for bytes: %q", body)
	}
	if !bytes.Equal(text, body) {
		t.Fatalf("body %q, got %q", body, text)
	}
}

// word makes n bytes out of a mixture that leans to what is awkward.
func word(r *rand.Rand, n int) []byte {
	pieces := []string{"a", "Zz", `"`, `\`, "\n", "\r", "\t", "\x00", "\x1f", " ", "\x7f", "\xff", "\xc3", "é", "€", "😀", "\xed\xa0\x80", "0123456789", "!", "]"}
	limit := len(pieces)
	if r.IntN(2) == 0 {
		limit = 3 + r.IntN(limit-3)
	}
	var b []byte
	for len(b) < n {
		b = append(b, pieces[r.IntN(limit)]...)
	}
	return b[:n]
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 3000 {
		size := r.IntN(40)
		if n%10 == 0 {
			size = r.IntN(3 * block)
		}
		var fields []message.Field
		count := r.IntN(12)
		if n%50 == 0 {
			count = r.IntN(4 * few)
		}
		for range count {
			fields = append(fields, message.Field{Name: string(word(r, r.IntN(20))), Value: string(word(r, r.IntN(40)))})
			if r.IntN(3) == 0 {
				fields[len(fields)-1].Name = []string{"Set-Cookie", "set-cookie", "X", "x", "Via"}[r.IntN(5)]
			}
		}
		check(t, string(word(r, r.IntN(30))), fields, word(r, size))
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("/", "Host", "x", "HOST", []byte(`{"a":"b"}`))
	f.Add("\xff", "\x00", "\"", "é", bytes.Repeat([]byte("\xe2\x82\xac"), 200))
	f.Fuzz(func(t *testing.T, target, n1, v1, n2 string, body []byte) {
		// A name in ISO 8859-1 reads like the same name in UTF-8.
		if n1 != n2 && utf8.ValidString(n1) != utf8.ValidString(n2) {
			return
		}
		check(t, target, []message.Field{{Name: n1, Value: v1}, {Name: n2, Value: n1}, {Name: n1, Value: target}}, body)
	})
}

func TestCutCharacter(t *testing.T) {
	for cut := range 5 {
		x := sample()
		x.Request.Body = []byte("ab😀")[:2+cut]
		x.Request.Marks = message.BodyTruncated
		want := "ab"
		if cut == 4 {
			want = "ab😀"
		}
		if got := line(t, x); !strings.Contains(got, `"body":"`+want+`","body_size"`) {
			t.Errorf("cut %d: %s", cut, got)
		}
	}
	x := sample()
	x.Request.Body, x.Request.Marks = []byte("\xffab\xe2\x82"), message.BodyTruncated
	if got := line(t, x); !strings.Contains(got, base64.StdEncoding.EncodeToString(x.Request.Body)) {
		t.Errorf("bytes were cut: %s", got)
	}
}

func TestClock(t *testing.T) {
	var c clock
	for _, at := range []packet.Time{0, 1, -1, -1e9, 1e9 - 1, 1e9, start, start + 999999999, start - 1e15, 1<<63 - 1, -1 << 63} {
		want := `"` + at.Time().Format("2006-01-02T15:04:05.000000000Z") + `"`
		if got := string(c.append(nil, at)); got != want {
			t.Errorf("%d: got %s want %s", at, got, want)
		}
	}
}

func TestHex(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		n := r.Uint64() >> r.IntN(64)
		want := strings.Repeat("0", 16)
		s := stdHex(n)
		want = want[len(s):] + s
		if got := string(appendHex(nil, n)); got != want {
			t.Fatalf("got %s want %s", got, want)
		}
	}
}

func stdHex(n uint64) string {
	const d = "0123456789abcdef"
	if n < 16 {
		return d[n : n+1]
	}
	return stdHex(n/16) + d[n%16:n%16+1]
}

func TestNoAllocation(t *testing.T) {
	x := sample()
	x.Interim = []*message.Message{{From: flow.Server, Status: "100", Marks: message.BareLF}}
	x.Request.Body = bytes.Repeat([]byte{0xff, 1, 2}, 1000)
	e := New(DefaultConfig())
	dst := e.Append(nil, x)
	dst = append(dst, make([]byte, 4*len(dst))...)
	if n := testing.AllocsPerRun(100, func() { dst = e.Append(dst[:0], x) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

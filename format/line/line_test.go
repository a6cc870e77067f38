package line_test

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format/line"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

var update = flag.Bool("update", false, "write the golden files anew")

var start = packet.Time(time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC).UnixNano())

func conversation(client, server string) *flow.Flow {
	return &flow.Flow{ID: 1, Transport: packet.TCP, Source: "eth0", Start: start, Client: netip.MustParseAddrPort(client), Server: netip.MustParseAddrPort(server)}
}

func request(op, target string, fields ...message.Field) *message.Message {
	return &message.Message{Start: start, End: start, Op: op, Target: target, Version: "1.1", Fields: fields}
}

func response(after time.Duration, status, reason string, size int64, fields ...message.Field) *message.Message {
	return &message.Message{From: flow.Server, Start: start.Add(after / 2), End: start.Add(after), Status: status, Reason: reason, Version: "1.1", Size: size, WireSize: size, Fields: fields}
}

// samples are the shapes that come up on a busy afternoon.
func samples() []*message.Exchange {
	f4, g4 := conversation("10.0.0.1:40000", "10.0.0.2:8080"), conversation("192.168.100.121:53124", "203.0.113.200:80")
	f6 := conversation("[2001:db8:1:2::f00d]:40000", "[2001:db8::2]:80")
	tunnelled := conversation("10.1.0.1:40000", "10.1.0.2:80")
	tunnelled.Tunnel, tunnelled.VLAN = packet.Tunnel{Kind: packet.VXLAN, ID: 42}, 7
	host := message.Field{Name: "Host", Value: "shop.example"}
	post := request("POST", "/api/v1/orders", host, message.Field{Name: "Content-Type", Value: "application/json"})
	post.Body, post.Size, post.WireSize = []byte("{\"item\": \"Gänseblümchen\",\n \"n\": 3}\n"), 38, 38
	created := response(84123*time.Microsecond, "201", "Created", 5, message.Field{Name: "Location", Value: "/api/v1/orders/7"})
	created.Body = []byte{0x89, 'P', 'N', 'G', 0}
	cut := response(2*time.Second+100*time.Millisecond, "200", "OK", 73400320)
	cut.Body, cut.Marks = bytes.Repeat([]byte("long "), 30), message.BodyTruncated
	gapped := response(time.Minute+time.Second, "200", "OK", -1)
	gapped.Marks, gapped.Lost, gapped.Gaps = message.Gapped|message.CutEnd, 2920, []message.Gap{{Offset: 10, Length: 2920}}
	hundred := response(time.Millisecond, "100", "Continue", 0)
	hundred.Interim = true
	hostile := request("GET", "/\x1b]0;owned\x07\x1b[2J\u202etxt.exe\xc2\x9b31m\xff\r\n", message.Field{Name: "X\x1b[1m", Value: "a\u2066b\x00"})
	hostile.Body, hostile.Size = []byte("plain\x1b[31m\ttext\r\nand more, which is long enough to be text"), 58
	return []*message.Exchange{
		{Flow: f4, Protocol: "http", Request: request("GET", "/", host), Response: response(740*time.Microsecond, "200", "OK", 612)},
		{Flow: f4, Protocol: "http", Request: post, Response: created, Interim: []*message.Message{hundred}},
		{Flow: g4, Protocol: "http", Request: request("GET", "/static/img/a/rather/long/path/that/does/not/fit/on/a/line/of/eighty/columns.png?v=20260102", host), Response: response(1234567*time.Microsecond, "304", "Not Modified", 0)},
		{Flow: g4, Protocol: "http", Request: request("DELETE", "/missing", host), Response: response(15*time.Millisecond, "404", "Not Found", 1500)},
		{Flow: g4, Protocol: "http", Request: request("GET", "/broken", host), Response: response(30*time.Second, "500", "Internal Server Error", 99999)},
		{Flow: f6, Protocol: "http", Request: request("GET", "/six", host), Response: cut},
		{Flow: f4, Protocol: "http", Request: request("GET", "/nothing/came", host), Half: message.AnswerLate},
		{Flow: f4, Protocol: "http", Response: response(0, "200", "OK", 17), Half: message.RequestUnseen},
		{Flow: f4, Protocol: "http", Request: request("GET", "/gap"), Response: gapped},
		{Flow: f4, Protocol: "http", Request: request("GET", "/middle", host), Response: response(9*time.Millisecond, "200", "OK", 3), Presumed: true},
		{Flow: tunnelled, Protocol: "http", Request: request("CONNECT", "db.example:5432"), Response: response(3*time.Millisecond, "200", "", 0)},
		{Flow: f4, Protocol: "http", Request: hostile, Response: response(time.Millisecond, "2\x1bc", "\x1b[5m", 1)},
		{Flow: f4, Protocol: "http", Request: request("GET", "/日本語/これは長いパスです/もっと長く/そして終わり", host), Response: response(9*time.Millisecond, "200", "OK", 10)},
		{Flow: f4, Protocol: "http", Request: post, Half: message.Unit},
		{Flow: f4, Protocol: "http", Response: response(0, "404", "Not Found", 10, message.Field{Name: "Content-Type", Value: "text/plain"}), Half: message.Unit},
		{Flow: f4, Protocol: "http", Response: response(0, "200", "", 0), Half: message.Unit},
		{Flow: f4, Protocol: "http", Response: response(0, "\x1b", "\x1b[2J", 1, message.Field{Name: "Content-Type", Value: "a\rb"}), Half: message.Unit},
		{Flow: f4, Summary: &flow.Summary{Flow: f4, End: start.Add(5 * time.Second), Packets: [2]uint64{12, 34}, Bytes: [2]uint64{1234, 567890}, Lost: [2]uint64{0, 1460}}},
	}
}

func TestGolden(t *testing.T) {
	for name, c := range map[string]line.Config{
		"wide":    {Width: 160},
		"eighty":  {Width: 80},
		"nowidth": {},
		"color":   {Width: 120, Color: true, Verbose: 1},
		"headers": {Width: 120, Verbose: 1},
		"bodies":  {Width: 120, Verbose: 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := line.New(c)
			var got []byte
			for _, x := range samples() {
				got = f.Append(got, x)
			}
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWidthHolds(t *testing.T) {
	for _, x := range samples()[:5] {
		for _, width := range []int{90, 105, 120, 200} {
			got := line.New(line.Config{Width: width}).Append(nil, x)
			if n := utf8.RuneCount(got) - 1; n > width {
				t.Errorf("%d columns of %d: %s", n, width, got)
			}
		}
	}
}

// safe fails for what a terminal might obey.
func safe(t *testing.T, b []byte) {
	t.Helper()
	if !utf8.Valid(b) {
		t.Fatalf("not UTF-8: %q", b)
	}
	for _, r := range string(b) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%U in %q", r, b)
		}
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("GET", "/\x1b[2J", "200", "\x9b", "a\rb", []byte("x\x1b]52;c;\x07"), 3)
	f.Fuzz(func(t *testing.T, op, target, status, name, value string, body []byte, width int) {
		if width > 1000 || width < 0 {
			return
		}
		field := message.Field{Name: name, Value: value}
		q, a := request(op, target, field, message.Field{Name: "Host", Value: value}), response(1, status, value, int64(len(body)), field)
		q.Body, q.Size, a.Body = body, int64(len(body)), body
		x := &message.Exchange{Flow: conversation("10.0.0.1:1", "10.0.0.2:2"), Protocol: name, Request: q, Response: a, Interim: []*message.Message{a}}
		got := line.New(line.Config{Verbose: 2, Width: width}).Append(nil, x)
		safe(t, got)
		alone := line.New(line.Config{Width: width}).Append(nil, &message.Exchange{Flow: x.Flow, Protocol: name, Response: a, Half: message.Unit})
		safe(t, alone)
		one := line.New(line.Config{Width: width}).Append(nil, x)
		if bytes.Count(one, []byte("\n")) != 1 {
			t.Fatalf("not one line: %q", one)
		}
	})
}

func TestZone(t *testing.T) {
	f := line.New(line.Config{Location: time.FixedZone("x", 3600)})
	if got := string(f.Append(nil, samples()[0])); !strings.HasPrefix(got, "04:04:05.123 ") {
		t.Error(got)
	}
	if line.DefaultConfig().Location != time.Local {
		t.Error("the default is not local time")
	}
	if got := f.Append(nil, &message.Exchange{Flow: conversation("10.0.0.1:1", "10.0.0.2:2")}); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

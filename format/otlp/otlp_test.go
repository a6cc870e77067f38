package otlp

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

var start = packet.Time(time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC).UnixNano())

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
	context = "00-" + traceID + "-" + spanID + "-01"
)

func fields(pairs ...string) (all []message.Field) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, message.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return all
}

func sample() *message.Exchange {
	return &message.Exchange{Protocol: "http",
		Flow: &flow.Flow{ID: 0xab, Source: "eth0", Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:8080")},
		Request: &message.Message{Index: 2, Start: start, End: start + 10, Op: "GET", Target: "/a/b?b=1&t=[REDACTED]", Version: "1.1",
			Fields: fields("Host", "shop.example", "User-Agent", "curl/8", "Traceparent", context, "tracestate", "a=1", "tracestate", "b=2", "X-Id", "7", "x-id", "8")},
		Response: &message.Message{From: flow.Server, Index: 2, Start: start + 1e6, End: start + 2e6, Status: "200", Version: "1.1",
			Fields: fields("Content-Type", "text/html"), Body: []byte("<p>"), Size: 5, WireSize: 3},
	}
}

// span is what a reader sees of one.
type span struct {
	TraceID, SpanID, ParentSpanID, TraceState, Name, StartTimeUnixNano, EndTimeUnixNano string
	Kind, Flags                                                                         int
	Status                                                                              struct{ Code int }
	Attributes                                                                          []struct {
		Key   string
		Value json.RawMessage
	}
}

func read(t *testing.T, c Config, x *message.Exchange) (s span, attributes map[string]string) {
	t.Helper()
	b := New(c).Append(nil, x)
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil || d.More() || strings.Contains(string(b), "\n") {
		t.Fatalf("%v\n%s", err, b)
	}
	attributes = map[string]string{}
	for _, a := range s.Attributes {
		if _, twice := attributes[a.Key]; twice {
			t.Errorf("%s is given twice", a.Key)
		}
		text := string(a.Value)
		for _, kind := range []string{`{"stringValue":"`, `{"intValue":"`, `{"boolValue":`, `{"arrayValue":{"values":`} {
			text = strings.TrimPrefix(text, kind)
		}
		attributes[a.Key] = strings.TrimRight(text, `"}`)
	}
	return s, attributes
}

func TestSpan(t *testing.T) {
	c := DefaultConfig()
	c.Headers = []string{"X-Id"}
	s, got := read(t, c, sample())
	if s.TraceID != traceID || s.ParentSpanID != spanID || s.TraceState != "a=1,b=2" || s.Flags != 0x301 || s.Kind != 2 || s.Name != "GET" ||
		s.StartTimeUnixNano != "1767323045123456789" || s.EndTimeUnixNano != "1767323045125456789" || s.Status.Code != 0 {
		t.Errorf("%+v", s)
	}
	want := map[string]string{
		"http.request.method": "GET", "url.scheme": "http", "url.path": "/a/b", "url.query": "b=1&t=[REDACTED]", "user_agent.original": "curl/8",
		"http.request.header.x-id": `[{"stringValue":"7"},{"stringValue":"8"}]`, "http.response.body.size": "3", "http.response.status_code": "200",
		"server.address": "shop.example", "server.port": "8080", "client.address": "10.0.0.1", "client.port": "40000",
		"network.peer.address": "10.0.0.1", "network.peer.port": "40000", "network.local.address": "10.0.0.2", "network.local.port": "8080",
		"network.protocol.version": "1.1", "passiflow.id": "00000000000000ab00000002", "passiflow.source": "eth0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	c.Client = true
	s, got = read(t, c, sample())
	if s.Kind != 3 || got["network.peer.address"] != "10.0.0.2" || got["client.address"] != "" || got["url.full"] != "http://shop.example:8080/a/b?b=1&t=[REDACTED]" {
		t.Errorf("%+v %v", s, got)
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		client bool
		change func(*message.Exchange)
		kind   string // error.type
		code   int    // of the status
	}{
		"404 to a server": {false, func(x *message.Exchange) { x.Response.Status = "404" }, "", 0},
		"404 to a client": {true, func(x *message.Exchange) { x.Response.Status = "404" }, "404", 2},
		"503":             {false, func(x *message.Exchange) { x.Response.Status = "503" }, "503", 2},
		"no answer":       {false, func(x *message.Exchange) { x.Response, x.Half = nil, message.NoAnswer }, "no_answer", 2},
		"late":            {false, func(x *message.Exchange) { x.Response, x.Half = nil, message.AnswerLate }, "answer_late", 2},
		"lost":            {false, func(x *message.Exchange) { x.Response, x.Half = nil, message.AnswerLost }, "", 0},
		"unit":            {false, func(x *message.Exchange) { x.Response, x.Half = nil, message.Unit }, "", 0},
		"odd status":      {false, func(x *message.Exchange) { x.Response.Status = "5xx" }, "", 0},
	} {
		x := sample()
		c.change(x)
		config := DefaultConfig()
		config.Client = c.client
		s, got := read(t, config, x)
		if s.Status.Code != c.code || got["error.type"] != c.kind {
			t.Errorf("%s: %d %q", name, s.Status.Code, got["error.type"])
		}
	}
}

func TestHalvesAndNames(t *testing.T) {
	x := sample()
	x.Request.Op = "BREW"
	s, got := read(t, DefaultConfig(), x)
	if s.Name != "HTTP" || got["http.request.method"] != "_OTHER" || got["http.request.method_original"] != "BREW" {
		t.Errorf("%+v %v", s, got)
	}
	x = sample()
	x.Request, x.Half, x.Response.Marks = nil, message.RequestUnseen, message.Gapped
	s, got = read(t, DefaultConfig(), x)
	if s.Name != "HTTP" || s.ParentSpanID != "" || got["passiflow.half"] != "request_unseen" || got["passiflow.incomplete"] != "true" || got["http.response.status_code"] != "200" ||
		s.StartTimeUnixNano != "1767323045124456789" {
		t.Errorf("%+v %v", s, got)
	}
	// Two halves that were told apart have one trace, and each its own span.
	a, b := sample(), sample()
	a.Request.Fields, a.Response, a.Pair = nil, nil, 7
	b.Request, b.Pair = nil, 7
	one, _ := read(t, DefaultConfig(), a)
	other, _ := read(t, DefaultConfig(), b)
	if one.TraceID != other.TraceID || one.SpanID == other.SpanID {
		t.Errorf("%+v %+v", one, other)
	}
	for _, x := range []*message.Exchange{{Flow: x.Flow, Protocol: "http"}, {Flow: x.Flow, Protocol: "iso8583", Request: sample().Request}, {Flow: x.Flow, Summary: &flow.Summary{}}} {
		if b := New(DefaultConfig()).Append(nil, x); len(b) > 0 {
			t.Errorf("%s", b)
		}
	}
}

func TestTraceContext(t *testing.T) {
	long := "cc-" + traceID + "-" + spanID + "-01"
	for value, ok := range map[string]bool{
		context: true, "00-" + traceID + "-" + spanID + "-00": true, long: true, long + "-more": true,
		"": false, context + "-more": false, long + "more": false, "ff" + context[2:]: false, strings.ToUpper(context): false,
		"00-00000000000000000000000000000000-" + spanID + "-01": false, "00-" + traceID + "-0000000000000000-01": false,
		context[:54]: false, " " + context: false, strings.Replace(context, "4b", "4g", 1): false, "[REDACTED]": false,
	} {
		x := sample()
		x.Request.Fields = fields("traceparent", value)
		s, _ := read(t, DefaultConfig(), x)
		if (s.ParentSpanID == spanID && s.TraceID == traceID && s.Flags&0x200 != 0) != ok || (s.ParentSpanID == "") == ok {
			t.Errorf("%q: %+v", value, s)
		}
	}
	x := sample()
	x.Request.Fields = fields("traceparent", context, "Traceparent", context, "tracestate", "a=1")
	if s, _ := read(t, DefaultConfig(), x); s.ParentSpanID != "" || s.TraceState != "" || s.Flags != 0x101 {
		t.Errorf("two parents: %+v", s)
	}
	x.Request.Fields = fields("traceparent", "00-"+traceID+"-"+spanID+"-00")
	if s, _ := read(t, DefaultConfig(), x); s.Flags != 0x300 {
		t.Errorf("%+v", s)
	}
	c := DefaultConfig()
	c.Sampled = true
	if b := New(c).Append(nil, x); len(b) > 0 {
		t.Errorf("not sampled: %s", b)
	}
	x.Request.Fields = nil
	if b := New(c).Append(nil, x); len(b) == 0 {
		t.Error("a request without a trace is left out")
	}
}

func TestIdentity(t *testing.T) {
	spans, traces := map[string]bool{}, map[string]bool{}
	x := sample()
	x.Request.Fields = nil
	for id := range uint64(100) {
		for index := range uint32(50) {
			x.Flow.ID, x.Request.Index = id, index
			var again span
			for range 2 {
				s, _ := read(t, DefaultConfig(), x)
				if again.SpanID != "" && (again.SpanID != s.SpanID || again.TraceID != s.TraceID) {
					t.Fatal("not the same twice")
				}
				again = s
			}
			spans[again.SpanID], traces[again.TraceID] = true, true
		}
	}
	if len(spans) != 5000 || len(traces) != 5000 {
		t.Errorf("%d spans, %d traces", len(spans), len(traces))
	}
}

func TestTarget(t *testing.T) {
	for _, c := range []struct {
		op, target, host string
		want             target
	}{
		{"GET", "/a?b?c#d", "h:81", target{"http", "h", 81, "/a", "b?c"}},
		{"GET", "https://u:p@h/x?y", "other", target{"https", "h", 0, "/x", "y"}},
		{"GET", "http://h:8?y", "", target{"http", "h", 8, "/", "y"}},
		{"GET", "http://h", "", target{"http", "h", 0, "/", ""}},
		{"CONNECT", "h:443", "h:443", target{"http", "h", 443, "", ""}},
		{"OPTIONS", "*", "[::1]:9", target{"http", "::1", 9, "", ""}},
		{"GET", "ftp://x/y", "[::1]", target{"http", "::1", 0, "", ""}},
		{"GET", "/", "h:99999", target{"http", "h", 0, "/", ""}},
	} {
		m := &message.Message{Op: c.op, Target: c.target}
		if c.host != "" {
			m.Fields = fields("host", c.host)
		}
		if got := parseTarget(m); got != c.want {
			t.Errorf("%s %s: %+v", c.op, c.target, got)
		}
	}
}

func FuzzSpan(f *testing.F) {
	f.Add("GET", "/a?b", "traceparent", context, "200")
	f.Add("GET", "/", "Forwarded", `for="[2001:db8::1]:4711";host=a:1;proto=https, for=_b`, "200")
	f.Add("GET", "/", "x-forwarded-for", "192.0.2.1:80, ::1", "200")
	f.Add("CONNECT", "h:1", "host", "[::1]", "abc")
	f.Fuzz(func(t *testing.T, method, target, name, value, status string) {
		x := sample()
		x.Request.Op, x.Request.Target, x.Request.Fields, x.Response.Status = method, target, fields(name, value, "tracestate", value), status
		read(t, Config{Client: len(method)%2 == 0, Headers: []string{strings.ToLower(name)}}, x)
	})
}

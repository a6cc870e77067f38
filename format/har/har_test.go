package har_test

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format/har"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

var start = packet.Time(time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC).UnixNano())

const ms = packet.Time(time.Millisecond)

func fields(pairs ...string) (all []message.Field) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, message.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return all
}

func sample() *message.Exchange {
	return &message.Exchange{Protocol: "http",
		Flow: &flow.Flow{ID: 0xab, Source: "eth0", Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:8080")},
		Request: &message.Message{Index: 2, Start: start, End: start + 2*ms, Op: "POST", Target: "/a?b=1&c=%C3%A9+x&d", Version: "1.1",
			Fields: fields("Host", "shop.example:8080", "Cookie", "a=1; b=\"x=y\"", "Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
			Body:   []byte("k=v+w&m=%zz"), Size: 11, WireSize: 11},
		Response: &message.Message{From: flow.Server, Index: 2, Start: start + 12*ms, End: start + 15*ms + 500000, Status: "302", Reason: "Found", Version: "1.1",
			Fields: fields("Content-Type", "text/html", "Location", "/next", "Set-Cookie", "s=1; Path=/; Domain=shop.example; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly; Secure; SameSite=Lax"),
			Body:   []byte("<p>é"), Size: 5, WireSize: 3},
	}
}

const sampleEntry = `{"startedDateTime":"2026-01-02T03:04:05.123456Z","time":15.5,` +
	`"request":{"method":"POST","url":"http://shop.example:8080/a?b=1&c=%C3%A9+x&d","httpVersion":"HTTP/1.1","cookies":[{"name":"a","value":"1"},{"name":"b","value":"\"x=y\""}],` +
	`"headers":[{"name":"Host","value":"shop.example:8080"},{"name":"Cookie","value":"a=1; b=\"x=y\""},{"name":"Content-Type","value":"application/x-www-form-urlencoded; charset=utf-8"}],` +
	`"queryString":[{"name":"b","value":"1"},{"name":"c","value":"é x"},{"name":"d","value":""}],` +
	`"postData":{"mimeType":"application/x-www-form-urlencoded; charset=utf-8","params":[{"name":"k","value":"v w"},{"name":"m","value":"%zz"}],"text":"k=v+w&m=%zz"},` +
	`"headersSize":-1,"bodySize":11},` +
	`"response":{"status":302,"statusText":"Found","httpVersion":"HTTP/1.1","cookies":[{"name":"s","value":"1","path":"/","domain":"shop.example","sameSite":"Lax","expires":"2026-10-21T07:28:00Z","httpOnly":true,"secure":true}],` +
	`"headers":[{"name":"Content-Type","value":"text/html"},{"name":"Location","value":"/next"},{"name":"Set-Cookie","value":"s=1; Path=/; Domain=shop.example; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly; Secure; SameSite=Lax"}],` +
	`"content":{"size":5,"compression":2,"mimeType":"text/html","text":"<p>é"},"redirectURL":"/next","headersSize":-1,"bodySize":3},` +
	`"cache":{},"timings":{"blocked":-1,"dns":-1,"connect":-1,"ssl":-1,"send":2,"wait":10,"receive":3.5},` +
	`"serverIPAddress":"10.0.0.2","connection":"00000000000000ab",` +
	`"_id":"00000000000000ab00000002","_client":{"ip":"10.0.0.1","port":40000},"_server":{"ip":"10.0.0.2","port":8080},"_source":"eth0","_integrity":{"complete":true}}`

func entry(x *message.Exchange) string {
	return string(har.New(har.DefaultConfig()).Append(nil, x))
}

func TestEntry(t *testing.T) {
	if d := cmp.Diff(sampleEntry, entry(sample())); d != "" {
		t.Error(d)
	}
	for _, x := range []*message.Exchange{{Flow: sample().Flow, Protocol: "http"}, {Flow: sample().Flow, Protocol: "iso8583", Request: sample().Request}, {Flow: sample().Flow, Summary: &flow.Summary{}}} {
		if got := entry(x); got != "" {
			t.Errorf("%q", got)
		}
	}
}

func TestPresumed(t *testing.T) {
	x := sample()
	x.Presumed = true
	if got := entry(x); !strings.Contains(got, `"_integrity":{"complete":true,"pairing":"presumed"`) {
		t.Error(got)
	}
}

// variants are exchanges of every shape that a capture gives.
func variants() map[string]*message.Exchange {
	all := map[string]*message.Exchange{}
	for name, change := range map[string]func(*message.Exchange){
		"whole":         func(*message.Exchange) {},
		"no answer":     func(x *message.Exchange) { x.Response, x.Half = nil, message.NoAnswer },
		"no request":    func(x *message.Exchange) { x.Request, x.Half = nil, message.RequestUnseen },
		"binary":        func(x *message.Exchange) { x.Request.Body, x.Response.Body = []byte{0xff, 0}, []byte{0xfe} },
		"cut":           func(x *message.Exchange) { x.Response.Body, x.Response.Marks = []byte("a\xc3"), message.BodyTruncated },
		"gap":           func(x *message.Exchange) { x.Response.Lost, x.Response.Marks = 7, message.Gapped },
		"unknown sizes": func(x *message.Exchange) { x.Response.Size, x.Response.WireSize, x.Request.WireSize = -1, -1, -1 },
		"http/0.9":      func(x *message.Exchange) { x.Request.Version, x.Response.Version, x.Response.Status = "", "", "" },
		"bad status":    func(x *message.Exchange) { x.Response.Status = "99999999" },
		"early answer":  func(x *message.Exchange) { x.Response.Start, x.Request.End = start+ms, start+9*ms },
		"backwards":     func(x *message.Exchange) { x.Response.Start, x.Response.End = start-9*ms, start-8*ms },
		"interim": func(x *message.Exchange) {
			x.Interim = []*message.Message{{Status: "103", Fields: fields("Link", "</a>")}, {Status: "100"}}
		},
		"connect":    func(x *message.Exchange) { x.Request.Op, x.Request.Target = "CONNECT", "shop.example:443" },
		"asterisk":   func(x *message.Exchange) { x.Request.Op, x.Request.Target = "OPTIONS", "*" },
		"absolute":   func(x *message.Exchange) { x.Request.Target = "http://proxied.example/x?y" },
		"bad target": func(x *message.Exchange) { x.Request.Target = "/<a b>\"|\x01\xff%zz?<>=é#f" },
		"bad host":   func(x *message.Exchange) { x.Request.Fields = fields("Host", "a b/@:c") },
		"bad port":   func(x *message.Exchange) { x.Request.Fields = fields("Host", "a:x") },
		"ipv6": func(x *message.Exchange) {
			x.Request.Fields, x.Flow.Server = nil, netip.MustParseAddrPort("[fe80::1%eth0]:80")
		},
		"no address": func(x *message.Exchange) { x.Request.Fields, x.Flow = nil, &flow.Flow{} },
		"bad headers": func(x *message.Exchange) {
			x.Response.Fields = fields("\xff", "\x00\n", "Set-Cookie", "[REDACTED]", "set-cookie", "a=b; expires=never; expires=Sun, 06-Nov-94 08:49:37 GMT")
		},
		"masked":   func(x *message.Exchange) { x.Request.Fields = fields("Cookie", "[REDACTED]") },
		"unproven": func(x *message.Exchange) { x.Pair = 7; x.Response, x.Half = nil, message.PairUnproven },
		"presumed": func(x *message.Exchange) { x.Presumed = true },
	} {
		x := sample()
		change(x)
		all[name] = x
	}
	return all
}

// TestSchema holds entries to the schema that validators of archives use.
func TestSchema(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("there is no cache for the schema: make setup fetches it")
	}
	files, _ := filepath.Glob(filepath.Join(cache, "passiflow", "har-schema", "lib", "*.json"))
	if len(files) == 0 {
		t.Skip("the schema is not in the cache: make setup fetches it")
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://har/"+filepath.Base(path), doc); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://har/entry.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range variants() {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(entry(x)))
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, entry(x))
			continue
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v\n%s", name, err, entry(x))
		}
	}
	if v, _ := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(sampleEntry, `"url":"http`, `"url":" http`, 1))); schema.Validate(v) == nil {
		t.Error("the schema lets anything pass")
	}
}

// TestRules holds entries to what the specification says beyond the schema.
func TestRules(t *testing.T) {
	for name, x := range variants() {
		text := entry(x)
		var e struct {
			Time    float64
			Request struct{ URL string }
			Timings map[string]float64
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil || strings.ContainsAny(text, "\n\x00") {
			t.Errorf("%s: %v\n%s", name, err, text)
			continue
		}
		sum := 0.0
		for _, part := range e.Timings {
			if part < 0 && part != -1 {
				t.Errorf("%s: %v", name, e.Timings)
			}
			sum += max(part, 0)
		}
		if diff := sum - e.Time; diff < -1e-6 || diff > 1e-6 {
			t.Errorf("%s: time %v, timings %v", name, e.Time, e.Timings)
		}
		if u, err := url.Parse(e.Request.URL); err != nil || !u.IsAbs() || u.Host == "" {
			t.Errorf("%s: url %q %v", name, e.Request.URL, err)
		}
	}
}

func FuzzEntry(f *testing.F) {
	f.Add("GET", "/a?b=c", "Cookie", "a=b", []byte("x"))
	f.Add("CONNECT", "h:1", "Set-Cookie", "a=b; expires=Sun, 06 Nov 1994 08:49:37 GMT; path=/", []byte{0xff})
	f.Add("POST", "%zz?%", "Host", "[::1]:80", []byte("a=%zz&&=b"))
	f.Add("POST", "*", "Content-Type", "application/x-www-form-urlencoded", []byte("a+b=c"))
	f.Fuzz(func(t *testing.T, method, target, name, value string, body []byte) {
		x := sample()
		x.Request.Op, x.Request.Target, x.Request.Fields, x.Request.Body = method, target, fields(name, value), body
		x.Response.Fields, x.Response.Body, x.Response.Reason = fields(name, value), body, value
		text := entry(x)
		var e struct{ Request struct{ URL string } }
		if err := json.Unmarshal([]byte(text), &e); err != nil || strings.Contains(text, "\n") {
			t.Fatalf("%v\n%s", err, text)
		}
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host == "" {
			t.Errorf("url %q: %v", e.Request.URL, err)
		}
	})
}

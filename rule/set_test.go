package rule_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

func parse(t testing.TB, text string) *rule.Set {
	t.Helper()
	s, err := rule.Parse("rules.yaml", []byte(text), rule.Options{Getenv: func(name string) string {
		return map[string]string{"KEY": "0123456789abcdef", "SHORT": "x"}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exchange has something in each place.
func exchange() *message.Exchange {
	return &message.Exchange{
		Protocol: "http",
		Flow: &flow.Flow{ID: 0x1122334455667788, Source: "eth0", VLAN: 7,
			Client: netip.MustParseAddrPort("10.1.2.3:40000"), Server: netip.MustParseAddrPort("192.0.2.1:8080")},
		Request: &message.Message{Op: "POST", Target: "/login?a=1&token=SECRET&b=2", Version: "1.1", Start: 1_700_000_000_000_000_000, End: 1_700_000_000_000_000_100,
			Fields: []message.Field{{Name: "Host", Value: "shop.example"}, {Name: "Content-Type", Value: "application/json"}, {Name: "X-Key", Value: "SECRET"}},
			Body:   []byte(`{"user":{"password":"SECRET"}}`), Size: 30},
		Response: &message.Message{From: flow.Server, Status: "503", Reason: "Service Unavailable", Version: "1.1", Start: 1_700_000_000_000_500_000, End: 1_700_000_000_002_000_000,
			Fields: []message.Field{{Name: "Content-Type", Value: "text/html; charset=utf-8"}, {Name: "Vary", Value: "a"}, {Name: "vary", Value: "b"}}, Body: []byte("busy"), Size: 4, WireSize: 4},
	}
}

func TestConditions(t *testing.T) {
	for text, want := range map[string]bool{
		`request.method == "POST"`:                                   true,
		`request.target startsWith "/login"`:                         true,
		`request.headers["Host"] == "shop.example"`:                  true,
		`request.headers["absent"] == ""`:                            true,
		`request?.headers["Host"] == "shop.example"`:                 true,
		`"x-key" in request.headers`:                                 true,
		`"X-Key" in request.headers and "absent" in request.headers`: false,
		`response.headers["vary"] == "a, b"`:                         true,
		`len(request.headers) == 3`:                                  true,
		`any(keys(request.headers), # == "host")`:                    true,
		`response.status >= 500`:                                     true,
		`response.status in [200, 503]`:                              true,
		`response.status in 500..599`:                                true,
		`response.headers["content-type"] contains "html"`:           true,
		`response.headers["content-type"] matches "^text/h"`:         true,
		`response.body == "busy" and response.body_size == 4`:        true,
		`duration_ns == 2000000`:                                     true,
		`client.ip == "10.1.2.3" and client.port == 40000`:           true,
		`cidr(client.ip, "10.0.0.0/8")`:                              true,
		`cidr(client.ip, "10.0.0.0/16", "::/0")`:                     false,
		`cidr(server.ip, "192.0.2.1")`:                               true,
		`integrity.complete`:                                         true,
		`integrity.half == "" and integrity.pairing == ""`:           true,
		`protocol == "http" and source == "eth0" and vlan == 7`:      true,
		`tunnel.kind == "" and tunnel.id == 0 and pair == ""`:        true,
		`time startsWith "2023-11-14T22:13:20.0"`:                    true,
		`id == "112233445566778800000000"`:                           true,
		`"gapped" in request.marks`:                                  false,
		`request.version == "1.1" and not request.body_truncated`:    true,
	} {
		x := exchange()
		if got := parse(t, "defaults: false\nrules:\n  - keep: '"+text+"'\n").Apply(x); got != want {
			t.Errorf("keep %s: %v", text, got)
		}
		if got := parse(t, "- drop: '"+text+"'\n").Apply(x); got == want {
			t.Errorf("drop %s: %v", text, got)
		}
		x.Request, x.Response = nil, nil
		parse(t, "- drop: '"+text+"'\n").Apply(x) // no panic
	}
}

// TestConditionsReadRecords: what is not UTF-8 is what the record says it is.
func TestConditionsReadRecords(t *testing.T) {
	x := exchange()
	x.Request.Target, x.Request.Fields[2].Value, x.Response.Reason = "/caf\xe9", "\xfcber", "tr\xe8s"
	if !parse(t, "- keep: 'request.target == \"/café\" and request.headers[\"x-key\"] == \"über\" and response.reason == \"très\"'").Apply(x) {
		t.Error("dropped")
	}
}

// masked applies rules to a message with one thing changed.
func masked(t testing.TB, rules string, change func(m *message.Message)) *message.Message {
	t.Helper()
	x := exchange()
	change(x.Request)
	body := string(x.Request.Body)
	bytes := x.Request.Body
	parse(t, "defaults: false\nrules:\n"+rules).Apply(x)
	if string(bytes) != body {
		t.Error("wrote into bytes")
	}
	return x.Request
}

func TestMaskHead(t *testing.T) {
	for _, c := range []struct{ rules, name, value, want string }{
		{"- mask: {headers: [x-foo]}", "X-Foo", "s", "[REDACTED]"},
		{"- mask: {headers: [X_Foo]}", "x-foo", "s", "[REDACTED]"},
		{"- mask: {headers: ['/^x-secret-/']}", "X-Secret-7", "s", "[REDACTED]"},
		{"- mask: {headers: [x-*-key]}", "X-My-Key", "s", "[REDACTED]"},
		{"- mask: {headers: [x-*-key]}", "X-My-Keys", "s", "s"},
		{"- {mask: {headers: [a]}, with: type}", "A", "žluť", "[string:4]"},
		{"- {mask: {headers: [a]}, text: '***'}", "A", "s", "***"},
		{"- mask: {query: [token]}", "Referer", "http://h/?x=1&token=s&y=2#token=s", "http://h/?x=1&token=[REDACTED]&y=2#token=[REDACTED]"},
		{"- mask: {query: [token]}", "Location", "/cb#token=s", "/cb#token=[REDACTED]"},
		{"- mask: {query: [token]}", "Link", `<http://h/?token=s>; rel="next", <http://h/?token=t>`, `<http://h/?token=[REDACTED]>; rel="next", <http://h/?token=[REDACTED]>`},
		{"- mask: {cookies: [sid]}", "Cookie", "a=1; sid=s; b=2", "a=1; sid=[REDACTED]; b=2"},
		{"- mask: {cookies: [sid]}", "Cookie", `a=1;SID="s;t";b=2`, `a=1;SID=[REDACTED];b=2`},
		{"- mask: {cookies: [sid]}", "Cookie", "sid=s=t", "sid=[REDACTED]"},
		{"- mask: {cookies: [sid]}", "Set-Cookie", "sid=s; Path=/; HttpOnly", "sid=[REDACTED]; Path=/; HttpOnly"},
		{"- mask: {cookies: ['/^s/']}", "Set-Cookie", "sid=s; Secure", "sid=[REDACTED]; Secure"},
	} {
		m := masked(t, c.rules, func(m *message.Message) { m.Fields = append(m.Fields, message.Field{Name: c.name, Value: c.value}) })
		if got := m.Fields[len(m.Fields)-1].Value; got != c.want {
			t.Errorf("%s on %s: %s\n got %s\nwant %s", c.rules, c.name, c.value, got, c.want)
		}
	}
	for target, want := range map[string]string{
		"/a?token=s":             "/a?token=[REDACTED]",
		"/a?x=1&TOKEN=s&y=2":     "/a?x=1&TOKEN=[REDACTED]&y=2",
		"/a?%74oken=s":           "/a?%74oken=[REDACTED]",
		"/a?token=s;t&y=2":       "/a?token=[REDACTED]&y=2",
		"/a;token=s?x=1":         "/a;token=[REDACTED]?x=1",
		"/a?user[token]=s":       "/a?user[token]=[REDACTED]",
		"/a?user%5Btoken%5D=s":   "/a?user%5Btoken%5D=[REDACTED]",
		"/a?token=&x=1":          "/a?token=&x=1",
		"/a?token[]=s&token[]=t": "/a?token[]=[REDACTED]&token[]=[REDACTED]",
		"/a?tokens=s":            "/a?tokens=s",
		"http://h/a?token=s":     "http://h/a?token=[REDACTED]",
		"/a?token=s&token=t&z=%": "/a?token=[REDACTED]&token=[REDACTED]&z=%",
		"/token=s":               "/token=[REDACTED]",
	} {
		m := masked(t, "- mask: {query: [token]}", func(m *message.Message) { m.Target = target })
		if m.Target != want {
			t.Errorf("%s\n got %s\nwant %s", target, m.Target, want)
		}
	}
}

func TestMaskBody(t *testing.T) {
	gap := func(m *message.Message) { m.Marks = message.Gapped }
	kind := func(k string) func(m *message.Message) {
		return func(m *message.Message) { m.Fields[1].Value = k }
	}
	const simple, rooted, form, xml = "- mask: {json: [$..password]}", "- mask: {json: [$.user.password]}", "- mask: {form: [password]}", "- mask: {xml: [//password, //@key, /a/b/c]}"
	for _, c := range []struct {
		rules, body, want string
		change            func(m *message.Message)
	}{
		{simple, `{"user":{"password":"s"}}`, `{"user":{"password":"[REDACTED]"}}`, nil},
		{simple, `{ "PassWord" : "s\"t" , "x":1}`, `{ "PassWord" : "[REDACTED]" , "x":1}`, nil},
		{simple, `{"pass\u0077ord":"s"}`, `{"pass\u0077ord":"[REDACTED]"}`, nil},
		{simple, `{"\u0070assword":"s"}`, `{"\u0070assword":"[REDACTED]"}`, nil},
		{simple, `{"passwor\u0064":"s"}`, `{"passwor\u0064":"[REDACTED]"}`, nil},
		{simple, `{"password":12,"a":1}`, `{"password":"[REDACTED]","a":1}`, nil},
		{simple, `{"password":null,"a":true}`, `{"password":null,"a":true}`, nil},
		{simple, `{"password":{"x":["}",1]},"a":1}`, `{"password":"[REDACTED]","a":1}`, nil},
		{simple, `[{"password":["a","b"]},{"password":"s"}]`, `[{"password":"[REDACTED]"},{"password":"[REDACTED]"}]`, nil},
		{simple, `{"password":"s`, `{"password":"[REDACTED]"`, nil},
		{simple, `{"a":"password","b":"password: s"}`, `{"a":"password","b":"password: s"}`, nil},
		{simple, `{"password":"a"b","c":1}`, `{"password":"[REDACTED]","c":1}`, nil},
		{simple, `{"in":"{\"password\":\"s\",\"b\":1}"}`, `{"in":"{\"password\":\"[REDACTED]\",\"b\":1}"}`, nil},
		{simple, `{"in":"{\"in\":\"{\\\"password\\\": \\\"s\\\"}\"}"}`, `{"in":"{\"in\":\"{\\\"password\\\": \\\"[REDACTED]\\\"}\"}"}`, nil},
		{simple, `{"in":"{\u0022password\u0022:\u0022s\u0022,\u0022b\u0022:1}","c":"d"}`, `{"in":"{\"password\":\"[REDACTED]\",\"b\":1}","c":"d"}`, nil},
		{simple, "data: {\"password\":\"s\"}\n\ndata: {\"a\":1}\n\n", "data: {\"password\":\"[REDACTED]\"}\n\ndata: {\"a\":1}\n\n", kind("text/event-stream")},
		{simple, "{\"password\":\"s\"}\n{\"password\":\"t\"}\n", "{\"password\":\"[REDACTED]\"}\n{\"password\":\"[REDACTED]\"}\n", nil},
		{simple, `)]}',` + "\n" + `{"password":"s"}`, `)]}',` + "\n" + `{"password":"[REDACTED]"}`, nil},
		{"- {mask: {json: [$..password]}, with: type}", `{"password":"säß","b":{"password":12345}}`, `{"password":"[string:3]","b":{"password":"[number:5]"}}`, nil},
		{"- {mask: {json: [$..*pass*]}, with: type}", `{"mypassword":true}`, `{"mypassword":"[boolean]"}`, nil},
		{rooted, `{"user":{"password":"s","a":1},"password":"t"}`, `{"user":{"password":"[REDACTED]","a":1},"password":"t"}`, nil},
		{rooted, `{"user":[{"password":"s"},{"password":"t"}]}`, `{"user":[{"password":"[REDACTED]"},{"password":"[REDACTED]"}]}`, nil},
		{rooted, `[{"user":{"password":"s"}}]`, `[{"user":{"password":"[REDACTED]"}}]`, nil},
		{rooted, `{"user":{"x":{"password":"s"}}}`, `{"user":{"x":{"password":"s"}}}`, nil},
		{rooted, `{"\u0075ser":{"passwor\u0064":"s"}}`, `{"\u0075ser":{"passwor\u0064":"[REDACTED]"}}`, nil},
		{rooted, `{"user":{"password":"s`, `{"user":{"password":"[REDACTED]"`, nil},
		{rooted, `{"user":{"a":x y,"password":"s"}}`, `{"user":{"a":x y,"password":"[REDACTED]"}}`, nil},
		{rooted, `{"other":{"a"x"b","password":"s"}}`, `{"other":{"a"x"b","password":"[REDACTED]"}}`, nil},
		{"- mask: {json: ['$.list[1]']}", `{"list":["a","b","c"]}`, `{"list":["a","[REDACTED]","c"]}`, nil},
		{"- mask: {json: ['$.list[*].x']}", `{"list":[{"x":1},{"x":2,"y":3}]}`, `{"list":[{"x":"[REDACTED]"},{"x":"[REDACTED]","y":3}]}`, nil},
		{"- mask: {json: ['$.a.*']}", `{"a":{"b":1,"c":[2]},"d":3}`, `{"a":{"b":"[REDACTED]","c":"[REDACTED]"},"d":3}`, nil},
		{"- mask: {json: ['$..a.b']}", `{"x":{"a":{"b":1}},"b":2}`, `{"x":{"a":{"b":"[REDACTED]"}},"b":2}`, nil},
		{`- mask: {json: ['$["a.b"]']}`, `{"a.b":1}`, `{"a.b":"[REDACTED]"}`, nil},
		{`- mask: {json: ['$[/^pa/].x']}`, `{"pan":{"x":1},"y":{"x":2}}`, `{"pan":{"x":"[REDACTED]"},"y":{"x":2}}`, nil},
		{`- mask: {json: ['$.*']}`, `{"a" 1}`, `[REDACTED]`, nil},
		{simple, `{"password":"s"}`, `[REDACTED]`, gap},
		{form, "a=1&password=s&b=2", "a=1&password=[REDACTED]&b=2", kind("application/x-www-form-urlencoded")},
		{form, "p%61ssword=s%20t&b=2", "p%61ssword=[REDACTED]&b=2", kind("")},
		{form, "user[password]=s", "user[password]=[REDACTED]", nil},
		{form, "password=s\r\nb=2\r\n", "password=[REDACTED]\nb=2\r\n", kind("text/plain")},
		{form, "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ns\r\n--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--B--\r\n",
			"--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n[REDACTED]\r\n--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--B--\r\n", kind("multipart/form-data; boundary=B")},
		{form, "--B\r\nContent-Disposition: form-data; NAME*=utf-8''pass%77ord\r\n\r\nse", "--B\r\nContent-Disposition: form-data; NAME*=utf-8''pass%77ord\r\n\r\n[REDACTED]", kind("multipart/form-data")},
		{rooted, "--B\r\nContent-Type: application/json\r\n\r\n{\"user\":{\"password\":\"s\"}}\r\n--B--", "--B\r\nContent-Type: application/json\r\n\r\n{\"user\":{\"password\":\"[REDACTED]\"}}\r\n--B--", kind("multipart/mixed; boundary=\"B\"")},
		{xml, `<a><soap:Password x="1">s<b>t</b></soap:Password></a>`, `<a><soap:Password x="1">[REDACTED]</soap:Password></a>`, kind("application/soap+xml")},
		{xml, `<?xml version="1.0"?><!-- <password>x --><a key='s' b="2"><password/><password><![CDATA[s</password>]]></password></a>`, `<?xml version="1.0"?><!-- <password>[REDACTED]--><a key='[REDACTED]' b="2"><password/><password>[REDACTED]</password></a>`, kind("text/xml")},
		{xml, `<a><b><c>s</c></b><c>t</c></a>`, `<a><b><c>[REDACTED]</c></b><c>t</c></a>`, kind("text/xml")},
		{xml, `<a><x><c>s</c></b><c>t</c></a>`, `<a><x><c>[REDACTED]</c></b><c>[REDACTED]</c></a>`, kind("text/xml")},
		{xml, `<a><password>s<password>t</password>u</password></a>`, `<a><password>[REDACTED]</password></a>`, kind("text/xml")},
		{xml, `<a><password>se`, `<a><password>[REDACTED]`, kind("text/xml")},
		{"- mask: {body: true}", "anything", "[REDACTED]", nil},
		{"- {mask: {body: true}, with: type}", "anything", "[body:8]", nil},
		{simple, "\x1f\x8b\x08\x00abc", "[REDACTED]", nil},
		{simple, "\xff\xfe{\x00\"\x00p\x00a\x00s\x00s\x00w\x00o\x00r\x00d\x00\"\x00:\x001\x00}\x00", "\ufeff{\"password\":\"[REDACTED]\"}", nil},
	} {
		m := masked(t, c.rules, func(m *message.Message) {
			m.Body = []byte(c.body)
			if c.change != nil {
				c.change(m)
			}
		})
		if d := cmp.Diff(c.want, string(m.Body)); d != "" {
			t.Errorf("%s on %s: %s", c.rules, c.body, d)
		}
		again := masked(t, c.rules, func(n *message.Message) { *n = *m })
		if string(again.Body) != string(m.Body) {
			t.Errorf("%s: twice: %s", c.body, again.Body)
		}
	}
}

func TestDetect(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_d"
	card, email := "- {detect: [card], with: type}", "- {detect: [email], with: type}"
	tokens := "- {detect: [jwt, bearer, key], with: type}"
	for _, c := range []struct{ rules, kind, body, want string }{
		{card, "text/plain", "pay 4111111111111111 now", "pay [card:16] now"},
		{card, "text/plain", "4111 1111 1111 1111", "[card:19]"},
		{card, "text/plain", "x: 4111-1111-1111-1111 12/26 123", "x: [card:19] 12/26 123"},
		{card, "text/plain", "12 4111 1111 1111 1111 12", "12 [card:19] 12"},
		{card, "text/plain", "3782 822463 10005.", "[card:17]."},
		{card, "text/plain", "378282246310005", "[card:15]"},
		{card, "text/plain", "4111111111111112", "4111111111111112"},
		{card, "text/plain", "1111111111111117", "1111111111111117"},
		{card, "text/plain", "0.4111111111111111", "0.4111111111111111"},
		{card, "text/plain", "a4111111111111111", "a4111111111111111"},
		{card, "text/plain", "4111111111111111.0, 4111111111111111.25", "[card:16].0, 4111111111111111.25"},
		{card, "application/json", `{"a":4111111111111111.0,"b":1}`, `{"a":"[card:16]","b":1}`},
		{card, "text/plain", "41111111111111110000", "41111111111111110000"},
		{card, "text/plain", "%B4111111111111111^DOE/J^25", "%B[card:16]^DOE/J^25"},
		{card, "text/plain", ";4111111111111111=2512", ";[card:16]=2512"},
		{card, "application/json", `{"a":4111111111111111,"b":"4111111111111111"}`, `{"a":"[card:16]","b":"[card:16]"}`},
		{card, "application/json", `{"a":-4111111111111111}`, `{"a":"[card:16]"}`},
		{card, "application/json", `{"a":"x: 4111111111111111, y\n4111111111111111"}`, `{"a":"x: [card:16], y\n[card:16]"}`},
		{card, "application/json", `{"a":"\u0034111111111111111"}`, `{"a":"[card:16]"}`},
		{card, "", "n=4111+1111+1111+1111&b=1", "n=[card:19]&b=1"},
		{card, "", "n=4111%201111%201111%201111&b=1", "n=[card:19]&b=1"},
		{email, "text/plain", "write to a.b+c@example.co.uk. Now", "write to [email:19]. Now"},
		{email, "text/plain", "a@b and @x.yy and a@b.c", "a@b and @x.yy and a@b.c"},
		{email, "application/json", `{"a":"\na@example.com"}`, `{"a":"\n[email:13]"}`},
		{email, "", "e=a%40example.com", "e=[email:13]"},
		{tokens, "text/plain", "x " + jwt + " y", "x [jwt:43] y"},
		{tokens, "application/json", `{"a":"bearer abcdefghijklmnop1"}`, `{"a":"bearer [bearer:17]"}`},
		{tokens, "text/plain", "key=ghp_" + strings.Repeat("a", 36) + "; AKIAABCDEFGHIJKLMNOP", "key=[key:40]; [key:20]"},
		{"- {detect: ['/AB[0-9]{4}/'], with: type}", "text/plain", "no AB1234", "no [match:6]"},
	} {
		m := masked(t, c.rules, func(m *message.Message) {
			m.Fields[1].Value = c.kind
			m.Body = []byte(c.body)
			m.Target = "/"
		})
		if d := cmp.Diff(c.want, string(m.Body)); d != "" {
			t.Errorf("%s on %s: %s", c.rules, c.body, d)
		}
		if c.kind == "application/json" {
			continue
		}
		m = masked(t, c.rules, func(m *message.Message) {
			m.Target = "/?" + strings.ReplaceAll(c.body, " ", "+")
			m.Fields[0].Value = c.body
		})
		if strings.Contains(c.want, "[") && (!strings.Contains(m.Target, "[") || !strings.Contains(m.Fields[0].Value, "[")) {
			t.Errorf("%s: target %s, header %s", c.rules, m.Target, m.Fields[0].Value)
		}
	}
	for body, want := range map[string]string{"a 411111111": "a [card:9]", "a 4111 1111 11": "a [card:12]", "a 12345678901": "a 12345678901", "a 4111": "a 4111"} {
		m := masked(t, card, func(m *message.Message) {
			m.Fields[1].Value = "text/plain"
			m.Body, m.Marks = []byte(body), message.BodyTruncated
		})
		if string(m.Body) != want {
			t.Errorf("cut %s: %s", body, m.Body)
		}
	}
}

func TestPseudonyms(t *testing.T) {
	s := parse(t, "key: {env: KEY}\nrules:\n- {mask: {headers: [x-key], query: [token], json: [password]}, with: pseudonym}\n")
	x := exchange()
	s.Apply(x)
	token := x.Request.Fields[2].Value
	if !strings.HasPrefix(token, "[pseudonym:") || strings.Contains(token, "SECRET") {
		t.Error(token)
	}
	if want := "/login?a=1&token=" + token + "&b=2"; x.Request.Target != want {
		t.Error(x.Request.Target)
	}
	if want := `{"user":{"password":"` + token + `"}}`; string(x.Request.Body) != want {
		t.Errorf("%s", x.Request.Body)
	}
	y := *x
	s.Apply(&y)
	if y.Request.Fields[2].Value != token {
		t.Error("masked twice")
	}
}

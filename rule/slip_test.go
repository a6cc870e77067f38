package rule_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/passiflow/passiflow/message"
)

// wide is s in UTF-16.
func wide(s string, big bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b.Write([]byte{byte(u >> 8), byte(u)})
		} else {
			b.Write([]byte{byte(u), byte(u >> 8)})
		}
	}
	return b.String()
}

// TestNothingSlips: what real programs write and a mask could overlook.
func TestNothingSlips(t *testing.T) {
	s := parse(t, `- mask: {headers: [x-own], query: [s], form: [s], json: [$..s], xml: [//s]}
`)
	names := strings.Repeat("名", 60)
	for _, k := range []struct{ place, kind, text, want string }{
		{"PHP's slashes, a user", "application/json", `{"a":"http:\/\/u:SECRET@h\/x","b":"\/"}`, `{"a":"http://[REDACTED]@h/x","b":"\/"}`},
		{"PHP's slashes, a parameter", "application/json", `{"a":"http:\/\/h\/?s=a\/SECRET&b=1"}`, `{"a":"http://h/?s=[REDACTED]&b=1"}`},
		{"PHP's slashes in a string of JSON", "application/json", `{"a":"{\"b\":\"http:\\\/\\\/u:SECRET@h\"}"}`, `{"a":"{\"b\":\"http://[REDACTED]@h\"}"}`},
		{"slashes in a script", "text/html", `<script>a='\/?s=a\/SECRET'</script>`, `<script>a='\/?s=[REDACTED]'</script>`},
		{"a user with escapes", "application/json", `{"a":"http:\u002F\u002fu:SECRET\u0040h"}`, `{"a":"http://[REDACTED]@h"}`},
		{"a user in a URL in a form", "application/x-www-form-urlencoded", "a=http%3A%2F%2Fu%3ASECRET%40h%2F&b=x%40y", "a=http://[REDACTED]@h/&b=x%40y"},
		{"a user in a URL in a URL in a form", "application/x-www-form-urlencoded", "a=http%253A%252F%252Fu%253ASECRET%2540h", "a=http://[REDACTED]@h"},
		{"a URL that was encoded twice", "application/x-www-form-urlencoded", "a=%252F%253Fs%253DSECRET", "a=/%253Fs%253D[REDACTED]"},
		{"names with parts", "application/x-www-form-urlencoded", "u.s=SECRET&f%3As=SECRET&p%24s=SECRET&u.s[0]=SECRET&s.u=1&us=1", "u.s=[REDACTED]&f%3As=[REDACTED]&p%24s=[REDACTED]&u.s[0]=[REDACTED]&s.u=1&us=1"},
		{"a name with a control character", "application/x-www-form-urlencoded", "a=1&\x00s%00=SECRET", "a=1&\x00s%00=[REDACTED]"},
		{"XML in a form", "application/x-www-form-urlencoded", "a=%3Cs%3ESECRET%3C%2Fs%3E", "a=%3Cs%3E[REDACTED]%3C%2Fs%3E"},
		{"GraphQL in a form", "application/x-www-form-urlencoded", "q=mutation%7Ba(s%3A%22SECRET%22)%7D", "q=mutation%7Ba%28s%3A%22[REDACTED]%22%29%7D"},
		{"JSON in an attribute", "text/html", `<a b="{&quot;s&quot;:&quot;SEC,SECRET&quot;,&quot;n&quot;:1}" c="&quot;">`, `<a b="{&quot;s&quot;:&quot;[REDACTED]&quot;,&quot;n&quot;:1}" c="&quot;">`},
		{"JSON by numbers", "text/html", `<a b="{&#34;s&#34;:&#x22;SECRET&#X22;}">`, `<a b="{&quot;s&quot;:&quot;[REDACTED]&quot;}">`},
		{"XML by numbers", "text/xml", `<a>&#60;s&#x3e;SECRET&#60;/s></a>`, `<a>&lt;s&gt;[REDACTED]&lt;/s&gt;</a>`},
		{"XML in an attribute", "text/xml", `<a b="&lt;s>SECRET"/>`, `<a b="&lt;s&gt;[REDACTED]"/>`},
		{"XML in an instruction", "text/xml", `<?x <s>SECRET</s> ?><a/>`, `<?x <s>[REDACTED]</s> ?><a/>`},
		{"references that are none", "text/xml", `<a>&#0;&#x110000;&#;&x;&lt b &amp;lt;</a>`, `<a>&#0;&#x110000;&#;&x;&lt b &amp;lt;</a>`},
		{"GraphQL's blocks", "application/graphql", `{a(s: """SE "C" RET, \""" SECRET""", b: 1)}`, `{a(s: """[REDACTED]""", b: 1)}`},
		{"GraphQL's variables", "application/json", `{"query":"query A($s: String!) { a(s: $s, b: 1) { c(s: $t) } }","variables":{"s":"SECRET"}}`, `{"query":"query A($s: String!) { a(s: $s, b: 1) { c(s: '[REDACTED]') } }","variables":{"s":"[REDACTED]"}}`},
		{"GraphQL's blocks in JSON", "application/json", `{"q":"{a(s: \"\"\"SEC\\\"\"\"RET\"\"\", b: 1)}"}`, `{"q":"{a(s: \"\"\"[REDACTED]\"\"\", b: 1)}"}`},
		{"a call in Python", "", `{'s': Str('SEC,SECRET'), 'n': 1}`, `{'s': '[REDACTED]', 'n': 1}`},
		{"a call in a script", "text/html", `<script>x={s:f("SEC)RET",g(1)),n:1}</script>`, `<script>x={s:'[REDACTED]',n:1}</script>`},
		{"a call of Mongo", "", `{"s": BinData(0,"SECRET"), "n": 1}`, `{"s": "[REDACTED]", "n": 1}`},
		{"a comment before a value", "application/json", `{"s": /* a */ "SECRET", "n":1}`, `{"s": "[REDACTED]", "n":1}`},
		{"a colon behind white space of a string", "application/json", `{"a":"{\n \"s\" \n : \"SECRET\"}"}`, `{"a":"{\n \"s\" \n : \"[REDACTED]\"}"}`},
		{"UTF-16 with few zeros", "application/json", wide("\ufeff{\""+names+`":"`+names+`","s":"SECRET"}`, false), "\ufeff{\"" + names + `":"` + names + `","s":"[REDACTED]"}`},
		{"UTF-16 by its name", "text/plain; charset=UTF-16LE", wide(names+`{"s":"SECRET"}`, false), names + `{"s":"[REDACTED]"}`},
		{"big UTF-16 by its name", "text/plain; charset=utf-16", wide(names+`{"s":"SECRET"}`, true), names + `{"s":"[REDACTED]"}`},
		{"UTF-16 in a part", "multipart/mixed; boundary=B", "--B\r\n\r\n" + wide("\ufeff"+`{"s":"SECRET"}`, false) + "\r\n--B--", "--B\r\n\r\n\ufeff" + `{"s":"[REDACTED]"}` + "\r\n--B--"},
		{"apostrophes in URLs in JSON", "application/json", `{"a":"/?s=SEC'RET&b=1","c":"http%3A%2F%2Fh%2F%3Fs%3DSEC'RET%26b%3D2"}`, `{"a":"/?s=[REDACTED]&b=1","c":"http://h/%3Fs%3D[REDACTED]%26b%3D2"}`},
		{"apostrophes in HTML", "text/html", `<a href='/?s=SECRET'>b</a>`, `<a href='/?s=[REDACTED]'>b</a>`},
		{"apostrophes in a form", "application/x-www-form-urlencoded", "a=http%3A%2F%2Fu%3ASEC'RET%40h&b=%7B%22s%22%3A%22SEC'RET%22%2C%22n%22%3A1%7D&c=%2F%3Fs%3DSEC'RET", "a=http://[REDACTED]@h&b=%7B%22s%22%3A%22[REDACTED]%22%2C%22n%22%3A1%7D&c=/%3Fs%3D[REDACTED]"},
		{"a packed part", "multipart/mixed; boundary=B", "--B\r\n\r\n\x1f\x8b\x08SECRET\r\n--B--", "--B\r\n\r\n[REDACTED]\r\n--B--"},
		{"odd spaces in an answer to TRACE", "message/http", "TRACE / HTTP/1.1\r\nX-Own:\v\v\v\v\v\v\v\vSECRET\r\nX-Own:\u00a0\u0085SECRET\u2003\r\nX-Own : SECRET\r\n\r\n",
			"TRACE / HTTP/1.1\r\nX-Own:\v\v\v\v\v\v\v\v[REDACTED]\r\nX-Own:\u00a0\u0085[REDACTED]\u2003\r\nX-Own : [REDACTED]\r\n\r\n"},
		{"a line that goes on in an answer to TRACE", "message/http", "TRACE / HTTP/1.1\r\nX-Own: a\r\n SECRET\r\n\tSECRET\r\nVia: 1\r\n b\r\nX-Own:\r\n SECRET\r\n\r\n X-Own: SECRET",
			"TRACE / HTTP/1.1\r\nX-Own: [REDACTED]\r\nVia: 1\r\n b\r\nX-Own:\r\n [REDACTED]\r\n\r\n X-Own: [REDACTED]"},
		{"an answer to TRACE", "message/http", "TRACE /?s=SECRET HTTP/1.1\r\nX-Own: SECRET\r\nAuthorization:\tBasic SECRET \r\nVia: 1\r\n\r\n", "TRACE /?s=[REDACTED] HTTP/1.1\r\nX-Own: [REDACTED]\r\nAuthorization:\t[REDACTED] \r\nVia: 1\r\n\r\n"},
		{"a message that is called something else", "text/plain", "GET / HTTP/1.0\nX-Own: SECRET\n\n", "GET / HTTP/1.0\nX-Own: [REDACTED]\n\n"},
		{"a batch", "multipart/mixed; boundary=B", "--B\r\nContent-Type: application/http\r\n\r\nGET / HTTP/1.1\r\nCookie: SECRET\r\n\r\n\r\n--B--", "--B\r\nContent-Type: application/http\r\n\r\nGET / HTTP/1.1\r\nCookie: [REDACTED]\r\n\r\n\r\n--B--"},
		{"what is none of it", "application/json", `{"a":"x\/y@z","b":"s (see \"\"\"c\"\"\")","c":"http:\/\/h\/a@b?c=1","d":"a%40b //c@d"}`, `{"a":"x\/y@z","b":"s (see \"\"\"c\"\"\")","c":"http:\/\/h\/a@b?c=1","d":"a%40b //c@d"}`},
	} {
		x := exchange()
		x.Request.Fields[1].Value, x.Request.Body = k.kind, []byte(k.text)
		if s.Apply(x); string(x.Request.Body) != k.want {
			t.Errorf("%s: %s\nwant %s", k.place, x.Request.Body, k.want)
		}
		if s.Apply(x); string(x.Request.Body) != k.want {
			t.Errorf("%s, twice: %s", k.place, x.Request.Body)
		}
	}
	for target, want := range map[string]string{
		"/a?to=http%3A%2F%2Fu%3ASECRET%40h%2F":       "/a?to=http://[REDACTED]@h/",
		"/a?to=http://u%3ASECRET%40h/":               "/a?to=http://[REDACTED]@h/",
		"/a?to=%252F%253Fs%253DSECRET":               "/a?to=/%253Fs%253D[REDACTED]",
		"/http%3A%2F%2Fh%2F%3Fs%3DSECRET":            "/http://h/%3Fs%3D[REDACTED]",
		"//u:SECRET@h/":                              "//[REDACTED]@h/",
		"http://u:SE;C,R'ET@h/":                      "http://[REDACTED]@h/",
		"/a?x=1%26s=SECRET":                          "/a?x=1%26s=[REDACTED]",
		`/a?x={"s":"SECRET"}`:                        `/a?x={"s":"[REDACTED]"}`,
		"/a?q=query%7Ba(s%3A%22SECRET%22)%7Bb%7D%7D": "/a?q=query%7Ba%28s%3A%22[REDACTED]%22%29%7Bb%7D%7D",
		"/a//b@c?d=e@f&g=h//i@j&k=l%40m":             "/a//b@c?d=e@f&g=h//i@j&k=l%40m",
	} {
		x := exchange()
		x.Request.Target = target
		if s.Apply(x); x.Request.Target != want {
			t.Errorf("%s: %s, want %s", target, x.Request.Target, want)
		}
	}
	for _, f := range [][3]string{
		{"X-Original-Uri", "/a?s=SECRET&b=1", "/a?s=[REDACTED]&b=1"}, {"x_original_url", "/a?s=SECRET", "/a?s=[REDACTED]"}, {"X-Envoy-Original-Path", "/a?s=SECRET", "/a?s=[REDACTED]"},
		{"HX-Current-URL", "http://u:SECRET@h/?s=SECRET", "http://[REDACTED]@h/?s=[REDACTED]"}, {"Referer", "http%3A%2F%2Fh%2F%3Fs%3DSECRET", "http://h/%3Fs%3D[REDACTED]"},
		{"Location", "//u:SECRET@h/", "//[REDACTED]@h/"}, {"Referer", "http://h/?to=http%3A%2F%2Fu%3ASECRET%40h", "http://h/?to=http://[REDACTED]@h"},
		{"X-Args", `{"s":"SECRET","n":1}`, `{"s":"[REDACTED]","n":1}`}, {"X-Args", `{"n":1}`, `{"n":1}`}, {"X-Other", "/a?s=1", "/a?s=1"},
	} {
		x := exchange()
		x.Request.Fields = []message.Field{{Name: f[0], Value: f[1]}}
		if s.Apply(x); x.Request.Fields[0].Value != f[2] {
			t.Errorf("%s: %s, want %s", f[0], x.Request.Fields[0].Value, f[2])
		}
	}
	for _, f := range [][2]string{{"h Authorization: Basic SECRET", "h Authorization: [REDACTED]"}, {"h x-own:SECRET x", "h x-own: [REDACTED]"}, {"h:80 at 10:30 Host: x", "h:80 at 10:30 Host: x"}, {"u:SECRET@h:80", "[REDACTED]@h:80"}} {
		x := exchange()
		x.Request.Marks, x.Request.Fields = message.FoldedHeader, []message.Field{{Name: "Host", Value: f[0]}}
		if s.Apply(x); x.Request.Fields[0].Value != f[1] {
			t.Errorf("%s: %s", f[0], x.Request.Fields[0].Value)
		}
	}
	x := exchange()
	if x.Request.Op = "4111111111111111"; s.Apply(x) && x.Request.Op != "[REDACTED]" {
		t.Error(x.Request.Op)
	}
}

// TestDefaultElements: what is masked by default in JSON is so in XML.
func TestDefaultElements(t *testing.T) {
	s := parse(t, "defaults: {except: [token]}")
	for text, want := range map[string]string{
		`<s:Envelope><w:Password Type="x">SECRET</w:Password></s:Envelope>`: `<s:Envelope><w:Password Type="x">[REDACTED]</w:Password></s:Envelope>`,
		`<?xml version="1.0"?><a client_secret='SECRET' token='1'/>`:        `<?xml version="1.0"?><a client_secret='[REDACTED]' token='1'/>`,
		"\ufeff\n<a><apiKey>SECRET</b>":                                     "\ufeff\n<a><apiKey>[REDACTED]",
		"<!DOCTYPE html><a><password>x</password>":                          "<!DOCTYPE html><a><password>x</password>",
		`{"a":"<password>x</password>"}`:                                    `{"a":"<password>x</password>"}`,
	} {
		x := exchange()
		x.Request.Fields[1].Value, x.Request.Body = "text/plain", []byte(text)
		if s.Apply(x); string(x.Request.Body) != want {
			t.Errorf("%s: %s", text, x.Request.Body)
		}
	}
}

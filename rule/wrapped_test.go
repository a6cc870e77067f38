package rule_test

import "testing"

// TestWrapped: what is asked for stands in something that stands in a body or a
// target.
func TestWrapped(t *testing.T) {
	s := parse(t, `- mask: {query: [s], form: [s], cookies: [s], json: [$..s, $.u.p], xml: [//s, /a/b/p]}
- detect: [email]
`)
	for _, k := range []struct{ place, kind, text, want string }{
		{"form that begins as JSON does", "application/x-www-form-urlencoded", "[a]=1&s=SECRET", "[a]=1&s=[REDACTED]"},
		{"JSON that is called a form", "application/x-www-form-urlencoded", `{"a":"x s=1","s":"SECRET","n":1}`, `{"a":"x s=1","s":"[REDACTED]","n":1}`},
		{"form behind lines", "", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\na=1&s=SECRET",
			"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\na=1&s=[REDACTED]"},
		{"form with a long name", "", "a23456789a123456789a123456789a123456789a123456789a123456789a123456789=1&s=SECRET",
			"a23456789a123456789a123456789a123456789a123456789a123456789a123456789=1&s=[REDACTED]"},
		{"JSON in a form", "application/x-www-form-urlencoded", "x=1&payload=%7B%22u%22%3A%7B%22p%22%3A%22SECRET%22%7D%7D&y=%22z%22", "x=1&payload=%7B%22u%22%3A%7B%22p%22%3A%22[REDACTED]%22%7D%7D&y=%22z%22"},
		{"URL in a form", "application/x-www-form-urlencoded", "to=https%3A%2F%2Fh%2F%3Fs%3DSECRET%26b%3D2&a=1", "to=https://h/%3Fs%3D[REDACTED]%26b%3D2&a=1"},
		{"URL in JSON", "application/json", `{"next":"https://h/?a=1&s=SECRET&b=2","s=1":"s=2"}`, `{"next":"https://h/?a=1&s=[REDACTED]&b=2","s=1":"s=2"}`},
		{"URL in JSON as Go writes it", "application/json", `["/?a=1\u0026s=SECRET\u0026b=2"]`, `["/?a=1\u0026s=[REDACTED]\u0026b=2"]`},
		{"URL in JSON as Java writes it", "application/json", `["/?s\u003dSECRET\u0026b\u003d2","\u003d"]`, `["/?s=[REDACTED]&b=2","\u003d"]`},
		{"URL in a URL in JSON", "application/json", `["/?to=http%3A%2F%2Fh%2F%3Fa%3D%22%5C%26s%3DSECRET","a%3Db"]`, `["/?to=http://h/%3Fa%3D%22%5C%26s%3D[REDACTED]","a%3Db"]`},
		{"user in URLs in JSON", "application/json", `{"a":"db://u:SECRET@h/x, http://h/@b","b":"://SECRET@"}`, `{"a":"db://[REDACTED]@h/x, http://h/@b","b":"://[REDACTED]@"}`},
		{"lines with URLs", "text/plain", "see http://h\nmail joe at@h\nhttp://SECRET@h", "see http://h\nmail joe at@h\nhttp://[REDACTED]@h"},
		{"URL in HTML", "text/html", `<a s=1 href="/?a=1&amp;s=SECRET">s=1</a><a href='#s=SECRET'>`, `<a s=1 href="/?a=1&amp;s=[REDACTED]">s=1</a><a href='#s=[REDACTED]'>`},
		{"event of several lines", "text/event-stream", "data: {\"s\":\ndata: \"SECRET\"}\n\n", "data: {\"s\":\ndata: \"[REDACTED]\"}\n\n"},
		{"XML in CDATA", "text/xml", "<a><![CDATA[<x><s>SECRET</s></x>]]></a>", "<a><![CDATA[<x><s>[REDACTED]</s></x>]]></a>"},
		{"broken XML in CDATA", "text/xml", "<a><![CDATA[<s>SECRET]]></a>", "<a><![CDATA[<s>[REDACTED]]]></a>"},
		{"XML in a comment", "text/xml", "<a><!-- <s>SECRET</s> --></a>", "<a><!-- <s>[REDACTED]</s> --></a>"},
		{"XML as text", "text/xml", "<a><b>&lt;s&gt;SECRET&lt;/s&gt; &amp;amp;</b></a>", "<a><b>&lt;s&gt;[REDACTED]&lt;/s&gt; &amp;amp;</b></a>"},
		{"text that is no XML", "text/xml", "<a>1 &lt; 2 &amp; &quot;3&quot;<b><p>SECRET</p></b></a>", "<a>1 &lt; 2 &amp; &quot;3&quot;<b><p>[REDACTED]</p></b></a>"},
	} {
		x := exchange()
		x.Request.Fields[1].Value, x.Request.Body = k.kind, []byte(k.text)
		if s.Apply(x); string(x.Request.Body) != k.want {
			t.Errorf("%s: %q", k.place, x.Request.Body)
		}
	}
	for text, want := range map[string]string{
		"/a?to=http%3A%2F%2Fh%2F%3Fs%3DSECRET":   "/a?to=http://h/%3Fs%3D[REDACTED]",
		"/a?q=a%3Db&to=b":                        "/a?q=a%3Db&to=b",
		"/a?v=%7B%22s%22%3A%22SECRET%22%7D&b=%2": "/a?v=%7B%22s%22%3A%22[REDACTED]%22%7D&b=%2",
		"/a?to=http://u:SECRET@h/":               "/a?to=http://[REDACTED]@h/",
	} {
		x := exchange()
		x.Request.Target = text
		if s.Apply(x); x.Request.Target != want {
			t.Errorf("%s: %s", text, x.Request.Target)
		}
	}
	s = parse(t, "defaults: {except: [set-cookie]}\nrules:\n- mask: {cookies: [s]}\n")
	for text, want := range map[string]string{
		"a=1, s=SECRET":               "a=1, s=[REDACTED]",
		"a=1; Path=/, s=SECRET; a=2":  "a=1; Path=/, s=[REDACTED]; a=2",
		"a=1, 2; Expires=Wed, 09 Jun": "a=1, 2; Expires=Wed, 09 Jun",
		"s=SECRET, x; b":              "s=[REDACTED]; b",
	} {
		x := exchange()
		x.Response.Fields[0].Name, x.Response.Fields[0].Value = "Set-Cookie", text
		if s.Apply(x); x.Response.Fields[0].Value != want {
			t.Errorf("%s: %s", text, x.Response.Fields[0].Value)
		}
	}
}

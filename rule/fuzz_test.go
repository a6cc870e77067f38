package rule_test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

// FuzzParse: whatever a file of rules holds, it is read or told what is wrong.
func FuzzParse(f *testing.F) {
	f.Add([]byte("- mask: {headers: [a, '/b/'], json: [$.a..b, '$[0]'], xml: [//a/@b]}\n  with: type\n  when: response.status > 1\n- sample: 1%\n- {detect: [card, /x/], in: body}"), []byte(`{"a":{"b":1}}`))
	f.Add([]byte("defaults: {except: [cookie]}\nkey: {env: KEY}\nrules: [{keep: 'a'}]"), []byte("a=b"))
	f.Fuzz(func(t *testing.T, text, body []byte) {
		if len(text) > 4<<10 || len(body) > 64<<10 {
			return
		}
		s, err := rule.Parse("r", text, rule.Options{})
		if err != nil {
			return
		}
		x := exchange()
		x.Request.Body, x.Response.Body = body, body
		x.Request.Target = string(body)
		before := string(body)
		s.Apply(x)
		if string(body) != before {
			t.Error("wrote into bytes")
		}
	})
}

// FuzzMaskJSON: what was JSON is JSON, and no value of a masked member remains.
func FuzzMaskJSON(f *testing.F) {
	f.Add(`{"a":{"password":"x","b":[1,{"password":{"c":null}}]},"note":"4111111111111111 a@b.example"}`)
	f.Add(`[{"pass\u0077ord":-1.5e3,"\\":"{\"password\":\"x\"}"}]`)
	f.Add(":")
	simple := parse(f, "defaults: false\nrules: [mask: {json: [$..password]}]")
	rooted := parse(f, "defaults: false\nrules: [mask: {json: [$.a.password, $..password]}]")
	strict := parse(f, "defaults: false\nrules: [mask: {json: [$.a.password, '$.b[0]', '$..password.*']}]")
	f.Add(`{"a":"http:\/\/u:x@h\/?password=x","b":"<a b=\"{&quot;password&quot;:&quot;x&quot;}\">","c":"{password: \"\"\"x\"\"\"}","d":"?e=%7B%22password%22%3A%22x%22%7D%40","f":"\u003cpassword\u003ex \u0026quot;"}`)
	detect := parse(f, "rules: [detect: [card, email, jwt, bearer, key]]")
	every := parse(f, "- mask: {query: [password], form: [password], json: [$..password, $.a.b], xml: [//password, //@b]}\n- detect: [email, key]")
	f.Fuzz(func(t *testing.T, body string) {
		valid := json.Valid([]byte(body)) && utf8.ValidString(body)
		for i, s := range []*rule.Set{simple, rooted, strict, detect, every} {
			m := &message.Message{Body: []byte(body), Fields: []message.Field{{Name: "Content-Type", Value: "application/json"}}}
			s.Apply(&message.Exchange{Request: m})
			if valid && !json.Valid(m.Body) {
				t.Errorf("%d: %s\nis no JSON any more: %s", i, body, m.Body)
			}
			var v any
			if valid && i < 2 && json.Unmarshal(m.Body, &v) == nil {
				if left := passwords(v); left != "" {
					t.Errorf("%d: %s\nin %s\nof %s", i, left, m.Body, body)
				}
			}
			once := string(m.Body)
			s.Apply(&message.Exchange{Request: m})
			if string(m.Body) != once && valid {
				t.Errorf("%d: twice: %s\nonce: %s", i, m.Body, once)
			}
		}
	})
}

// passwords returns a value of a member of that name that is not masked.
func passwords(v any) string {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if strings.ToLower(k) == "password" && len(k) == len("password") && e != rule.Redacted && e != nil && e != "" {
				b, _ := json.Marshal(e)
				return string(b)
			}
			if s := passwords(e); s != "" {
				return s
			}
		}
	case []any:
		for _, e := range v {
			if s := passwords(e); s != "" {
				return s
			}
		}
	}
	return ""
}

// FuzzMaskXML: what an element holds is gone from what was XML, which remains so.
func FuzzMaskXML(f *testing.F) {
	f.Add(`<a><password>x</password><b c="d"/></a>`)
	f.Add(`<?xml version="1.0"?><!-- <password> --><a:b xmlns:a="u"><a:password><![CDATA[x]]></a:password></a:b>`)
	s := parse(f, "defaults: false\nrules: [mask: {xml: [//password]}]")
	f.Fuzz(func(t *testing.T, body string) {
		was, ok := xmlPasswords(body)
		m := &message.Message{Body: []byte(body), Fields: []message.Field{{Name: "Content-Type", Value: "text/xml"}}}
		s.Apply(&message.Exchange{Request: m})
		if !ok || !strings.HasPrefix(strings.TrimSpace(body), "<") {
			return
		}
		now, ok := xmlPasswords(string(m.Body))
		if !ok {
			t.Errorf("%s\nis no XML any more: %s", body, m.Body)
		}
		for _, v := range now {
			if v != "" && v != rule.Redacted {
				t.Errorf("%q of %q remains in %s\nof %s", v, was, m.Body, body)
			}
		}
	})
}

// xmlPasswords returns what elements of that name hold; ok is false if s is no
// XML.
func xmlPasswords(s string) (all []string, ok bool) {
	d := xml.NewDecoder(strings.NewReader(s))
	depth, inside := 0, 0
	var b strings.Builder
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return all, depth == 0
		}
		if err != nil {
			return nil, false
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			depth++
			if inside == 0 && tok.Name.Local == "password" {
				inside = depth
				b.Reset()
			}
		case xml.EndElement:
			if depth == inside {
				all = append(all, strings.TrimSpace(b.String()))
				inside = 0
			}
			depth--
		case xml.CharData:
			if inside > 0 {
				b.Write(tok)
			}
		}
	}
}

// FuzzMaskPairs: no parameter of a masked name keeps its value.
func FuzzMaskPairs(f *testing.F) {
	f.Add("/a?x=1&password=x&b=2", "application/x-www-form-urlencoded")
	f.Add("--B\r\nContent-Disposition: form-data; name=password\r\n\r\nx\r\n--B--", "multipart/form-data; boundary=B")
	s := parse(f, "defaults: false\nrules: [{mask: {query: [password], form: [password], cookies: [password]}}, detect: [card, email, jwt, bearer, key]]")
	f.Fuzz(func(t *testing.T, text, kind string) {
		m := &message.Message{Op: "GET", Target: text, Body: []byte(text), Fields: []message.Field{{Name: "Content-Type", Value: kind}, {Name: "Cookie", Value: text}, {Name: "Referer", Value: text}}}
		s.Apply(&message.Exchange{Request: m})
		_, query, _ := strings.Cut(m.Target, "?")
		for _, p := range strings.Split(query, "&") {
			if v, ok := strings.CutPrefix(p, "password="); ok && v != "" && v != rule.Redacted && !strings.HasPrefix(v, "[") {
				t.Errorf("%q in %q of %q", v, m.Target, text)
			}
		}
	})
}

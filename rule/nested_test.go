package rule_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// TestNested: a secret in what stands in what stands in a body, in all
// combinations of what programs put into each other.
func TestNested(t *testing.T) {
	s := parse(t, `- mask: {query: [password], form: [password], json: [$..password], xml: [//password]}
`)
	plain := func(v string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`).Replace(v) + `"`
	}
	escaped := func(v string) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	entities := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace
	inner := map[string]string{
		"json": `{"a":1,"password":"SECRET","b":"c"}`, "form": "a=1&password=SECRET&b=2", "url": "https://h.example/x?a=1&password=SECRET&b=2",
		"user": "https://u:SECRET@h.example/x", "xml": "<a><password>SECRET</password></a>", "graphql": `mutation { a(b: 1, password: "SECRET") { c } }`,
		"card": "4111111111111111",
	}
	type outer struct {
		kind string
		put  func(string) string
	}
	around := map[string]outer{
		"json":  {"application/json", func(v string) string { return `{"x":1,"w":` + plain(v) + `,"y":2}` }},
		"go":    {"application/json", func(v string) string { return `{"x":1,"w":` + escaped(v) + `,"y":2}` }},
		"php":   {"application/json", func(v string) string { return `{"x":1,"w":` + strings.ReplaceAll(plain(v), "/", `\/`) + `,"y":2}` }},
		"array": {"application/json", func(v string) string { return `[1,` + plain(v) + `]` }},
		"form":  {"application/x-www-form-urlencoded", func(v string) string { return "x=1&w=" + url.QueryEscape(v) + "&y=2" }},
		"url":   {"text/plain", func(v string) string { return "https://g.example/?x=1&w=" + url.QueryEscape(v) + "&y=2" }},
		"html":  {"text/html", func(v string) string { return `<html><a b="` + entities(v) + `">z</a></html>` }},
		"xml":   {"text/xml", func(v string) string { return `<?xml version="1.0"?><r><w>` + entities(v) + `</w></r>` }},
		"cdata": {"text/xml", func(v string) string { return `<r><![CDATA[` + v + `]]></r>` }},
		"event": {"text/event-stream", func(v string) string { return "event: a\ndata: " + v + "\n\n" }},
		"text":  {"text/plain", func(v string) string { return "see " + v + " there" }},
		"part": {"multipart/form-data; boundary=B", func(v string) string {
			return "--B\r\nContent-Disposition: form-data; name=w\r\n\r\n" + v + "\r\n--B--\r\n"
		}},
		"script":  {"text/javascript", func(v string) string { return "cb(" + v + ");" }},
		"nothing": {"", func(v string) string { return v }},
	}
	tried := 0
	for in, secret := range inner {
		for second, b := range around {
			for first, a := range around {
				text := a.put(b.put(secret))
				x := exchange()
				x.Request.Fields[1].Value, x.Request.Body = a.kind, []byte(text)
				s.Apply(x)
				got := string(x.Request.Body)
				if strings.Contains(got, "SECRET") || strings.Contains(got, inner["card"]) {
					t.Errorf("%s in %s in %s: %s", in, second, first, got)
				}
				if a.kind == "application/json" && !json.Valid(x.Request.Body) {
					t.Errorf("%s in %s in %s is no JSON any more: %s", in, second, first, got)
				}
				tried++
			}
		}
	}
	if tried < 1000 {
		t.Errorf("%d tried", tried)
	}
}

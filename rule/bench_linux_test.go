package rule_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

// traffic are messages such as an interface for programs sends: ten fields and
// about 2 kB of JSON each.
func traffic() []*message.Exchange {
	r := rand.New(rand.NewPCG(1, 1))
	names := []string{"id", "name", "status", "amount", "currency", "createdAt", "tags", "price", "note", "customerId"}
	words := []string{`"alpha"`, `"plain text value"`, `"tab\t"`, `"naïve"`, `"2024-03-01T12:00:00Z"`, `"path/to"`, `"quote\"d"`}
	body := func() []byte {
		var b strings.Builder
		b.WriteString(`{"items":[`)
		for n := 200 + r.IntN(3800); b.Len() < n; {
			if b.Len() > 12 {
				b.WriteByte(',')
			}
			b.WriteByte('{')
			for i := range 2 + r.IntN(5) {
				if i > 0 {
					b.WriteByte(',')
				}
				v := words[r.IntN(len(words))]
				switch r.IntN(4) {
				case 0:
					v = fmt.Sprint(r.IntN(1_000_000_000))
				case 1:
					v = fmt.Sprintf("%.2f", r.Float64()*10_000)
				}
				fmt.Fprintf(&b, "%q:%s", names[r.IntN(len(names))], v)
			}
			b.WriteByte('}')
		}
		b.WriteString(`],"p":"abcdefgh"}`)
		return []byte(b.String())
	}
	var all []*message.Exchange
	for i := range 256 {
		x := exchange()
		x.Request.Target = fmt.Sprintf("/v1/orders/%d", r.IntN(1e7))
		x.Request.Fields = []message.Field{{Name: "Host", Value: "orders.internal.example:8080"}, {Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"},
			{Name: "Accept", Value: "application/json"}, {Name: "Accept-Encoding", Value: "identity"}, {Name: "Authorization", Value: "Bearer abcdefghijklmnopqrst"},
			{Name: "Traceparent", Value: "00-d277e79fad3e9892d45fdd937c35bb46-d1ebd0bea466855c-01"}, {Name: "X-Request-Id", Value: fmt.Sprintf("%032x", i)},
			{Name: "Content-Type", Value: "application/json"}, {Name: "Content-Length", Value: "2442"}}
		x.Response.Fields = []message.Field{{Name: "Server", Value: "nginx/1.25.4"}, {Name: "Date", Value: "Tue, 14 Nov 2023 22:13:20 GMT"}, {Name: "Content-Type", Value: "application/json; charset=utf-8"},
			{Name: "Vary", Value: "Origin"}, {Name: "Cache-Control", Value: "no-store, max-age=0"}, {Name: "X-Request-Id", Value: fmt.Sprintf("%032x", i)}, {Name: "Content-Length", Value: "2442"}}
		x.Request.Body, x.Response.Body = body(), body()
		all = append(all, x)
	}
	return all
}

// BenchmarkApply counts one operation for each message.
func BenchmarkApply(b *testing.B) {
	for _, c := range []struct{ name, rules string }{
		{"credentials", ""},
		{"default", "[]"},
		{"masks", "defaults: false\nrules: [mask: {headers: [authorization, cookie, x-request-id, set-cookie, x-api-key], json: [$.items.customerId, $..amount, $.p], query: [token, session]}]"},
		{"masks of nothing", "defaults: false\nrules: [mask: {headers: [a, cookie, x-request, set-cookie, x-api-key], json: [$.user.password, $..secret, $..card], query: [token, session]}]"},
		{"names", "defaults: false\nrules: [mask: {json: [$..customerId, $..amount, $..p]}]"},
		{"detectors", "defaults: false\nrules: [detect: [card, email, jwt, bearer, key]]"},
		{"card", "defaults: false\nrules: [detect: [card]]"},
		{"tokens", "defaults: false\nrules: [detect: [bearer, key]]"},
		{"email", "defaults: false\nrules: [detect: [email]]"},
		{"condition", "defaults: false\nrules: [drop: 'request.method == \"GET\" and response.status == 404']"},
	} {
		b.Run(c.name, func(b *testing.B) {
			all := traffic()
			bytes := 0
			for _, x := range all {
				bytes += len(x.Request.Body) + len(x.Response.Body)
			}
			var r rule.Rule = rule.NewSecrets(rule.SecretHeaders())
			if c.rules != "" {
				r = parse(b, c.rules)
			}
			b.SetBytes(int64(bytes / len(all) / 2))
			b.ReportAllocs()
			defer cpu(b)()
			for i := 0; i < b.N; i += 2 {
				x := *all[i/2%len(all)]
				p, q := *x.Request, *x.Response
				x.Request, x.Response = &p, &q
				p.Fields, q.Fields = append([]message.Field(nil), p.Fields...), append([]message.Field(nil), q.Fields...)
				r.Apply(&x)
			}
		})
	}
}

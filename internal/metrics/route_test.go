package metrics

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRoute(t *testing.T) {
	for target, want := range map[string]string{
		"/":                  "/",
		"*":                  "*",
		"":                   "",
		"/users/17/cart?x=1": "/users/{id}/cart",
		"/v1/orders/5f0c9a7e-1b2c-4d5e-8f90-a1b2c3d4e5f6": "/v1/orders/{id}",
		"http://host/a/99":                   "/a/{id}",
		"http://host":                        "/",
		"/static/app.js":                     "/static/app.js",
		"/static/main.3f2a9c1d.js":           "/static/{id}",
		"/blob/da39a3ee5e6b4b0d32":           "/blob/{id}",
		"/u/a@b.example/mail":                "/u/{id}/mail",
		"/api/v2/feed":                       "/api/v2/feed",
		"/apis/apps/v1beta1/deployments":     "/apis/apps/v1beta1/deployments",
		"/api/v1.2.3/x":                      "/api/v1.2.3/x",
		"/a/b/c/d/e/f/g/h/i/j":               "/a/b/c/d/e/f/g/…",
		"/\xff":                              "/{id}",
		"/[REDACTED]/x":                      "/{id}/x",
		"/reset;token=a/b":                   "/reset",
		"/getUserAccountBalance":             "/getUserAccountBalance",
		"/grpc.health.v1.Health/Check":       "/grpc.health.v1.Health/Check",
		"/users:batchGet":                    "/users:batchGet",
		"/users:AKIAIOSFODNN7EXAMPLE":        "/{id}",
		"/oauth2/token":                      "/oauth2/token",
		"/.well-known/openid-configuration/": "/.well-known/openid-configuration/",
		"/reports/2024-01-05":                "/reports/{id}",
		"/orders/order-17":                   "/orders/{id}",
		"/search/caf%C3%A9":                  "/search/{id}",
		"/forgot_password":                   "/forgot_password",
		"/internationalization":              "/internationalization",
		"/webhooks/stripe":                   "/webhooks/stripe",
		"/a//b/":                             "/a//b/",
		"host.example:443":                   "{id}",
		"/how-to-cook-rice-in-ten-minutes":   "/{id}",
		"/x/" + strings.Repeat("a", 300):     "/x/…",
		"/" + strings.Repeat("ab/", 200):     "/ab/ab/ab/ab/ab/ab/ab/…",
	} {
		if got := Route(target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

func TestHost(t *testing.T) {
	for host, want := range map[string]string{
		"Shop.Example":                                 "shop.example",
		"shop.example:8080":                            "shop.example:8080",
		"10.0.0.1:80":                                  "10.0.0.1:80",
		"10.0.0.1":                                     "10.0.0.1",
		"[2001:db8::1]:8080":                           "[2001:db8::1]:8080",
		"[2001:db8::1]":                                "[2001:db8::1]",
		"ip-10-0-0-1.ec2.internal":                     "ip-10-0-0-1.ec2.internal",
		"web-01a.example":                              "web-01a.example",
		"payments.default.svc.cluster.local":           "payments.default.svc.cluster.local",
		"payments-7d9f8c6b5d-x2x9z.example":            "{id}.example",
		"k7qm2xzp.hooks.example":                       "{id}.hooks.example",
		"5f0c9a7e-1b2c-4d5e-8f90-a1b2c3d4e5f6.example": "{id}.example",
		"user:pass@shop.example":                       "",
		"shop.example:pass":                            "",
		"a b":                                          "",
		"":                                             "",
		"\xff":                                         "",
		strings.Repeat("a.", 101):                      "",
	} {
		if got := hostOf(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

// secret returns one of the forms that secrets and identifiers have in paths.
func secret(r *rand.Rand) (kind, text string) {
	of := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	raw := make([]byte, 12+r.IntN(24))
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	switch r.IntN(14) {
	case 0:
		return "hex", hex.EncodeToString(raw)
	case 1:
		return "uuid", fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[2:8])
	case 2:
		return "base64", base64.RawURLEncoding.EncodeToString(raw)
	case 3:
		return "base64 padded", base64.StdEncoding.EncodeToString(raw[:10])
	case 4:
		return "letters and digits", of(lower+upper+digits, 10+r.IntN(30))
	case 5:
		return "small letters and digits", of(lower+digits, 10+r.IntN(30))
	case 6:
		return "small letters", of(lower, 18+r.IntN(20))
	case 7:
		return "letters", of(lower+upper, 16+r.IntN(20))
	case 8:
		return "capitals", of(upper, 18+r.IntN(10))
	case 9:
		return "base32", of(upper+"234567", 16+r.IntN(16))
	case 10:
		return "groups of letters", of(lower, 4) + "-" + of(lower, 4) + "-" + of(lower, 4) + "-" + of(lower, 4)
	case 11:
		return "a key", []string{"ghp_", "sk_live_", "xoxb-", "AKIA", "glpat-"}[r.IntN(5)] + of(lower+upper+digits, 20)
	case 12:
		return "an address", of(lower, 8) + []string{"@", "%40"}[r.IntN(2)] + "mail.example"
	}
	return "digits", of(digits, 1+r.IntN(20))
}

// TestRouteHides plants secrets in paths and hosts: no six bytes of them in a row
// are told. Letters alone can look like a word by chance, and may in one of some
// hundred.
func TestRouteHides(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all, told := map[string]int{}, map[string]int{}
	for range 60_000 {
		kind, s := secret(r)
		all[kind]++
		route := Route("/users/" + s + "/cart")
		for at := 0; at+6 <= len(s); at++ {
			if strings.Contains(route, s[at:at+6]) {
				told[kind]++
				break
			}
		}
		if host := hostOf(s + ".example"); len(s) >= hostBytes && host != "" && strings.Contains(host, strings.ToLower(s)) && strings.ContainsAny(s, "0123456789") {
			t.Errorf("host %s", host)
		}
	}
	for kind, n := range told {
		few := 300
		if kind == "base64 padded" { // its slashes leave pieces too short to tell anything by
			few = 30
		}
		if n*few > all[kind] {
			t.Errorf("%s: %d of %d are told", kind, n, all[kind])
		}
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("/users/17?x")
	f.Add("http://h/a;b/c")
	f.Add("/v1.2-a_B:c/" + strings.Repeat("x/", 99))
	f.Fuzz(func(t *testing.T, target string) {
		route := Route(target)
		if len(route) > maxLabel+16*maxParts || !utf8.ValidString(route) || strings.Count(route, "/") > maxParts+1 {
			t.Errorf("%q: %q", target, route)
		}
		if host := hostOf(target); len(host) > 2*maxLabel || !utf8.ValidString(host) {
			t.Errorf("%q: %q", target, host)
		}
	})
}

package otlp

import (
	"strings"
	"testing"
)

// TestForwarded reads what proxies say of the client, as the conventions want it
// for spans of a server.
func TestForwarded(t *testing.T) {
	const peer = "10.0.0.1 40000"
	for name, c := range map[string]struct {
		headers                []string
		client, server, scheme string
	}{
		"none":                  {nil, peer, "shop.example 8080", "http"},
		"one":                   {[]string{"X-Forwarded-For", "203.0.113.7"}, "203.0.113.7 ", "shop.example 8080", "http"},
		"leftmost":              {[]string{"x-forwarded-for", " 203.0.113.7 ,10.1.1.1, 10.2.2.2"}, "203.0.113.7 ", "shop.example 8080", "http"},
		"leftmost of two lines": {[]string{"X-Forwarded-For", "203.0.113.7", "X-Forwarded-For", "198.51.100.1"}, "203.0.113.7 ", "shop.example 8080", "http"},
		"with port":             {[]string{"X-Forwarded-For", "203.0.113.7:5123, 10.1.1.1"}, "203.0.113.7 5123", "shop.example 8080", "http"},
		"IPv6":                  {[]string{"X-Forwarded-For", "2001:db8::17"}, "2001:db8::17 ", "shop.example 8080", "http"},
		"IPv6 in brackets":      {[]string{"X-Forwarded-For", "[2001:db8::17]:99"}, "2001:db8::17 99", "shop.example 8080", "http"},
		"a zone is left out":    {[]string{"X-Forwarded-For", "fe80::1%eth0"}, "fe80::1 ", "shop.example 8080", "http"},
		"no address":            {[]string{"X-Forwarded-For", "unknown, 10.1.1.1"}, peer, "shop.example 8080", "http"},
		"masked":                {[]string{"X-Forwarded-For", "[REDACTED]"}, peer, "shop.example 8080", "http"},
		"empty":                 {[]string{"X-Forwarded-For", "", "Forwarded", ""}, peer, "shop.example 8080", "http"},
		"a script":              {[]string{"X-Forwarded-For", "<script>", "X-Forwarded-Host", "<script>", "X-Forwarded-Proto", "javascript"}, peer, "shop.example 8080", "http"},

		"Forwarded":             {[]string{"Forwarded", `for=192.0.2.60;proto=https;by=203.0.113.43`}, "192.0.2.60 ", "shop.example 8080", "https"},
		"Forwarded leftmost":    {[]string{"Forwarded", `for=192.0.2.43, for=198.51.100.17;proto=https;host=inner.example`}, "192.0.2.43 ", "shop.example 8080", "http"},
		"Forwarded quoted":      {[]string{"Forwarded", `For="[2001:db8:cafe::17]:4711" ; Host="shop.example.org:8443"; PROTO=https`}, "2001:db8:cafe::17 4711", "shop.example.org 8443", "https"},
		"Forwarded before X":    {[]string{"X-Forwarded-For", "203.0.113.7", "Forwarded", "for=192.0.2.60"}, "192.0.2.60 ", "shop.example 8080", "http"},
		"Forwarded hidden":      {[]string{"X-Forwarded-For", "203.0.113.7", "Forwarded", "for=_gazonk"}, "203.0.113.7 ", "shop.example 8080", "http"},
		"Forwarded unknown":     {[]string{"Forwarded", "for=unknown;host=a.example"}, peer, "a.example 80", "http"},
		"Forwarded not closed":  {[]string{"Forwarded", `for="192.0.2.60;host=a.example`}, peer, "shop.example 8080", "http"},
		"Forwarded odd":         {[]string{"Forwarded", `;;=;for;for=192.0.2.60;,for=192.0.2.61`}, "192.0.2.60 ", "shop.example 8080", "http"},
		"Forwarded with commas": {[]string{"Forwarded", `by="a,b";for=192.0.2.60`}, "192.0.2.60 ", "shop.example 8080", "http"},

		"host":                {[]string{"X-Forwarded-Host", "www.example, inner", "X-Forwarded-Proto", "HTTPS"}, peer, "www.example 443", "https"},
		"host and port":       {[]string{"X-Forwarded-Host", "www.example", "X-Forwarded-Port", "8443", "X-Forwarded-Proto", "https,http"}, peer, "www.example 8443", "https"},
		"port alone":          {[]string{"X-Forwarded-Port", "8443"}, peer, "shop.example 8080", "http"},
		"port in the host":    {[]string{"X-Forwarded-Host", "www.example:81", "X-Forwarded-Port", "8443"}, peer, "www.example 81", "http"},
		"a password":          {[]string{"X-Forwarded-Host", "user:pass@www.example"}, peer, "www.example 80", "http"},
		"IPv6 host":           {[]string{"X-Forwarded-Host", "[2001:db8::1]:81"}, peer, "2001:db8::1 81", "http"},
		"a host without end":  {[]string{"X-Forwarded-Host", strings.Repeat("a", 256)}, peer, "shop.example 8080", "http"},
		"a port out of range": {[]string{"X-Forwarded-Host", "www.example", "X-Forwarded-Port", "65536"}, peer, "www.example 80", "http"},
	} {
		t.Run(name, func(t *testing.T) {
			x := sample()
			x.Request.Fields = append(x.Request.Fields, fields(c.headers...)...)
			_, got := read(t, DefaultConfig(), x)
			if client := got["client.address"] + " " + got["client.port"]; client != c.client {
				t.Errorf("client %q, want %q", client, c.client)
			}
			if server := got["server.address"] + " " + got["server.port"]; server != c.server {
				t.Errorf("server %q, want %q", server, c.server)
			}
			if got["url.scheme"] != c.scheme {
				t.Errorf("scheme %q", got["url.scheme"])
			}
			if got["network.peer.address"]+" "+got["network.peer.port"] != peer {
				t.Errorf("the peer is %v", got)
			}
			// The client's span is about whom it asked, whatever it says of itself.
			_, got = read(t, Config{Client: true}, x)
			if got["server.address"] != "shop.example" || got["url.scheme"] != "http" || !strings.HasPrefix(got["url.full"], "http://shop.example:8080/") || got["client.address"] != "" {
				t.Errorf("the client's: %v", got)
			}
		})
	}
}

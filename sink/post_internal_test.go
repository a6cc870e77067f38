package sink

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestQuietProxy(t *testing.T) {
	const password = "s3cr3t-planted"
	good := &url.URL{Scheme: "http", Host: "proxy:3128"}
	if u, err := quiet(func(*http.Request) (*url.URL, error) { return good, nil })(nil); u != good || err != nil {
		t.Error(u, err)
	}
	bad := fmt.Errorf("invalid proxy address %q", "http://user:"+password+"@%zz")
	if _, err := quiet(func(*http.Request) (*url.URL, error) { return nil, bad })(nil); err == nil || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "HTTP_PROXY") {
		t.Error(err)
	}
}

func TestOrigin(t *testing.T) {
	for _, same := range [][2]string{{"http://h", "http://H:80/x"}, {"https://h.example:443", "https://H.Example/y?z"}, {"http://[::1]", "http://[::1]:80"}} {
		a, _ := url.Parse(same[0])
		b, _ := url.Parse(same[1])
		if origin(a) != origin(b) {
			t.Errorf("%s and %s: %s, %s", a, b, origin(a), origin(b))
		}
	}
	for _, other := range [][2]string{{"http://h", "https://h"}, {"http://h", "http://h:443"}, {"https://h", "https://h:80"}, {"http://h", "http://i"}, {"http://h", "http://h."}} {
		a, _ := url.Parse(other[0])
		b, _ := url.Parse(other[1])
		if origin(a) == origin(b) {
			t.Errorf("%s and %s: %s", a, b, origin(a))
		}
	}
}

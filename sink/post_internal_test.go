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

package builtin_test

import (
	"strings"
	"testing"

	"github.com/passiflow/passiflow/builtin"
)

func TestLoggingRules(t *testing.T) {
	for in, want := range map[string]string{
		"": "", " include debug ": "include debug", `include default\nallow_http_url\nskip_compression`: "include default\nallow_http_url\nskip_compression",
		"include debug\n/a\\nb/ remove\n": "include debug\n/a\\nb/ remove", `/a\\nb/ remove`: `/a\nb/ remove`, `a\r\nb`: "a\nb", `"include debug"`: "include debug",
		`'include debug\nsample 5'`: "include debug\nsample 5", `"`: `"`, `/\d+\.x/ remove`: `/\d+\.x/ remove`,
	} {
		if got := builtin.LoggingRules(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// What the variables say holds where no setting says anything, and a fault in
// them is told under their name.
func TestResurfaceSettings(t *testing.T) {
	k, ok := builtin.Sink("resurface")
	if !ok {
		t.Fatal("there is no such sink")
	}
	for _, c := range []struct {
		url, rules, unit string
		environ          map[string]string
		fault            string
	}{
		{"https://a/", "", "exchange", nil, ""},
		{"http://a/", "", "exchange", nil, "allow_http_url"},
		{"http://a/", "", "exchange", map[string]string{"USAGE_LOGGERS_RULES": `include debug`}, ""},
		{"http://a/", "include strict", "exchange", map[string]string{"USAGE_LOGGERS_RULES": `include debug`}, "allow_http_url"},
		{"", "include debug", "exchange", map[string]string{"USAGE_LOGGERS_URL": "http://a/"}, ""},
		{"", "", "exchange", nil, "none given"},
		{"https://a/", "", "exchange", map[string]string{"USAGE_LOGGERS_RULES": `include debug\n  foo`}, "USAGE_LOGGERS_RULES:2:3: invalid rule"},
		{"https://a/", "foo", "exchange", nil, "logging_rules:1:1: invalid rule"},
		{"https://a/", "", "flow", nil, "unit flow"},
	} {
		s := k.New()
		for _, o := range s.Options {
			switch o.Name {
			case "url":
				*o.To.(*string) = c.url
			case "logging_rules":
				*o.To.(*string) = c.rules
			}
		}
		err := s.Check(builtin.SinkOptions{Getenv: func(name string) string { return c.environ[name] }, Unit: c.unit})
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

package rule_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/rule"
)

func column(path string) (string, bool) {
	if path == "request.body" {
		return "", false
	}
	return strings.ReplaceAll(path, ".", "_"), true
}

func TestSQL(t *testing.T) {
	for _, c := range []struct {
		text, where string
		args        []any
	}{
		{`response.status >= 500`, `COALESCE(response_status, 0) >= ?`, []any{int64(500)}},
		{`request.method == "GET" and not (response.status in [200, 204])`, `(COALESCE(request_method, '') = ?) AND (NOT (COALESCE(response_status, 0) IN (?, ?)))`, []any{"GET", int64(200), int64(204)}},
		{`response.status in 500..599 || integrity.complete`, `(COALESCE(response_status, 0) BETWEEN ? AND ?) OR (COALESCE(integrity_complete, FALSE))`, []any{int64(500), int64(599)}},
		{`request.target startsWith "/ä" or request.target endsWith "z"`, `(instr(COALESCE(request_target, ''), ?) = 1) OR (instr(COALESCE(request_target, '') || ?, ?) > 0)`, []any{"/ä", "\U0010ffff", "z\U0010ffff"}},
		{`request.headers["Host"] contains "x'; DROP"`, `instr(COALESCE(request_headers.host, ''), ?) > 0`, []any{"x'; DROP"}},
		{`integrity.complete == false`, `(COALESCE(integrity_complete, FALSE)) = (1 = 0)`, nil},
		{`duration_ns > -1.5`, `COALESCE(duration_ns, 0) > ?`, []any{-1.5}},
		{`cidr(client.ip, "10.0.0.0/8")`, `(COALESCE(client_ip_key, '') BETWEEN ? AND ?)`, []any{"00000000000000000000ffff0a000000", "00000000000000000000ffff0affffff"}},
	} {
		where, args, err := rule.SQL(c.text, column)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		want := strings.ReplaceAll(c.where, "headers.", "headers_")
		if d := cmp.Diff(want, where) + cmp.Diff(c.args, args); d != "" {
			t.Errorf("%s: %s", c.text, d)
		}
	}
	for text, want := range map[string]string{
		`request.target matches "^/a"`:     "1:16: matches cannot be translated",
		`len(request.target) > 3`:          "1:1: the function len cannot be translated",
		`request.body == ""`:               "1:9: request.body is no column here",
		`"x" in request.headers`:           "1:16: in can be translated with a list or a range of constants only",
		"true and\nrequest.metod == 1":     "2:9: has no field metod; did you mean method?",
		`request.target startsWith source`: "1:27: only a constant text can stand behind startsWith",
		`response.status + 1 == 2`:         "1:17: + cannot be translated",
		`cidr(client.ip, source)`:          "1:17: a network must be a constant",
		"true and\ncidr(source, \"x\")":    `2:14: "x" is no network; write 10.0.0.0/8`,
		`cidr(source, "10.0.0.0/33")`:      `1:14: "10.0.0.0/33" is no network; write 10.0.0.0/8`,
	} {
		if _, _, err := rule.SQL(text, column); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if rule.AddressKey(netip.MustParseAddr("::1")) >= rule.AddressKey(netip.MustParseAddr("10.0.0.1")) {
		t.Error("order of keys")
	}
}

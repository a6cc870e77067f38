package resurface

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

var _ rule.Rule = (*encoder)(nil)

// Each kind of rule over one exchange.
func TestRules(t *testing.T) {
	request := lines("POST /p?email=a@b.com&x=1&X=2 HTTP/1.1", "Host: h", "Ab: 1", "Cookie: SID=abc; theme=\"dark\"; SID=def; =x", "Content-Length: 11") + `{"pw":"abc"}`[:11]
	hello := lines("HTTP/1.1 200 OK", "Content-Length: 11", "Set-Cookie: k=v") + "hello\nworld"
	const dropped = "dropped"
	for _, c := range []struct {
		rules string
		has   string // a pair that is there, as JSON; or dropped
		not   string // text that is not
	}{
		{"/request_body/ remove", `["response_body","hello\nworld"]`, "request_body"},
		{"!request_(body|url)! remove # why", `["request_method","POST"]`, "request_body"},
		{"/request_body|response_body/ remove", `["request_method","POST"]`, "_body"},
		{"/request_param:x/remove", `["request_param:email","a@b.com"]`, "request_param:x"},
		{"/request_param/ remove", `["request_param:x","1"]`, ""}, // the key is longer
		{"/REQUEST_BODY/ remove", `["request_body",`, ""},
		{"/(?i)REQUEST_BODY/ remove", `["request_method","POST"]`, "request_body"},
		{"/response_body/ remove_if /.*world.*/", `["response_body","hello\nworld"]`, ""},
		{"/response_body/ remove_if /(?s).*world.*/", `["request_method","POST"]`, "response_body"},
		{"/response_body/ remove_if /hello/", `["response_body","hello\nworld"]`, ""},
		{"/response_body/ remove_if_found /wor/", `["request_method","POST"]`, "response_body"},
		{"/response_body/ remove_unless /hello/", `["request_method","POST"]`, "response_body"},
		{"/response_body/ remove_unless_found /hello/", `["response_body","hello\nworld"]`, ""},
		{"/response_body/ remove_unless_found /no/", `["request_method","POST"]`, "response_body"},
		{"/.*_body/ replace /[a-z]+/, /x/", `["response_body","x\nx"]`, "hello"},
		{`/response_body/ replace /hello/, /a\$1\\b$/`, `["response_body","a$1\\b$\nworld"]`, ""},
		{`/response_body/ replace /(?P<a>h)(?<b>e)/, /${b}${1}$0/`, `["response_body","ehhello\nworld"]`, ""},
		{`/response_body/ replace /(h)/, /$12/`, `["response_body","h2ello\nworld"]`, ""},
		{`/response_body/ replace /x*/, /-/`, `["response_body","-h-e-l-l-o-\n-w-o-r-l-d-"]`, ""},
		{`/response_body/ replace /(?!z)x*/, /-/`, `["response_body","-h-e-l-l-o-\n-w-o-r-l-d-"]`, ""},
		{`/response_body/ replace /l(?=l)/, /-/`, `["response_body","he-lo\nworld"]`, ""},
		{`/response_body/ replace /(?<=w)(o)/, /[$1]/`, `["response_body","hello\nw[o]rld"]`, ""},
		{"/response_body/ replace /o/, /0/\n/response_body/ replace /0/, /1/", `["response_body","hell1\nw1rld"]`, ""}, // in the order of the text
		{"/response_body/ replace /.|\\n/, //\n/request_body/ stop_if //", "", ""},
		{"/response_body/ replace /hello/, //\n/response_body/ remove_unless_found /hello/", `["response_body","\nworld"]`, ""}, // removing comes first
		{"/response_header:set-cookie/ stop", dropped, ""},
		{"/response_header:set-cooki/ stop", `["response_body",`, ""},
		{"/response_code/ stop_if /200|304/", dropped, ""},
		{"/response_code/ stop_if /20|30/", `["response_code","200"]`, ""},
		{"/response_code/ stop_unless /2\\d\\d/", `["response_code","200"]`, ""},
		{"/response_code/ stop_unless /4../", dropped, ""},
		{"/response_body/ stop_unless_found /wor/", `["response_code","200"]`, ""},
		{"/response_body/ stop_unless_found /wor/\n/request_body/ stop_unless_found /pw/", `["response_code","200"]`, ""},
		{"/response_body/ stop_unless_found /wor/\n/request_body/ stop_unless_found /zz/", dropped, ""},
		{"/.*/ remove", dropped, ""},
		{"/.*/ replace /(?s).*/, //", dropped, ""},
		{"copy_session_field /sid/", `["session_field:sid","def"]`, "session_field:theme"},
		{"copy_session_field !the.*!\n/request_header:cookie/ remove", `["session_field:theme","dark"]`, "request_header:cookie"},
		{"copy_session_field /.*/\n/session_field:.*/ remove_if /abc/", `["session_field:sid","def"]`, `,"abc"]`},
		{"skip_compression # and\n\n \t# nothing\r\nskip_submission\r\nallow_http_url", `["request_param:x","2"]`, ""},
		{" include strict \nallow_http_url", `["response_header:content-length","11"]`, "set-cookie"},
		{"include strict", `["request_url","http://h/p"]`, "ab"},
		{"include standard", `["request_param:email","x@y.com"]`, "ookie"},
		{"include debug", `["session_field:theme","dark"]`, ""},
		{"include debug\ninclude strict", `["session_field:theme","dark"]`, "cookie"},
		{"", `["request_url","http://h/p"]`, "_body"},
		{" \n\t", `["request_url","http://h/p"]`, "_body"},
	} {
		if strings.Contains(c.rules, "stop_if //") {
			if _, err := New(Config{Rules: c.rules}); err == nil {
				t.Errorf("%s: no error", c.rules)
			}
			continue
		}
		line := string(open(t, c.rules).Append(nil, exchange(t, request, hello)))
		if c.has == dropped {
			if line != "" {
				t.Errorf("%s: got %s", c.rules, line)
			}
			continue
		}
		if !strings.Contains(line, c.has) || c.not != "" && strings.Contains(line, c.not) {
			t.Errorf("%s\nwant %s\nnot  %s\ngot  %s", c.rules, c.has, c.not, line)
		}
		read(t, line)
	}
}

// Faults, with line and column.
func TestFaults(t *testing.T) {
	for rules, want := range map[string]string{
		"\n\n  foo":                          "r:3:3: invalid rule:   foo",
		"allow_http_url whaa":                "r:1:1: invalid rule: allow_http_url whaa",
		"allow_http_urls":                    "r:1:1: invalid rule: allow_http_urls",
		"include  debug":                     "r:1:1: invalid rule: include  debug",
		"include debug # all":                "r:1:1: invalid rule: include debug # all",
		"include nothing":                    "r:1:1: invalid rule: include nothing",
		"sample":                             "r:1:7: invalid rule: sample",
		"sample x":                           "r:1:8: invalid rule: sample x",
		"sample 10.5":                        "r:1:8: invalid rule: sample 10.5",
		"sample 0":                           "r:1:8: invalid sample percent: 0",
		"sample 100":                         "r:1:8: invalid sample percent: 100",
		"sample 99999999999999999999":        "r:1:8: invalid sample percent: 99999999999999999999",
		"sample 5\nsample 6":                 "r:2:1: multiple sample rules",
		"copy_session_field":                 "r:1:19: invalid rule: copy_session_field",
		"copy_session_field x":               "r:1:20: invalid rule: copy_session_field x",
		"copy_session_field //":              "r:1:20: invalid rule: copy_session_field //",
		"copy_session_field /a/b/":           "r:1:22: unescaped separator (/) in rule: copy_session_field /a/b/",
		"copy_session_field /(/":             "r:1:20: invalid regex (/(/) in rule: copy_session_field /(/: error parsing regexp: missing closing ): `(`",
		"/a/":                                "r:1:1: invalid rule: /a/",
		"//":                                 "r:1:1: invalid rule: //",
		"/a| remove":                         "r:1:1: invalid rule: /a| remove",
		"/a/ bozo":                           "r:1:1: invalid rule: /a/ bozo",
		"/a/ remove 1":                       "r:1:1: invalid rule: /a/ remove 1",
		"/a/ remove /b/":                     "r:1:1: invalid rule: /a/ remove /b/",
		"// remove":                          "r:1:1: invalid rule: // remove",
		"  /a/b/ remove":                     "r:1:5: unescaped separator (/) in rule:   /a/b/ remove",
		"/a/ remove_if /b/c/":                "r:1:17: unescaped separator (/) in rule: /a/ remove_if /b/c/",
		"/a/ remove_if":                      "r:1:1: invalid rule: /a/ remove_if",
		"/a/ remove_if/b/":                   "r:1:1: invalid rule: /a/ remove_if/b/",
		"/a/ remove_if /b/, /c":              "r:1:1: invalid rule: /a/ remove_if /b/, /c",
		"/*/ remove":                         "r:1:1: invalid regex (/*/) in rule: /*/ remove",
		"/+/ remove":                         "r:1:1: invalid regex (/+/) in rule: /+/ remove",
		"/a/ remove_if /?/":                  "r:1:15: invalid regex (/?/) in rule: /a/ remove_if /?/",
		"/a/ remove_if_found /*/":            "r:1:21: invalid regex (/*/) in rule: /a/ remove_if_found /*/",
		"/a/ remove_if /a)(b/":               "r:1:15: invalid regex (/a)(b/) in rule: /a/ remove_if /a)(b/",
		"/é/ replace /(/, /x/":               "r:1:13: invalid regex (/(/) in rule: /é/ replace /(/, /x/",
		"/a/ replace /l/,/L/":                "r:1:1: invalid rule: /a/ replace /l/,/L/",
		"/a/ replace /l/":                    "r:1:1: invalid rule: /a/ replace /l/",
		"/a/ replace /l/, L":                 "r:1:1: invalid rule: /a/ replace /l/, L",
		"/a/ replace /l/, /$1/":              "r:1:18: invalid replacement (/$1/) in rule: /a/ replace /l/, /$1/: no group 1 in the pattern",
		"/a/ replace /l/, /${x}/":            `r:1:18: invalid replacement (/${x}/) in rule: /a/ replace /l/, /${x}/: no group "x" in the pattern`,
		"/a/ replace /l/, !\\!":              "r:1:18: invalid replacement (!\\!) in rule: /a/ replace /l/, !\\!: a backslash at the end of the replacement",
		"file:///nowhere/at/all":             "failed to load rules: /nowhere/at/all: no such file or directory",
		"include debug\nfile:///nowhere":     "r:2:1: invalid rule: file:///nowhere",
		"# " + strings.Repeat("x", maxRules): "is longer than",
		"/a/ stop_if /" + strings.Repeat("(", 2000) + "/": "invalid regex",
	} {
		_, err := New(Config{Rules: rules, Name: "r"})
		if err == nil || !strings.HasPrefix(err.Error(), "resurface rules: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q:\ngot  %v\nwant %s", rules, err, want)
		}
	}
}

// A line in which a delimiter may end an expression or belong to it.
func TestDelimiters(t *testing.T) {
	for line, want := range map[string]string{
		`/\\/ remove`:                     `\\`,
		`/a\/b/ remove`:                   `a/b`,
		`/a\/ remove/ remove`:             `a/ remove`,
		`/a/ remove # not /b/ remove`:     `a`,
		`|a\|b\|c|remove`:                 `a|b|c`,
		`~a~ remove`:                      `a`,
		`!a! remove`:                      `a`,
		`%a%	remove`:                      `a`,
		`/a\/ remove # b/ remove`:         `a/ remove # b`,
		`/a b/ remove`:                    `a b`,
		`/remove/ remove`:                 `remove`,
		`/x/ replace /\\/, /\//`:          `x`,
		`/x/ replace /a, \/b/, /, \/c/#d`: `x`,
	} {
		r, err := parse("r", line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := r.scopes[0].pattern.linear.String(); got != `\A(?:`+want+`)\z` {
			t.Errorf("%s: got %s", line, got)
		}
	}
}

func TestRulesFromFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "rules.txt")
	write := func(s string) {
		if err := os.WriteFile(name, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("\ufeffinclude debug\r\nsample 56\r\n")
	for _, text := range []string{"file://" + name, "  file://" + name + " \n"} {
		if e := open(t, text); e.Rules() != 3 || !e.AllowHTTP() || e.rules.percent != 56 {
			t.Errorf("%+v", e.rules)
		}
	}
	write("include debug\n\n  bad")
	if _, err := New(Config{Rules: "file://" + name, Name: "r"}); err == nil || !strings.Contains(err.Error(), name+":3:3: invalid rule") {
		t.Error(err)
	}
	write(" \n")
	if e := open(t, "file://"+name); e.Rules() != 2 || e.AllowHTTP() {
		t.Errorf("an empty file is not the default: %+v", e.rules)
	}
}

// What the rules say about sending.
func TestSubmission(t *testing.T) {
	e := open(t, "include debug\nskip_compression")
	if !e.AllowHTTP() || !e.SkipCompression() || e.SkipSubmission() || e.Rules() != 3 {
		t.Error("wrong")
	}
	e = open(t, "# include debug\nskip_submission")
	if e.AllowHTTP() || e.SkipCompression() || !e.SkipSubmission() || e.Rules() != 1 {
		t.Error("wrong")
	}
}

// About as many are kept as asked for, and always the same.
func TestSample(t *testing.T) {
	x := exchange(t, lines("GET / HTTP/1.1", "Host: h"), lines("HTTP/1.1 204 No Content"))
	kept := map[bool]int{}
	var first []bool
	for round := range 2 {
		e := open(t, "sample 30")
		for i := range 10000 {
			x.Flow.ID, x.Request.Index = uint64(i/10), uint32(i%10)
			ok := len(e.Append(nil, x)) > 0
			if round == 0 {
				first = append(first, ok)
				kept[ok]++
			} else if first[i] != ok {
				t.Fatal("another run keeps others")
			}
		}
		if got := e.Dropped()["sampled_out"]; got != uint64(kept[false]) {
			t.Errorf("counted %d", got)
		}
	}
	if kept[true] < 2800 || kept[true] > 3200 {
		t.Errorf("kept %d of 10000", kept[true])
	}
}

// A pattern that takes for ever must not let through what it would have hidden.
func TestSlowPattern(t *testing.T) {
	evil := strings.Repeat("a", 40) + "!"
	x := exchange(t, lines("GET /?a="+evil+" HTTP/1.1", "Host: h"), lines("HTTP/1.1 204 No Content"))
	for _, rules := range []string{
		"/request_param:a/ replace /^(?=a)(a+)+$/, /x/", "/request_param:a/ remove_if /(?=a)(a+)+/",
		"/request_param:a/ remove_unless_found /^(?=a)(a+)+$/", "/request_param:a/ stop_if /(?=a)(a+)+/", "/request_param:a/ stop_unless /(?=a)(a+)+/",
	} {
		e := open(t, rules)
		began := time.Now()
		if line := e.Append(nil, x); len(line) > 0 || e.Dropped()["rule_timeout"] != 1 {
			t.Errorf("%s: %s %v", rules, line, e.Dropped())
		}
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("took %v", d)
		}
	}
	x = exchange(t, lines("GET /?"+evil+"=1 HTTP/1.1", "Host: h"), lines("HTTP/1.1 204 No Content"))
	if e := open(t, "/request_param:(?=a)(a+)+/ remove"); len(e.Append(nil, x)) > 0 || e.Dropped()["rule_timeout"] != 1 {
		t.Error(e.Dropped())
	}
}

// Nor does it take as long again for each value, or name, of a record: the time is
// that of the record.
func TestManySlowValues(t *testing.T) {
	evil := strings.Repeat("a", 40) + "!"
	var values, names strings.Builder
	for i := range 200 {
		fmt.Fprintf(&values, "&a%d=%s", i, evil)
		fmt.Fprintf(&names, "&%s%d=1", evil, i)
	}
	good := exchange(t, lines("GET /?a=b HTTP/1.1", "Host: h"), lines("HTTP/1.1 204 No Content"))
	for rules, target := range map[string]string{
		"/request_param:.*/ remove_if /(?=a)(a+)+/":         values.String(),
		"/request_param:.*/ replace /^(?=a)(a+)+$/, /x/":    values.String(),
		"/request_param:.*/ stop_unless /(?=a)(a+)+/":       values.String(),
		"/request_param:(?=a)(a+)+x/ remove":                names.String(),
		"/.*/ remove_unless_found /^((?=a)(a+)+|(?!a).*)$/": values.String(),
	} {
		x := exchange(t, lines("GET /?"+target[1:]+" HTTP/1.1", "Host: h"), lines("HTTP/1.1 204 No Content"))
		e := open(t, rules)
		began := time.Now()
		if line := e.Append(nil, x); len(line) > 0 || e.Dropped()["rule_timeout"] != 1 {
			t.Errorf("%s: %s %v", rules, line, e.Dropped())
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%s: took %v", rules, d)
		}
		if e.Append(nil, good); e.Dropped()["rule_timeout"] != 1 {
			t.Errorf("%s: the next record has no time left", rules)
		}
	}
}

// What is dropped before any rule, and by which name it is counted.
func TestDropped(t *testing.T) {
	x := exchange(t, lines("GET / HTTP/1.1", "Host: h"), lines("HTTP/1.1 204 No Content"))
	e := open(t, "/request_header:bad/ stop")
	for want, change := range map[string]func(*message.Exchange){
		"unpaired": func(x *message.Exchange) { x.Response = nil },
		"not_http": func(x *message.Exchange) { x.Protocol = "iso8583" },
		"stopped": func(x *message.Exchange) {
			m := *x.Request
			m.Fields = append(m.Fields, message.Field{Name: "Bad"})
			x.Request = &m
		},
	} {
		y := *x
		change(&y)
		before := e.Dropped()[want]
		if dst := e.Append([]byte("x"), &y); string(dst) != "x" {
			t.Errorf("%s: %s", want, dst)
		}
		if e.Apply(&y) || e.Dropped()[want] != before+2 {
			t.Errorf("%s: %v", want, e.Dropped())
		}
	}
	y := *x
	y.Request = nil
	if e.Apply(&y) {
		t.Error("an answer alone is kept")
	}
}

// A rule leaves in the record nothing but what is to be sent, and the id.
func TestApplyLeavesNothing(t *testing.T) {
	x := exchange(t, lines("POST /s?t=s3cret HTTP/1.1", "Host: h", "Authorization: s3cret", "Content-Length: 6")+"s3cret", lines("HTTP/1.1 200 OK", "Set-Cookie: s3cret", "Content-Length: 6")+"s3cret")
	x.Interim = []*message.Message{{Reason: "s3cret"}}
	x.Request.Index = 7
	e := open(t, "")
	if !e.Apply(x) || x.Request.Index != 7 || x.Request.Start == 0 {
		t.Fatalf("%+v", x)
	}
	if s := fmt.Sprintf("%s %+v %+v", x.Request.Body, x.Request, x); strings.Contains(s, "s3cret") || x.Response != nil || x.Interim != nil {
		t.Error(s)
	}
}

func TestClientHeader(t *testing.T) {
	f, err := New(Config{Rules: "include debug", ClientHeader: "X-Real-IP"})
	if err != nil {
		t.Fatal(err)
	}
	line := string(f.Append(nil, exchange(t, lines("GET / HTTP/1.1", "Host: h", "x-real-ip: 6.6.6.6"), lines("HTTP/1.1 204 No Content"))))
	if !strings.Contains(line, `["request_header:x-real-ip","10.0.0.1"]`) || strings.Contains(line, "6.6.6.6") {
		t.Error(line)
	}
}

func TestLocate(t *testing.T) {
	for target, want := range map[string]string{
		"/a%20b?c=d":       "http://h/a b",
		"/a%zz?c=d":        "http://h/a%zz",
		"*":                "http://h",
		"http://o/a%20?b":  "http://o/a%20?b",
		"/x?u=http://o/":   "http://h/x",
		"/x/http://o/?q=1": "http://h/x/http://o/",
		"":                 "http://h",
	} {
		m := &message.Message{Op: "GET", Target: target, Fields: []message.Field{{Name: "host", Value: "h"}}}
		if got, _ := locate(m, &message.Exchange{Request: m}); got != want {
			t.Errorf("%s: got %s", target, got)
		}
	}
	x := exchange(t, "GET /old HTTP/1.0\r\n\r\n", lines("HTTP/1.0 200 OK"))
	if got, _ := locate(x.Request, x); got != "http://10.0.0.2:8080/old" {
		t.Error(got)
	}
	m := &message.Message{Op: "CONNECT", Target: "a:443"}
	if got, _ := locate(m, x); got != "http://a:443" {
		t.Error(got)
	}
}

// Several workers have one format.
func TestManyGoroutines(t *testing.T) {
	e := open(t, "include standard\n/response_body/ replace /(?=w)w/, /W/\ncopy_session_field /.*/")
	var all sync.WaitGroup
	lines := make([]string, 8)
	for i := range lines {
		all.Go(func() {
			for range 200 {
				x := apiExchange(t)
				if !e.Apply(x) {
					t.Error("dropped")
				}
				lines[i] = string(e.Append(nil, x))
			}
		})
	}
	all.Wait()
	for _, l := range lines {
		if l != lines[0] || l == "" {
			t.Errorf("%q and %q", l, lines[0])
		}
	}
}

package diff_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/sink/shadow/diff"
)

// answer returns an answer with fields given as "Name: value".
func answer(status, body string, fields ...string) *message.Message {
	m := &message.Message{Status: status, Body: []byte(body), Size: int64(len(body)), WireSize: int64(len(body))}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		m.Fields = append(m.Fields, message.Field{Name: name, Value: value})
	}
	return m
}

func marked(marks message.Mark, m *message.Message) *message.Message {
	m.Marks |= marks
	return m
}

const jsonType = "Content-Type: application/json"

func TestCompare(t *testing.T) {
	type want = []diff.Difference
	for name, x := range map[string]struct {
		config   func(*diff.Config)
		was, is  *message.Message
		want     want
		unread   string
		moreThan int
	}{
		"nothing": {was: answer("200", "a", "A: 1", "Date: x"), is: answer("200", "a", "a: 1", "date: y")},
		"status":  {was: answer("200", ""), is: answer("500", ""), want: want{{diff.Status, "", "200", "500"}}},
		"headers": {
			was:  answer("200", "", "A: 1", "B: x", "C: 1", "C: 2", "X-Request-Id: 1"),
			is:   answer("200", "", "b: y", "c: 1", "c: 3", "D: n"),
			want: want{{diff.Header, "a", "1", "(absent)"}, {diff.Header, "b", "x", "y"}, {diff.Header, "c", "1, 2", "1, 3"}, {diff.Header, "d", "(absent)", "n"}},
		},
		"an empty header": {was: answer("200", "", "A: "), is: answer("200", ""), want: want{{diff.Header, "a", "", "(absent)"}}},
		"ignored and more": {
			config: func(c *diff.Config) { c.Ignore = append(c.Ignore, "b") },
			was:    answer("200", "", "Date: 1", "B: 1"), is: answer("200", "", "Date: 2", "B: 2"),
		},
		"only these": {
			config: func(c *diff.Config) { c.Headers = []string{"DATE"} },
			was:    answer("200", "", "Date: 1", "B: 1"), is: answer("200", "", "Date: 2", "B: 2"),
			want: want{{diff.Header, "date", "1", "2"}},
		},
		"masked header": {was: answer("200", "", "Set-Cookie: [REDACTED]"), is: answer("200", "", "Set-Cookie: a")},
		"masked header, gone": {was: answer("200", "", "Set-Cookie: [REDACTED]"), is: answer("200", ""),
			want: want{{diff.Header, "set-cookie", "[REDACTED]", "(absent)"}}},
		"JSON in another order": {was: answer("200", `{"a":1,"b":[1.0,{"c":null}]}`, jsonType), is: answer("200", "{\n \"b\": [1, {\"c\":null}], \"a\":1e0}", jsonType)},
		"JSON": {
			was: answer("200", `{"a":1,"gone":{"x":1},"list":[1,2,3],"deep":{"er":[{"v":"x"}]},"type":1,"n":12345678901234567890}`, jsonType),
			is:  answer("200", `{"a":2,"new":true,"list":[1,5],"deep":{"er":[{"v":"y"}]},"type":"1","n":12345678901234567891}`, jsonType),
			want: want{
				{diff.Body, "$.a", "1", "2"}, {diff.Body, "$.deep.er[0].v", `"x"`, `"y"`}, {diff.Body, "$.gone", `{"x":1}`, "(absent)"}, {diff.Body, "$.list[1]", "2", "5"},
				{diff.Body, "$.list", "3 items", "2 items"}, {diff.Body, "$.n", "12345678901234567890", "12345678901234567891"}, {diff.Body, "$.new", "(absent)", "true"}, {diff.Body, "$.type", "1", `"1"`},
			},
		},
		"JSON paths": {
			config: func(c *diff.Config) {
				c.Paths = []string{"$.a", "$.list[*].t", "$..when", "b.c", "$['o d d'][0]", "$..[1].q"}
			},
			was:  answer("200", `{"a":1,"list":[{"t":1,"u":1},{"t":2,"q":2}],"x":{"y":{"when":1}},"b":{"c":1},"o d d":[1]}`),
			is:   answer("200", `{"list":[{"t":3,"u":2},{"t":4,"q":3}],"x":{"y":{"when":2}},"when":5,"b":{"c":2},"o d d":[2]}`),
			want: want{{diff.Body, "$.list[0].u", "1", "2"}},
		},
		"JSON, masked": {was: answer("200", `{"k":"[REDACTED]","l":1}`, jsonType), is: answer("200", `{"k":"x","l":1}`, jsonType)},
		"not JSON at all": {was: answer("200", "{a", jsonType), is: answer("200", "{b", jsonType),
			want: want{{diff.Body, "line 1", "{a", "{b"}}},
		"text":       {was: answer("200", "one\ntwo\nthree"), is: answer("200", "one\nTWO\nthree"), want: want{{diff.Body, "line 2", "two", "TWO"}}},
		"text, less": {was: answer("200", "one\ntwo\n"), is: answer("200", "one\ntwo"), want: want{{diff.Body, "line 2", "two", "two"}}},
		"long lines": {was: answer("200", strings.Repeat("a", 1000)+"b"), is: answer("200", strings.Repeat("a", 1000)+"c"),
			want: want{{diff.Body, "line 1", "…" + strings.Repeat("a", 50) + "b", "…" + strings.Repeat("a", 50) + "c"}}},
		"text, masked": {was: answer("200", "token=[REDACTED]"), is: answer("200", "token=1"), unread: "recorded body masked"},
		"binary":       {was: answer("200", "\xff\x00abc"), is: answer("200", "\xff\x00ac"), want: want{{diff.Body, "byte 3", "5 bytes", "4 bytes"}}},
		"no bodies":    {config: func(c *diff.Config) { c.NoBody = true }, was: answer("200", "a"), is: answer("200", "b")},
		"recorded in part": {was: marked(message.Gapped, answer("200", "a")), is: answer("201", "b"),
			want: want{{diff.Status, "", "200", "201"}}, unread: "recorded answer incomplete"},
		"cut":            {was: marked(message.BodyTruncated, answer("200", "a")), is: answer("200", "ab"), unread: "recorded body truncated"},
		"without body":   {was: &message.Message{Status: "200", Size: 10}, is: answer("200", "abc"), unread: "recorded body truncated"},
		"over the limit": {was: answer("200", "a"), is: marked(message.BodyTruncated, answer("200", "b")), unread: "body over the limit"},
		"not decoded":    {was: answer("200", "a"), is: marked(message.BadEncoding, answer("200", "b")), unread: "body not decoded"},
		"no start":       {was: marked(message.StartMissing, answer("200", "a")), is: answer("500", "b"), unread: "recorded answer incomplete"},
		"thousands":      {was: answer("200", "["+strings.Repeat("1,", 5000)+"1]"), is: answer("200", "["+strings.Repeat("2,", 5000)+"2]"), moreThan: 5000},
	} {
		t.Run(name, func(t *testing.T) {
			c := diff.DefaultConfig()
			if x.config != nil {
				x.config(&c)
			}
			d, err := diff.New(c)
			if err != nil {
				t.Fatal(err)
			}
			v := d.Compare(x.was, x.is)
			if x.moreThan > 0 {
				if v.Count <= x.moreThan || len(v.Differences) != 20 {
					t.Errorf("%d of %d", len(v.Differences), v.Count)
				}
				return
			}
			if d := cmp.Diff(x.want, v.Differences); d != "" {
				t.Error(d)
			}
			if v.Unread != x.unread || v.Count != len(x.want) {
				t.Errorf("%q, %d", v.Unread, v.Count)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	for _, bad := range []string{"", "$", "$.", "$..", "$.a.", "$.a[", "$.a[x]", "$.a..", "$.a[0]b", "a...b"} {
		c := diff.DefaultConfig()
		c.Paths = []string{bad}
		if _, err := diff.New(c); err == nil {
			t.Errorf("path %q", bad)
		}
	}
}

// What rules hide in a record is hidden in a report, wherever a difference is.
func TestNoSecretInReports(t *testing.T) {
	c := diff.DefaultConfig()
	c.Rules = rule.Default()
	d, err := diff.New(c)
	if err != nil {
		t.Fatal(err)
	}
	const was, is, card = "pl4nted-was", "pl4nted-is", "4111111111111111"
	body := func(secret string) []*message.Message {
		return []*message.Message{
			answer("200", `{"user":{"password":"`+secret+`","n":1},"card":"`+card+`"}`, jsonType),
			answer("200", `{"list":[{"access_token":"`+secret+`"}]}`, jsonType),
			answer("200", `{"deep":{"er":{"secret":{"a":["`+secret+`"]}}}}`, jsonType),
			answer("200", `"`+card+`"`, jsonType),
			answer("200", "a=1&client_secret="+secret+"&b="+strings.Repeat("x", 300), "Content-Type: application/x-www-form-urlencoded"),
			answer("200", "line\ncard "+card+" of "+strings.Repeat("y", 300), "Content-Type: text/plain"),
			answer("200", "", "Set-Cookie: s="+secret, "X-Api-Key: "+secret, "Location: https://u:"+secret+"@host/?api_key="+secret),
		}
	}
	olds, news := body(was), body(is)
	tally := diff.NewTally(d, 100)
	for i := range olds {
		for _, pair := range [][2]*message.Message{{olds[i], news[i]}, {olds[i], answer("500", "{}", jsonType)}, {answer("200", "{}", jsonType), news[i]}, {olds[i], answer("200", "[1]")}, {olds[i], answer("200", "other\n\n")}} {
			target := "/a?password=" + was + "&x=" + card
			tally.Take(&diff.Outcome{Method: "GET", Target: target, Sent: "/b?password=" + is, Recorded: pair[0], Replayed: pair[1]})
		}
	}
	r := tally.Report()
	if r.Different < 30 || len(r.Examples) < 30 {
		t.Fatalf("%+v", r)
	}
	for _, name := range []string{"a.json", "a.html", "a.txt"} {
		var b strings.Builder
		if err := r.Write(&b, name); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{was, is, card} {
			if i := strings.Index(b.String(), secret); i >= 0 {
				t.Errorf("%s shows %s: %s", name, secret, b.String()[max(i-100, 0):i+50])
			}
		}
		if !strings.Contains(b.String(), "REDACTED") {
			t.Errorf("%s hides nothing", name)
		}
	}
}

func TestRoute(t *testing.T) {
	for in, want := range map[string]string{
		"/": "GET /", "/a/7/b?x=1": "GET /a/{id}/b", "/u/5f0c7ab2-1111-4222-8333-444455556666": "GET /u/{id}", "/deadbeef01": "GET /{id}", "/facade": "GET /facade",
		"http://host:80/a/1": "GET /a/{id}", "http://host": "GET /", "/v2/a": "GET /v2/a", "/" + strings.Repeat("x/", 50): "GET /" + strings.Repeat("x/", 11) + "…",
	} {
		if got := diff.Route("GET", in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Comparing with itself finds nothing, and nothing hostile stops it.
func FuzzCompare(f *testing.F) {
	f.Add("200", "A: 1", `{"a":[1,{"b":2}]}`, "201", "B: 2", `{"a":[1]}`, "$..b")
	f.Add("", "", "[[[[", "", "", "\xff", "$[0][*]")
	f.Fuzz(func(t *testing.T, s1, h1, b1, s2, h2, b2, path string) {
		c := diff.DefaultConfig()
		c.Paths = []string{path}
		d, err := diff.New(c)
		if err != nil {
			return
		}
		was, is := answer(s1, b1, h1), answer(s2, b2, h2)
		if v := d.Compare(was, was); v.Count != 0 {
			t.Fatalf("differs from itself: %+v", v)
		}
		a, b := d.Compare(was, is), d.Compare(is, was)
		if a.Count != b.Count && !rule.Masked(b1+b2+h1+h2) {
			t.Fatalf("%+v\n%+v", a, b)
		}
	})
}

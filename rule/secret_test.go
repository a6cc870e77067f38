package rule_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

func TestSecretsMasksEachDefaultInAnyCase(t *testing.T) {
	s := rule.NewSecrets(rule.SecretHeaders())
	for _, name := range rule.SecretHeaders() {
		for _, n := range []string{name, strings.ToUpper(name), strings.ToLower(name), strings.ReplaceAll(name, "-", "_"), name + " ", "\t" + name} {
			m := &message.Message{Marks: message.BadHeader, Fields: []message.Field{{Name: "Host", Value: "h"}, {Name: n, Value: "secret", Detail: &message.Detail{Children: []message.Field{{Value: "secret"}}}}}}
			s.Mask(m)
			want := []message.Field{{Name: "Host", Value: "h"}, {Name: n, Value: rule.Redacted}}
			if d := cmp.Diff(want, m.Fields); d != "" {
				t.Errorf("%q: %s", n, d)
			}
		}
	}
}

func TestSecretsInBrokenLines(t *testing.T) {
	s := rule.NewSecrets(rule.SecretHeaders())
	m := &message.Message{Marks: message.BadHeader, Fields: []message.Field{
		{Name: "Authorization\x00", Value: "secret"}, {Name: "Auth\x01orization", Value: "secret"}, {Name: "Authorization Basic secret"},
		{Name: "\x0bCookie;a=secret", Value: "secret"}, {Name: "Host\x00", Value: "h"}, {Name: "\x00\xff", Value: "x"}, {Name: "just words"},
		{Name: "Cookie=secret"}, {Name: "Location http://h/"},
	}}
	s.Mask(m)
	want := []message.Field{
		{Name: "Authorization\x00", Value: rule.Redacted}, {Name: "Auth\x01orization", Value: rule.Redacted}, {Name: "Authorization", Value: rule.Redacted},
		{Name: "Cookie", Value: rule.Redacted}, {Name: "Host\x00", Value: "h"}, {Name: "\x00\xff", Value: "x"}, {Name: "just words"},
		{Name: "Cookie", Value: rule.Redacted}, {Name: "Location http://h/"},
	}
	if d := cmp.Diff(want, m.Fields); d != "" {
		t.Error(d)
	}
}

func TestSecretHeadersAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/reference/record.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rule.SecretHeaders() {
		if !strings.Contains(string(text), "`"+strings.ToLower(name)+"`") {
			t.Errorf("record.md does not name %s", name)
		}
	}
}

func TestDefaultNamesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/reference/record.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(rule.SecretParameters(), rule.SecretMembers()...) {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("record.md does not name %s", name)
		}
	}
}

// TestDocumentedRules reads the examples in the documents.
func TestDocumentedRules(t *testing.T) {
	for _, name := range []string{"../docs/reference/rules.md", "../docs/guides/privacy.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(text), "```yaml\n")[1:]
		if len(blocks) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, b := range blocks {
			b, _, _ = strings.Cut(b, "```")
			if _, err := rule.Parse(name, []byte(b), rule.Options{}); err != nil {
				t.Errorf("%v\n%s", err, b)
			}
		}
	}
}

func TestSecretsLeavesTheRest(t *testing.T) {
	s := rule.NewSecrets(rule.SecretHeaders())
	m := &message.Message{Op: "GET", Target: "/login?user=a@b", Body: []byte("password"), Fields: []message.Field{
		{Name: "", Value: "a"}, {Name: " ", Value: "a"}, {Name: "Authorizatiom", Value: "a"}, {Name: "X-Authorizations", Value: "a"},
		{Name: "Cookie", Value: ""}, {Name: "Content-Type", Value: "text/plain"}, {Name: "From", Value: "a@b"}, {Name: "Referer", Value: "http://h/?q=a@b"},
	}}
	want := *m
	want.Fields = append([]message.Field(nil), m.Fields...)
	s.Mask(m)
	if d := cmp.Diff(&want, m); d != "" {
		t.Error(d)
	}
}

func TestSecretsUserinfo(t *testing.T) {
	s := rule.NewSecrets(nil)
	for _, c := range []struct{ op, target, want string }{
		{"GET", "http://u:p@h/a", "http://[REDACTED]@h/a"},
		{"GET", "http://u:p@ss@h:80?x=@", "http://[REDACTED]@h:80?x=@"},
		{"GET", "http://h/a@b", "http://h/a@b"},
		{"GET", "*", "*"},
		{"GET", "", ""},
		{"CONNECT", "u:p@h:443", "[REDACTED]@h:443"},
		{"CONNECT", "h:443", "h:443"},
		{"GET", "://@", "://[REDACTED]@"},
	} {
		m := &message.Message{Op: c.op, Target: c.target, Fields: []message.Field{{Name: "Authorization", Value: "x"}, {Name: "location", Value: c.target}}}
		s.Mask(m)
		if m.Target != c.want {
			t.Errorf("%s %s: %s", c.op, c.target, m.Target)
		}
		if m.Fields[0].Value != "x" {
			t.Error("a name that was not asked for")
		}
		if c.op == "GET" && m.Fields[1].Value != c.want {
			t.Errorf("location %s: %s", c.target, m.Fields[1].Value)
		}
	}
	m := &message.Message{Fields: []message.Field{{Name: "Link", Value: `<http://u:p@h/1>; rel="next", <ftp://v@i/>`}}}
	s.Mask(m)
	if got, want := m.Fields[0].Value, `<http://[REDACTED]@h/1>; rel="next", <ftp://[REDACTED]@i/>`; got != want {
		t.Errorf("got %s", got)
	}
}

// FuzzSecrets: whatever stands before an '@' in the authority never remains.
func FuzzSecrets(f *testing.F) {
	f.Add("http://", "h/")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "S3CR3T"
		if strings.ContainsAny(before, "@") || strings.Contains(after, secret) || strings.Contains(before, secret) {
			return
		}
		m := &message.Message{Op: "GET", Target: before + "http://u:" + secret + "@" + after, Fields: []message.Field{{Name: after, Value: before}}}
		if before == "" || before[0] == '/' {
			return
		}
		rule.NewSecrets(rule.SecretHeaders()).Mask(m)
		if strings.Contains(m.Target, secret) {
			t.Errorf("%q", m.Target)
		}
	})
}

func fields() []message.Field {
	return []message.Field{{Name: "Host", Value: "x"}, {Name: "User-Agent", Value: "x"}, {Name: "Accept", Value: "x"}, {Name: "Accept-Encoding", Value: "x"},
		{Name: "Content-Type", Value: "x"}, {Name: "Content-Length", Value: "x"}, {Name: "X-Request-Id", Value: "x"}, {Name: "Authorization", Value: "x"},
		{Name: "Connection", Value: "x"}, {Name: "Date", Value: "x"}}
}

func TestSecretsAllocatesNothing(t *testing.T) {
	s, m := rule.NewSecrets(rule.SecretHeaders()), &message.Message{Target: "/", Fields: fields()}
	if n := testing.AllocsPerRun(100, func() { s.Mask(m) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSecretsPerField(b *testing.B) {
	s, m := rule.NewSecrets(rule.SecretHeaders()), &message.Message{Target: "/", Fields: fields()}
	b.ReportAllocs()
	for i := 0; i < b.N; i += len(m.Fields) {
		s.Mask(m)
	}
}

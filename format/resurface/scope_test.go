package resurface

import (
	"strings"
	"testing"
)

// The scopes of the predefined sets, and those that most rules have, need no
// regular expression.
func TestScopesAreNames(t *testing.T) {
	for _, rules := range []string{debugRules, standardRules, strictRules} {
		r, err := parse("r", rules)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range append(r.scopes, r.copies...) {
			if s.forms == nil {
				t.Errorf("%v%v is none", s.pattern.linear, s.pattern.back)
			}
		}
	}
	for text, want := range map[string]bool{
		"request_header:cookie": true, ".*": true, "a|b": true, "(a|b)_(c|d)": true, "(?:a|b.*)": true, "a(?!b|c).*": true, `a\.b`: true, "a(b|(c|d).*)": true,
		"a+": false, "a.b": false, "(a)+": false, "(?i)a": false, "[ab]": false, "a.*b": false, "(a.*)b": false, "a(?!b)c": false, "a(?=b).*": false, "^a": false, "a$": false,
		"(?!b.*).*": false, "a(?!b).*c": false, "(?!a)(b|c).*": false, strings.Repeat("(a|b|c)", 9): false, strings.Repeat("(", 9) + "a" + strings.Repeat(")", 9): false,
	} {
		p, err := compile(text, true)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := newScope(p, text).forms != nil; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// FuzzScope holds comparing names to the regular expression.
func FuzzScope(f *testing.F) {
	for _, text := range []string{"request_(header|param):x", "a|b.*|", "a(?!b|(c)).*", `a\/b|\|`, "(a|)b", "(?:x.*|y)", "a(?!)b.*", "|", "()", "(a|b)(?!c).*|d"} {
		f.Add(text, "request_header:x", "abc")
	}
	f.Fuzz(func(t *testing.T, text, key, more string) {
		if len(text) > 200 || strings.Contains(text, "(?x") {
			return
		}
		p, err := compile(text, true)
		if err != nil {
			return
		}
		s := newScope(p, text)
		if s.forms == nil {
			return
		}
		for _, k := range []string{key, more, key + more, "", s.forms[0].text + more, s.forms[len(s.forms)-1].text} {
			k = strings.ToValidUTF8(k, "?")
			want, err := p.match(k)
			if err != nil {
				continue
			}
			if got, _ := s.match(&work{}, k); got != want {
				t.Errorf("%q and %q: %v", text, k, got)
			}
		}
	})
}

package main

import (
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	const pass = `{"Action":"run","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Test":"TestX","Output":"chatter\n"}
{"Action":"pass","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.1s\n"}
{"Action":"pass","Package":"m/a"}
`
	const skip = `{"Action":"output","Package":"m/a","Test":"TestY","Output":"    y_test.go:3: no tcpdump\n"}
{"Action":"skip","Package":"m/a","Test":"TestY"}
`
	const fail = `{"Action":"output","Package":"m/b","Test":"TestZ","Output":"    z_test.go:3: wrong\n"}
{"Action":"fail","Package":"m/b","Test":"TestZ"}
{"Action":"output","Package":"m/b","Output":"FAIL\tm/b\t0.1s\n"}
{"Action":"fail","Package":"m/b"}
`
	const build = `{"ImportPath":"m/c","Action":"build-output","Output":"c.go:1: syntax error\n"}
{"ImportPath":"m/c","Action":"build-fail"}
{"Action":"output","Package":"m/c","Output":"FAIL\tm/c [build failed]\n"}
{"Action":"fail","Package":"m/c","FailedBuild":"m/c"}
`
	for _, c := range []struct {
		name, in string
		strict   bool
		allowed  []string
		ok       bool
		want     []string
	}{
		{"pass", pass, true, nil, true, []string{"ok  \tm/a\t0.1s"}},
		{"nothing", "", false, nil, false, nil},
		{"skip", pass + skip, false, nil, true, []string{"SKIPPED m/a/TestY: y_test.go:3: no tcpdump"}},
		{"strict", pass + skip, true, nil, false, nil},
		{"allowed", pass + skip, true, []string{"m/*/TestY"}, true, []string{"skipped m/a/TestY"}},
		{"fail", pass + fail, false, nil, false, []string{"z_test.go:3: wrong", "FAIL\tm/b"}},
		{"build", pass + build, false, nil, false, []string{"c.go:1: syntax error", "FAIL\tm/c [build failed]"}},
		{"words", "go: no such tool\n" + pass, false, nil, true, []string{"go: no such tool"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			ok, err := judge(strings.NewReader(c.in), &b, c.strict, c.allowed)
			if ok != c.ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
			for _, w := range c.want {
				if !strings.Contains(b.String(), w) {
					t.Errorf("no %q in %q", w, b.String())
				}
			}
			if strings.Contains(b.String(), "chatter") {
				t.Error("output of a test that passed")
			}
		})
	}
}

func TestPatterns(t *testing.T) {
	got, err := patterns("# why\n\na/TestX  because\n")
	if err != nil || len(got) != 1 || got[0] != "a/TestX" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"a/TestX", "a/TestX ", "[ because"} {
		if _, err := patterns(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

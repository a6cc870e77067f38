package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Both modules are tested, and each failure is one of the whole.
func TestMake(t *testing.T) {
	for _, tool := range []string{"make", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s: %v", tool, err)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	verdict := filepath.Join(dir, "verdict")
	if out, err := exec.Command("go", "build", "-o", verdict, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range []struct{ main, oracle int }{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		// A go whose tests end as they are told to, without a word of what failed:
		// the exit code alone must do.
		text := fmt.Sprintf(`#!/usr/bin/env bash
case "$1" in
run) shift 2; exec %q "$@" ;;
-C) module=oracle code=%d ;;
*) module=main code=%d ;;
esac
printf '{"Action":"output","Package":"%%s","Output":"ok  \\t%%s\\t0s\\n"}\n{"Action":"pass","Package":"%%s"}\n' $module $module $module
exit $code
`, verdict, c.oracle, c.main)
		program := filepath.Join(dir, "go")
		if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		run := exec.Command("make", "-s", "-o", "setup", "test", "GO="+program)
		run.Dir = root
		run.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", "CI=")
		out, err := run.CombinedOutput()
		if (err != nil) != (c.main+c.oracle > 0) {
			t.Errorf("%+v ended with %v", c, err)
		}
		if s := string(out); !strings.Contains(s, "ok  \tmain") || !strings.Contains(s, "ok  \toracle") {
			t.Errorf("%+v: not both modules were tested: %s", c, s)
		}
	}
}

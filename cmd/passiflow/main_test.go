package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// Each of several errors has a line of its own that says who is speaking; what
// belongs to one error stays with it.
func TestReport(t *testing.T) {
	a, b := errors.New("a\nSee passiflow --help"), errors.New("b")
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{nil, exitOK, ""},
		{a, exitUsage, "passiflow: a\nSee passiflow --help\n"},
		{&exit{exitRun, errors.Join(b, errors.Join(a, b))}, exitRun, "passiflow: b\npassiflow: a\nSee passiflow --help\npassiflow: b\n"},
		{fmt.Errorf("%w: %w", b, a), exitUsage, "passiflow: b: a\nSee passiflow --help\n"},
		{fmt.Errorf("write: %w", errors.Join(b, b)), exitUsage, "passiflow: write: b\nb\n"},
		{errors.Join(b, &exit{exitRun, a}), exitRun, "passiflow: b\npassiflow: a\nSee passiflow --help\n"},
		{errors.New("open \x1b[2J: no"), exitUsage, "passiflow: open \\x1b[2J: no\n"},
	} {
		var w bytes.Buffer
		if code := report(&w, c.err); code != c.code || w.String() != c.want {
			t.Errorf("%v: %d, %q, want %d, %q", c.err, code, w.String(), c.code, c.want)
		}
	}
}

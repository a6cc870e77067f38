package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// entry is one counted thing.
type entry struct {
	name string
	n    uint64
}

// account is one sum of the ledger: what came in and every way it went.
type account struct {
	what   string // "packets"
	metric string // its name among metrics
	of     string // the output it is about
	in     uint64
	out    []entry
	beside []entry // worth knowing, and not part of the sum
}

// open returns how much of what came in no way out explains.
func (a *account) open() int64 {
	rest := int64(a.in)
	for _, e := range a.out {
		rest -= int64(e.n)
	}
	return rest
}

// writeLedger writes accounts as one table, in one piece. Ways that nothing
// went are left out.
func writeLedger(w io.Writer, accounts []account) error {
	width := 0
	var b strings.Builder
	for i := range accounts {
		a := &accounts[i]
		for _, e := range append(append([]entry{{n: a.in}}, a.out...), a.beside...) {
			width = max(width, len(grouped(e.n)))
		}
	}
	line := func(indent, name string, n uint64, tail string) {
		fmt.Fprintf(&b, "%-34s %*s%s\n", indent+name, width, grouped(n), tail)
	}
	for i := range accounts {
		a := &accounts[i]
		line("", a.what, a.in, "")
		for _, e := range a.out {
			if e.n > 0 {
				line("  ", e.name, e.n, "")
			}
		}
		if rest := a.open(); rest != 0 {
			fmt.Fprintf(&b, "  %d do not add up: please report this\n", rest)
		}
		for _, e := range a.beside {
			if e.n > 0 {
				line("  ", "("+e.name, e.n, ")")
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// grouped writes n with a comma at each thousand.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

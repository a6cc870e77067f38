package filter

import (
	"errors"
	"fmt"
	"strings"
)

// ErrRejectsAll is wrapped by the Error of an expression that no packet of the
// link type can match, such as "ip and arp".
var ErrRejectsAll = errors.New("the expression rejects all packets")

// Error says what is wrong with an expression, and where.
type Error struct {
	Expr   string // the whole expression
	Offset int    // byte offset of the fault in Expr; len(Expr) when something is missing at its end
	Length int    // bytes that the fault covers, at least 1 unless it is at the end
	Msg    string // what is wrong
	Want   string // what was expected there; may be empty
	Hint   string // what was probably meant; may be empty
	Err    error  // ErrRejectsAll or nil

	in *Expression // the member of a union that has the fault
}

// Error returns the fault on one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "filter %q: at byte %d: %s", e.Expr, e.Offset, e.Msg)
	if e.Want != "" {
		b.WriteString(", expected " + e.Want)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Point returns two lines for a person at a terminal: the expression, and
// marks under the part that is wrong.
func (e *Error) Point() string {
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, e.Expr)
	n := min(max(e.Length, 1), max(len(e.Expr)-e.Offset, 1))
	return line + "\n" + strings.Repeat(" ", e.Offset) + strings.Repeat("^", n)
}

// meant returns the hint for a word that is none of words; "" for none.
func meant(s string, words []string) string {
	if s == "vxlan" {
		return "tcpdump's filters have no VXLAN: \"udp port 4789\" is its packets, and the option -p chooses by the ports inside"
	}
	if w := nearest(s, words); w != "" {
		return "did you mean " + quote(w) + "?"
	}
	return ""
}

// nearest returns the word of words that is at most two edits away from s, or
// "". Short words must be closer.
func nearest(s string, words []string) string {
	best, limit := "", min(2, len(s)/2)+1
	for _, w := range words {
		if d := edits(s, w); d < limit {
			best, limit = w, d
		}
	}
	return best
}

// edits is the Levenshtein distance, with a swap of neighbours as one edit.
func edits(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return len(a) + len(b)
	}
	var rows [3][41]int
	two, one, cur := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(one[j]+1, cur[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], two[j-2]+1)
			}
		}
		two, one, cur = one, cur, two
	}
	return one[len(b)]
}

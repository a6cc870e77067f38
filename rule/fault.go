package rule

import (
	"fmt"
	"strings"
)

// Fault is something wrong with a file of rules.
type Fault struct {
	File         string
	Line, Column int // from 1, in bytes; 0: unknown
	Problem      string
}

func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	for _, n := range [...]int{f.Line, f.Column} {
		if n == 0 {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		fmt.Fprint(&b, n)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(f.Problem)
	return b.String()
}

// Faults are all that is wrong with a file of rules, in its order.
type Faults []*Fault

func (f Faults) Error() string {
	all := make([]string, len(f))
	for i, one := range f {
		all[i] = one.Error()
	}
	return strings.Join(all, "\n")
}

// didYouMean returns "; did you mean …?" when one of words is close to s, else
// "".
func didYouMean(s string, words []string) string {
	best, at := "", max(len(s)/3, 1)+1
	for _, w := range words {
		if d := distance(s, w); d < at {
			best, at = w, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b, of which it looks at the first bytes only.
func distance(a, b string) int {
	const longest = 32
	a, b = a[:min(len(a), longest)], b[:min(len(b), longest)]
	var rows [3][longest + 1]int
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, last, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}

package resurface

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// quick finds what two shapes of patterns find, many times as fast as the
// general search does: a run of characters of one class, such as digits, and a
// run before a byte that is not one of them, such as an address of mail. Bodies
// are searched for nothing else by the set standard.
type quick struct {
	class [utf8.RuneSelf]bool
	wide  []rune // pairs of first and last, beyond ASCII
	least int    // characters in the run
	mark  byte   // behind the run; 0: the run is all
	rest  *regexp.Regexp
}

// newQuick returns nil for any other shape.
func newQuick(text string) *quick {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil
	}
	q := &quick{}
	if tree.Op != syntax.OpConcat {
		// A run alone is walked byte by byte.
		if !q.run(tree) || q.wide != nil {
			return nil
		}
		return q
	}
	if len(tree.Sub) < 2 || !q.run(tree.Sub[0]) {
		return nil
	}
	mark := tree.Sub[1]
	if mark.Op != syntax.OpLiteral || mark.Flags&syntax.FoldCase != 0 || mark.Rune[0] >= utf8.RuneSelf || mark.Rune[0] == 0 {
		return nil
	}
	q.mark = byte(mark.Rune[0])
	if q.class[q.mark] || holds(&syntax.Regexp{Op: syntax.OpLiteral, Rune: mark.Rune[1:]}, mark.Rune[0]) {
		return nil
	}
	// Where the mark cannot occur behind itself, what is tried at one mark ends
	// before the next: the whole search takes time in proportion to its input.
	for _, s := range tree.Sub[2:] {
		if holds(s, mark.Rune[0]) {
			return nil
		}
	}
	q.rest, err = regexp.Compile(`\A(?:` + text + `)`)
	if err != nil {
		return nil
	}
	return q
}

// run takes a class that is repeated without a limit.
func (q *quick) run(re *syntax.Regexp) bool {
	if re.Flags&syntax.NonGreedy != 0 {
		return false
	}
	switch {
	case re.Op == syntax.OpPlus:
		q.least = 1
	case re.Op == syntax.OpRepeat && re.Min > 0 && re.Max < 0:
		q.least = re.Min
	default:
		return false
	}
	class := re.Sub[0]
	if class.Op != syntax.OpCharClass {
		return false
	}
	for i := 0; i < len(class.Rune); i += 2 {
		from, to := class.Rune[i], class.Rune[i+1]
		for r := from; r <= to && r < utf8.RuneSelf; r++ {
			q.class[r] = true
		}
		if to >= utf8.RuneSelf {
			q.wide = append(q.wide, max(from, utf8.RuneSelf), to)
		}
	}
	return true
}

// holds tells whether r may occur in what re matches.
func holds(re *syntax.Regexp, r rune) bool {
	switch re.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpLiteral:
		for _, x := range re.Rune {
			if x == r || re.Flags&syntax.FoldCase != 0 && x|0x20 == r|0x20 {
				return true
			}
		}
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			if r >= re.Rune[i] && r <= re.Rune[i+1] {
				return true
			}
		}
	}
	for _, s := range re.Sub {
		if holds(s, r) {
			return true
		}
	}
	return false
}

// next returns the first match in s from from on, as the places of the match and
// of its groups, nil for none.
func (q *quick) next(s string, from int) []int {
	if q.mark == 0 {
		return q.nextRun(s, from)
	}
	for at := from; ; {
		i := strings.IndexByte(s[at:], q.mark)
		if i < 0 {
			return nil
		}
		at += i
		if start := q.back(s, from, at); start < at {
			if m := q.rest.FindStringSubmatchIndex(s[start:]); m != nil {
				for k := range m {
					if m[k] >= 0 {
						m[k] += start
					}
				}
				return m
			}
		}
		at++
	}
}

// back returns where the run begins that ends at at, not before from.
func (q *quick) back(s string, from, at int) int {
	for at > from {
		if c := s[at-1]; c < utf8.RuneSelf {
			if !q.class[c] {
				break
			}
			at--
			continue
		}
		r, n := utf8.DecodeLastRuneInString(s[from:at])
		if !q.isWide(r) {
			break
		}
		at -= n
	}
	return at
}

func (q *quick) isWide(r rune) bool {
	for i := 0; i < len(q.wide); i += 2 {
		if r >= q.wide[i] && r <= q.wide[i+1] {
			return true
		}
	}
	return false
}

func (q *quick) nextRun(s string, from int) []int {
	// A run of so many characters lies on one of each so many places.
	for at := from + q.least - 1; at < len(s); {
		if !q.in(s[at]) {
			at += q.least
			continue
		}
		start := at
		for start > from && q.in(s[start-1]) {
			start--
		}
		end := at + 1
		for end < len(s) && q.in(s[end]) {
			end++
		}
		if end-start >= q.least {
			return []int{start, end}
		}
		at = end + q.least
	}
	return nil
}

func (q *quick) in(c byte) bool { return c < utf8.RuneSelf && q.class[c] }

package rule

import (
	"strings"
	"unsafe"
)

// splice builds a text in which parts of another are replaced, from its
// beginning to its end. Nothing is copied before the first replacement.
type splice struct {
	b    strings.Builder
	last int // of the source, up to here it is in b
}

// put replaces s[from:to].
func (p *splice) put(s string, from, to int, parts ...string) {
	if p.last == 0 {
		p.b.Grow(len(s) + 64)
	}
	p.b.WriteString(s[p.last:from])
	for _, t := range parts {
		p.b.WriteString(t)
	}
	p.last = to
}

// end returns what s has become.
func (p *splice) end(s string) string {
	if p.last == 0 && p.b.Len() == 0 {
		return s
	}
	p.b.WriteString(s[p.last:])
	return p.b.String()
}

// view is b as a string without a copy. Nothing ever writes into the bytes of a
// message: they are appended to, or replaced.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}

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
func (p *splice) put(s string, from, to int, text string) {
	p.keep(s, from)
	p.b.WriteString(text)
	p.last = to
}

// quoted replaces s[from:to] by text between quotation marks of a level.
func (p *splice) quoted(s string, from, to int, lv level, text string) {
	p.keep(s, from)
	if lv == 0 && text == Redacted {
		p.b.WriteString(`"` + Redacted + `"`)
	} else {
		quote := `\\\\\\\\\\\\\\\"`[deepest-lv:]
		p.b.WriteString(quote)
		p.b.WriteString(text)
		p.b.WriteString(quote)
	}
	p.last = to
}

func (p *splice) keep(s string, to int) {
	if p.b.Cap() == 0 {
		p.b.Grow(len(s) + len(s)/8 + 64)
	}
	p.b.WriteString(s[p.last:to])
}

// end returns what s has become.
func (p *splice) end(s string) string {
	if p.b.Cap() == 0 {
		return s
	}
	p.b.WriteString(s[p.last:])
	now := p.b.String()
	if p.b.Cap() > len(now)+len(now)/4+128 { // what was masked is not held for what is left
		now = strings.Clone(now)
	}
	return now
}

// view is b as a string without a copy. Nothing ever writes into the bytes of a
// message: they are appended to, or replaced.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// bytesOf is s as bytes without a copy; they are read only.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

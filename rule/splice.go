package rule

import "unsafe"

// splice builds a text in which parts of another are replaced, from its
// beginning to its end. Nothing is copied before the first replacement.
type splice struct {
	b    []byte
	last int // of the source, up to here it is in b
}

// put replaces s[from:to].
func (p *splice) put(s string, from, to int, text string) {
	p.keep(s, from)
	p.b = append(p.b, text...)
	p.last = to
}

// quoted replaces s[from:to] by text between quotation marks.
func (p *splice) quoted(s string, from, to int, quote, text string) {
	p.keep(s, from)
	p.b = append(append(append(p.b, quote...), text...), quote...)
	p.last = to
}

func (p *splice) keep(s string, to int) {
	if p.b == nil {
		p.b = make([]byte, 0, len(s)+len(s)/16+64)
	}
	p.b = append(p.b, s[p.last:to]...)
}

// end returns what s has become.
func (p *splice) end(s string) string {
	if p.b == nil {
		return s
	}
	return view(append(p.b, s[p.last:]...))
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

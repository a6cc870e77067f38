package json

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/passiflow/passiflow/message"
)

// few is how many header fields are compared pair by pair; a hostile head has
// thousands, and is sorted instead.
const few = 48

// appendHeaders appends fields as an object: names in lower case, in the order
// of their first appearance, with the values of each in the order sent.
func (e *encoder) appendHeaders(dst []byte, fields []message.Field) []byte {
	if len(fields) == 0 {
		return append(dst, `,"headers":{}`...)
	}
	dst = append(dst, `,"headers":`...)
	sep := byte('{')
	// A name that may occur twice sets a bit that is set already. Mostly none
	// does, and then nothing needs to be compared.
	var seen, twice uint64
	for i := range fields {
		b := bit(fields[i].Name)
		twice |= seen & b
		seen |= b
	}
	if twice != 0 && len(fields) > few {
		return e.appendManyHeaders(dst, fields)
	}
	for i := range fields {
		f := &fields[i]
		more := twice&bit(f.Name) != 0
		if more && named(fields[:i], f.Name) >= 0 {
			continue
		}
		dst = appendHeader(dst, sep, f.Name, f.Value)
		sep = ','
		if more {
			rest := fields[i+1:]
			for at := named(rest, f.Name); at >= 0; at = named(rest, f.Name) {
				dst = append(dst, ',')
				dst = appendString(dst, rest[at].Value)
				rest = rest[at+1:]
			}
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendHeader appends sep, the name and the first value, with the array still
// open.
func appendHeader(dst []byte, sep byte, name, value string) []byte {
	if len(name)+len(value) <= block {
		dst = slices.Grow(dst, len(name)+len(value)*worst+3*slack)
		d := dst[len(dst):cap(dst)]
		d[0], d[1] = sep, '"'
		if n := lowerTo(d[2:], bytesOf(name)); n >= 0 {
			n += 2
			binary.LittleEndian.PutUint32(d[n:], '"'|':'<<8|'['<<16|'"'<<24)
			n += 4
			written, high := escape(d[n:], bytesOf(value))
			if high&highs == 0 || utf8.ValidString(value) {
				n += written
				d[n] = '"'
				return dst[:len(dst)+n+1]
			}
		}
	}
	dst = append(dst, sep)
	dst = appendLower(dst, name)
	dst = append(dst, ':', '[')
	return appendString(dst, value)
}

// bit chooses one of 64 by the length and the ends of a name, whatever its case.
func bit(name string) uint64 {
	n := len(name)
	if n == 0 {
		return 1
	}
	return 1 << ((uint(n)*7 + uint(name[0]|0x20)*3 + uint(name[n-1]|0x20)) & 63)
}

func named(fields []message.Field, name string) int {
	for i := range fields {
		if n := fields[i].Name; len(n) == len(name) && message.EqualFold(n, name) {
			return i
		}
	}
	return -1
}

// appendManyHeaders is appendHeaders in n log n steps.
func (e *encoder) appendManyHeaders(dst []byte, fields []message.Field) []byte {
	order := e.order[:0]
	for i := range fields {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int {
		if c := compareFold(fields[a].Name, fields[b].Name); c != 0 {
			return c
		}
		return a - b
	})
	// next leads from each field to the next of its name; first ones stay 0 in
	// follows, as no field follows the one before the first.
	next := append(e.next[:0], make([]int, len(fields))...)
	follows := make([]bool, len(fields))
	for k := 1; k < len(order); k++ {
		a, b := order[k-1], order[k]
		if message.EqualFold(fields[a].Name, fields[b].Name) {
			next[a], follows[b] = b, true
		}
	}
	e.order, e.next = order, next
	sep := byte('{')
	for i := range fields {
		if follows[i] {
			continue
		}
		dst = appendHeader(dst, sep, fields[i].Name, fields[i].Value)
		sep = ','
		for k := next[i]; k != 0; k = next[k] {
			dst = append(dst, ',')
			dst = appendString(dst, fields[k].Value)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// compareFold orders names without regard to ASCII case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x-'A' < 26 {
			x |= 0x20
		}
		if y-'A' < 26 {
			y |= 0x20
		}
		if x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

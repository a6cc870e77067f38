package json

import "bytes"

// spellC1 writes what dst holds from at on anew with the control characters from
// U+0080 to U+009F as escapes. JSON allows them as they are, but U+009B to a
// terminal is what ESC [ is, and records end on terminals.
func spellC1(dst []byte, at int) []byte {
	i := nextC1(dst[at:])
	if i < 0 {
		return dst
	}
	const digits = "0123456789abcdef"
	rest := bytes.Clone(dst[at:])
	dst = dst[:at]
	for ; i >= 0; i = nextC1(rest) {
		dst = append(dst, rest[:i]...)
		c := rest[i+1]
		dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		rest = rest[i+2:]
	}
	return append(dst, rest...)
}

// nextC1 returns where in b, which is UTF-8, the first of them is, -1 for none.
func nextC1(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], 0xc2) // the first byte of U+0080 to U+00BF, and no other's
		if i < 0 || at+i+1 >= len(b) {
			return -1
		}
		at += i
		if b[at+1] < 0xa0 {
			return at
		}
		at += 2
	}
}

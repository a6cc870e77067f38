package line

import (
	"unicode"
	"unicode/utf8"
)

// clean appends s with everything that a terminal might obey, or that would
// show other text than there is, spelled out: control characters of both sets,
// marks of direction, and bytes that are no UTF-8.
func clean[T string | []byte](dst []byte, s T) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c >= ' ' && c != 0x7f:
				dst = append(dst, c)
			case c == '\n':
				dst = append(dst, `\n`...)
			case c == '\r':
				dst = append(dst, `\r`...)
			case c == '\t':
				dst = append(dst, `\t`...)
			default:
				dst = appendByte(dst, c)
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		switch {
		case r == utf8.RuneError && n <= 1:
			dst = appendByte(dst, c)
			n = 1
		case unicode.IsPrint(r):
			dst = append(dst, s[i:i+n]...)
		default:
			dst = append(dst, `\u{`...)
			dst = appendHex(dst, uint32(r))
			dst = append(dst, '}')
		}
		i += n
	}
	return dst
}

const digits = "0123456789abcdef"

func appendByte(dst []byte, c byte) []byte {
	return append(dst, '\\', 'x', digits[c>>4], digits[c&15])
}

func appendHex(dst []byte, n uint32) []byte {
	if n > 15 {
		dst = appendHex(dst, n>>4)
	}
	return append(dst, digits[n&15])
}

// columns returns how many columns of a terminal b fills, for text that was
// cleaned.
func columns(b []byte) int {
	n := 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			n++
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		n += width(r)
		i += size
	}
	return n
}

// width returns the columns of one character: about what terminals do (Unicode
// Standard Annex 11).
func width(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// cut shortens b to room columns; an ellipsis says so.
func cut(b []byte, room int) []byte {
	if columns(b) <= room {
		return b
	}
	n := 0
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if n += width(r); n > room-1 {
			return append(b[:i], "…"...)
		}
		i += size
	}
	return b
}

package json

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
	"unsafe"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
	// block is how many bytes of input are escaped before room is made for the
	// next: small, because room is made for the worst case of six times as many.
	block = 512
	worst = 6
	slack = 16 // bytes that wide stores may write behind what they append
)

// escapes holds, for each byte, what stands for it inside a JSON string, in
// the low seven bytes, and how many bytes that is, in the highest one. Bytes
// above 0x7f stand for themselves: whoever escapes has checked UTF-8.
var escapes = makeEscapes()

func makeEscapes() (t [256]uint64) {
	const digits = "0123456789abcdef"
	for c := range t {
		s := []byte{byte(c)}
		switch {
		case c == '"' || c == '\\':
			s = []byte{'\\', byte(c)}
		case c == '\b':
			s = []byte(`\b`)
		case c == '\f':
			s = []byte(`\f`)
		case c == '\n':
			s = []byte(`\n`)
		case c == '\r':
			s = []byte(`\r`)
		case c == '\t':
			s = []byte(`\t`)
		case c < 0x20:
			s = []byte{'\\', 'u', '0', '0', digits[c>>4], digits[c&15]}
		}
		for i, b := range s {
			t[c] |= uint64(b) << (8 * i)
		}
		t[c] |= uint64(len(s)) << 56
	}
	return t
}

// special has the high bit set in each byte of w that needs an escape, and in
// no other.
func special(w uint64) uint64 {
	// c^2 < 0x21 holds for the control characters and for '"' (0x22^2 = 0x20),
	// and for no other. No sum here carries into the next byte.
	v := w ^ ones*2
	b := w ^ ones*'\\'
	return (^(v&(ones*0x7f)+ones*(0x80-0x21))&^v | ^(b&(ones*0x7f) + ones*0x7f | b)) & highs
}

// appendText appends s as the inside of a JSON string. It reports false, and
// what it returns is of no use, if s is not valid UTF-8.
func appendText(dst, s []byte) ([]byte, bool) {
	checked, at := false, len(dst)
	for len(s) > 0 {
		k := min(len(s), block)
		dst = slices.Grow(dst, k*worst+slack)
		n, seen := escape(dst[len(dst):cap(dst)], s[:k])
		// Nothing before this block has a byte above 0x7f, so a character begins
		// where the block begins, and the rest is checked once.
		if seen&highs != 0 && !checked {
			if !valid(s) {
				return dst, false
			}
			checked = true
		}
		dst = dst[:len(dst)+n]
		s = s[k:]
	}
	if checked {
		dst = spellC1(dst, at)
	}
	return dst, true
}

// escape writes s, escaped, to d, which has room for six times its length and
// slack, and returns how much it wrote and a word that has high bits set if s
// has a byte above 0x7f.
func escape(d, s []byte) (n int, seen uint64) {
	for wide && len(s) >= 16 {
		written, read, high := escapeWide(d[n:], s)
		n += written
		seen |= high
		if s = s[read:]; len(s) < 16 {
			break
		}
		written, high = escapeWords(d[n:], s[:16]) // what it could not
		n += written
		seen |= high
		s = s[16:]
	}
	written, high := escapeWords(d[n:], s)
	return n + written, seen | high
}

// escapeWords is escape with what every machine can do: eight bytes at a time.
// How far the input has been read never depends on what was in it: no word
// waits for the end of the one before.
func escapeWords(d, s []byte) (n int, seen uint64) {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := binary.LittleEndian.Uint64(s[i:])
		seen |= w
		binary.LittleEndian.PutUint64(d[n:], w)
		m := special(w)
		if m != 0 && (w-ones*' ')&^w&highs != 0 { // perhaps a control character
			n = spell(d, n, w)
			continue
		}
		// What stands from a quote on is written again, behind its backslash.
		for ; m != 0; m &= m - 1 {
			z := bits.TrailingZeros64(m) &^ 7
			d[n+z>>3] = '\\'
			binary.LittleEndian.PutUint64(d[n+z>>3+1:], w>>z)
			n++
		}
		n += 8
	}
	if rest := len(s) - i; rest > 0 {
		w := tail(s, rest)
		seen |= w
		if special(w|^uint64(0)<<(8*rest)&(ones*' ')) == 0 {
			binary.LittleEndian.PutUint64(d[n:], w)
			return n + rest, seen
		}
		for range rest {
			e := escapes[byte(w)]
			binary.LittleEndian.PutUint64(d[n:], e)
			n += int(e >> 56)
			w >>= 8
		}
	}
	return n, seen
}

// spell writes the eight bytes of w through the table.
func spell(d []byte, n int, w uint64) int {
	d = d[n : n+8*worst+8]
	m := 0
	for range 8 {
		e := escapes[byte(w)]
		binary.LittleEndian.PutUint64(d[m:], e)
		m += int(e >> 56)
		w >>= 8
	}
	return n + m
}

// tail returns the last rest bytes of s, 1 to 7, in the low bytes of a word
// whose other bytes are zero.
func tail(s []byte, rest int) uint64 {
	n := len(s)
	switch {
	case n >= 8:
		return binary.LittleEndian.Uint64(s[n-8:]) >> (8 * (8 - rest))
	case n >= 4: // n == rest
		lo := uint64(binary.LittleEndian.Uint32(s))
		hi := uint64(binary.LittleEndian.Uint32(s[n-4:]))
		return lo | hi<<(8*(n-4))
	}
	return uint64(s[0]) | uint64(s[n>>1])<<(8*(n>>1)) | uint64(s[n-1])<<(8*(n-1))
}

// appendString appends s as a JSON string. Where s is not UTF-8, each of its
// bytes is taken for a character of ISO 8859-1, which is what HTTP once said
// of its header fields (RFC 9110 section 5.5).
func appendString(dst []byte, s string) []byte {
	if len(s) <= block {
		dst = slices.Grow(dst, len(s)*worst+2*slack)
		d := dst[len(dst):cap(dst)]
		d[0] = '"'
		n, high := escape(d[1:], bytesOf(s))
		if high&highs == 0 || utf8.ValidString(s) {
			if high&highs != 0 {
				dst = spellC1(dst[:len(dst)+n+1], len(dst)+1)
				return append(dst, '"')
			}
			d[n+1] = '"'
			return dst[:len(dst)+n+2]
		}
	}
	dst = append(dst, '"')
	at := len(dst)
	dst, ok := appendText(dst, bytesOf(s))
	if !ok {
		dst = spellC1(appendLatin1(dst[:at], s), at)
	}
	return append(dst, '"')
}

func appendLatin1(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			dst = utf8.AppendRune(dst, rune(c))
			continue
		}
		e := escapes[c]
		for range e >> 56 {
			dst = append(dst, byte(e))
			e >>= 8
		}
	}
	return dst
}

// bytesOf returns the bytes of s, to be read only.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// lowerTo writes b in lower case to d, which has slack behind the length of b,
// and returns that length; -1 where b is not a plain word.
func lowerTo(d, b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if special(w)|w&highs != 0 {
			return -1
		}
		binary.LittleEndian.PutUint64(d[i:], lower(w))
	}
	if rest := len(b) - i; rest > 0 {
		w := tail(b, rest)
		if special(w|^uint64(0)<<(8*rest)&(ones*' '))|w&highs != 0 {
			return -1
		}
		binary.LittleEndian.PutUint64(d[i:], lower(w))
	}
	return len(b)
}

// lower makes the ASCII letters of w small; no byte of w is above 0x7f.
func lower(w uint64) uint64 {
	from := w + ones*(0x80-'A')
	past := w + ones*(0x80-'Z'-1)
	return w | (from&^past&highs)>>2
}

// appendLower appends a header name as a JSON string, with ASCII in lower case.
func appendLower(dst []byte, s string) []byte {
	at := len(dst) + 1
	dst = appendString(dst, s)
	for i := at; i < len(dst); i++ {
		if c := dst[i]; c >= 'A' && c <= 'Z' {
			dst[i] = c | 0x20
		}
	}
	return dst
}

// appendUint appends n in decimal.
func appendUint(dst []byte, n uint64) []byte {
	if n < 10 {
		return append(dst, byte('0'+n))
	}
	var b [20]byte
	i := len(b)
	for n >= 10 {
		i--
		b[i] = byte('0' + n%10)
		n /= 10
	}
	i--
	b[i] = byte('0' + n)
	return append(dst, b[i:]...)
}

// appendHex appends the sixteen hexadecimal digits of n.
func appendHex(dst []byte, n uint64) []byte {
	dst = appendHex32(dst, uint32(n>>32))
	return appendHex32(dst, uint32(n))
}

func appendHex32(dst []byte, n uint32) []byte {
	// Each nibble gets a byte of its own, then 9 < nibble adds the step to 'a'.
	x := uint64(bits.ReverseBytes32(n))
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x>>4 | x<<8) & 0x0f0f0f0f0f0f0f0f
	letters := (x + ones*(0x80-10)) & highs >> 7
	return binary.LittleEndian.AppendUint64(dst, x+ones*'0'+letters*('a'-'0'-10))
}

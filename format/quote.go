package format

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
)

const digits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, and control characters are spelled out, so that a terminal that shows
// the text does not obey it.
func AppendQuoted[T ~string | ~[]byte](dst []byte, s T) []byte {
	// Text and bytes begin with the same two words, and neither is written to.
	text := *(*string)(unsafe.Pointer(&s))
	return append(appendInside(append(dst, '"'), unsafe.Slice(unsafe.StringData(text), len(text))), '"')
}

// room is more than one step of appendInside writes: eight bytes, spelled out,
// and what a wide store writes behind them.
const room = 8*6 + 8

// appendInside appends s as the inside of a JSON string, eight bytes at a time.
func appendInside(dst, s []byte) []byte {
	d := slices.Grow(dst, len(s)+len(s)/8+room)
	n := len(d)
	d = d[:cap(d)]
	for i := 0; i < len(s); {
		if len(d)-n < room {
			d = slices.Grow(d[:n], len(s)-i+len(s)/8+room)
			d = d[:cap(d)]
		}
		if i+8 <= len(s) {
			w := binary.LittleEndian.Uint64(s[i:])
			if m := special(w); m == 0 {
				binary.LittleEndian.PutUint64(d[n:], w)
				i, n = i+8, n+8
				continue
			} else if w&highs == 0 {
				// No branch for each of them: which they are is hard to foresee.
				for range 8 {
					e := escapes[w&0x7f]
					binary.LittleEndian.PutUint64(d[n:], e)
					n += int(e >> 56)
					w >>= 8
				}
				i += 8
				continue
			}
		}
		if c := s[i]; c < utf8.RuneSelf {
			e := escapes[c]
			binary.LittleEndian.PutUint64(d[n:], e)
			i, n = i+1, n+int(e>>56)
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if r < 0xa0 || r == '\u2028' || r == '\u2029' || r == utf8.RuneError && size == 1 {
			n += spell(d[n:], uint16(r))
		} else {
			n += copy(d[n:], s[i:i+size])
		}
		i += size
	}
	return d[:n]
}

// escapes holds what stands for each byte of ASCII, and in the highest byte how
// long that is.
var escapes = makeEscapes()

func makeEscapes() (all [utf8.RuneSelf]uint64) {
	for c := range all {
		e := []byte{byte(c)}
		switch {
		case c == '"' || c == '\\':
			e = []byte{'\\', byte(c)}
		case c == '\n':
			e = []byte(`\n`)
		case c == '\r':
			e = []byte(`\r`)
		case c == '\t':
			e = []byte(`\t`)
		case c < ' ' || c == 0x7f:
			e = make([]byte, 6)
			spell(e, uint16(c))
		}
		for i, b := range e {
			all[c] |= uint64(b) << (8 * i)
		}
		all[c] |= uint64(len(e)) << 56
	}
	return all
}

const ones, lows, highs = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f, 0x8080808080808080

// special has the high bit set in each byte of w that is not copied as it is,
// and in no other: control characters, quote, backslash, and all from 0x7f on.
func special(w uint64) uint64 {
	plain := w&lows + ones*(0x80-' ') // has the high bit where a byte is at least a space
	quote, back, delete := w^ones*'"', w^ones*'\\', w^ones*0x7f
	// A byte is none of the three where a bit of the difference is set.
	differs := (quote&lows + lows | quote) & (back&lows + lows | back) & (delete&lows + lows | delete)
	return (w | ^(plain & differs)) & highs
}

// spell writes r as \u and four digits.
func spell(d []byte, r uint16) int {
	d[0], d[1], d[2], d[3], d[4], d[5] = '\\', 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15]
	return 6
}

// AppendText appends s as AppendQuoted does, but what is not UTF-8 is read as
// ISO 8859-1, as HTTP once defined its header fields: nothing of it is lost.
func AppendText[T ~string | ~[]byte](dst []byte, s T) []byte {
	if utf8.ValidString(string(s)) {
		return AppendQuoted(dst, s)
	}
	wide := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		wide = utf8.AppendRune(wide, rune(s[i]))
	}
	return AppendQuoted(dst, wide)
}

// Body returns the body of m, without the beginning of a character that the
// body limit or a loss has cut in two: text would otherwise not be text there.
func Body(m *message.Message) []byte {
	b := m.Body
	if m.Marks&(message.BodyTruncated|message.Incomplete) == 0 {
		return b
	}
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) && utf8.Valid(b[:i]) {
				return b[:i]
			}
			break
		}
	}
	return b
}

// AppendLower appends s as AppendText does, with ASCII letters in lower case.
func AppendLower(dst []byte, s string) []byte {
	at := len(dst)
	dst = AppendText(dst, s)
	for i := at; i < len(dst); i++ {
		if c := dst[i]; c >= 'A' && c <= 'Z' {
			dst[i] = c | 0x20
		}
	}
	return dst
}

// AppendEnd appends the address of a as a JSON string, a key for the port and
// its number: what stands behind "ip": in an object.
func AppendEnd(dst []byte, a netip.AddrPort) []byte {
	dst = append(dst, '"')
	dst = a.Addr().WithZone("").Unmap().AppendTo(dst)
	dst = append(dst, `","port":`...)
	return strconv.AppendUint(dst, uint64(a.Port()), 10)
}

// AppendID appends the id of a record whose first half is m: the flow's id, then
// side and number of m. It is the same in every run and in every format.
func AppendID(dst []byte, f *flow.Flow, m *message.Message) []byte {
	dst = appendHex(dst, f.ID, 60)
	return appendHex(dst, uint64(uint32(m.From)<<31|m.Index&(1<<31-1)), 28)
}

func appendHex(dst []byte, n uint64, shift int) []byte {
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&15])
	}
	return dst
}

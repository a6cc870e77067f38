package format

import (
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
)

const digits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, and control characters are spelled out, so that a terminal that shows
// the text does not obey it.
func AppendQuoted[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if r != utf8.RuneError && r >= 0xa0 && r != '\u2028' && r != '\u2029' || r == utf8.RuneError && size > 1 {
				i += size
				continue
			}
			dst = append(dst, s[from:i]...)
			switch {
			case r == utf8.RuneError:
				dst = append(dst, `\ufffd`...)
			default:
				dst = append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
			}
		} else {
			dst = append(dst, s[from:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			}
		}
		i += size
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
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

// AppendLower appends s as AppendQuoted does, with ASCII letters in lower case.
func AppendLower(dst []byte, s string) []byte {
	at := len(dst)
	dst = AppendQuoted(dst, s)
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

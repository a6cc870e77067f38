package json

import "unicode/utf8"

// validate looks for what is not UTF-8 in n bytes of src, a multiple of 16, and
// in last behind them. The method is that of J. Keiser and D. Lemire,
// "Validating UTF-8 in less than one instruction per byte" (2021): three tables,
// by the halves of two neighbouring bytes, hold the faults that each half
// allows, and what all three allow is there.
//
//go:noescape
func validate(src *byte, n int, last *[16]byte, tables *[7][16]byte) (faults uint32)

// The faults of two neighbouring bytes (RFC 3629).
const (
	tooShort   = 1 << iota // a character begins and is not continued
	tooLong                // ASCII is continued
	overlong3              // E0 80..9F
	tooLarge               // F4 90.., F5..FF 90..
	surrogate              // ED A0..
	overlong2              // C0, C1
	largeOrF0              // F5..FF 80..8F, F0 80..8F
	continuing             // two continuations: right where a longer character has them
	either     = tooShort | tooLong | continuing
)

var utf8Tables = [7][16]byte{
	{tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, continuing, continuing, continuing, continuing,
		tooShort | overlong2, tooShort, tooShort | overlong3 | surrogate, tooShort | tooLarge | largeOrF0},
	{either | overlong3 | overlong2 | largeOrF0, either | overlong2, either, either, either | tooLarge,
		either | tooLarge | largeOrF0, either | tooLarge | largeOrF0, either | tooLarge | largeOrF0, either | tooLarge | largeOrF0,
		either | tooLarge | largeOrF0, either | tooLarge | largeOrF0, either | tooLarge | largeOrF0, either | tooLarge | largeOrF0,
		either | tooLarge | largeOrF0 | surrogate, either | tooLarge | largeOrF0, either | tooLarge | largeOrF0},
	{tooShort, tooShort, tooShort, tooShort, tooShort, tooShort, tooShort, tooShort,
		tooLong | overlong2 | continuing | overlong3 | largeOrF0, tooLong | overlong2 | continuing | overlong3 | tooLarge,
		tooLong | overlong2 | continuing | surrogate | tooLarge, tooLong | overlong2 | continuing | surrogate | tooLarge,
		tooShort, tooShort, tooShort, tooShort},
	all(0x0f), all(0xe0 - 0x80), all(0xf0 - 0x80), all(0x80),
}

func all(c byte) (t [16]byte) {
	for i := range t {
		t[i] = c
	}
	return t
}

// valid tells whether s is UTF-8.
func valid(s []byte) bool {
	n := len(s) &^ 15
	if !wide || n == 0 {
		return utf8.Valid(s)
	}
	// Zeros behind the end show a character that is cut off there.
	var last [16]byte
	copy(last[:], s[n:])
	return validate(&s[0], n, &last, &utf8Tables) == 0
}

package json

import "golang.org/x/sys/cpu"

// expand escapes n bytes of src, a multiple of 16, to dst, sixteen at a time,
// and stops before sixteen that hold a control character without a letter of
// its own. It returns how many bytes it wrote and how many it read, and
// whether one of those was above 0x7f. It writes up to 16 bytes behind twice
// what it read.
//
// Each byte that needs a backslash is a bit of a mask, and the mask chooses the
// shuffle that spreads eight bytes to make room for their backslashes. There is
// no branch on where the quotes are, which in a body full of them nothing could
// foretell.
//
//go:noescape
func expand(dst, src *byte, n int, shuffles *[256][16]byte) (written, read int, high uint32)

var (
	wide     = cpu.X86.HasSSSE3 && cpu.X86.HasPOPCNT
	shuffles = makeShuffles()
)

// makeShuffles returns, for each set of bytes out of eight that need a
// backslash, where each byte of the result comes from: 0 to 7 is the text, 8 a
// backslash.
func makeShuffles() (t [256][16]byte) {
	for set := range t {
		n := 0
		for i := range byte(8) {
			if set>>i&1 != 0 {
				t[set][n] = 8
				n++
			}
			t[set][n] = i
			n++
		}
	}
	return t
}

// escapeWide escapes what it can of s to d, sixteen bytes at a time.
func escapeWide(d, s []byte) (written, read int, seen uint64) {
	n := len(s) &^ 15
	if !wide || n == 0 || len(d) < 2*n+slack {
		return 0, 0, 0
	}
	written, read, high := expand(&d[0], &s[0], n, &shuffles)
	if high != 0 {
		seen = highs
	}
	return written, read, seen
}

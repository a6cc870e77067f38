package rule

import "math/bits"

// finder goes through the colons of a text that may follow a name.
type finder struct {
	s     string
	at    int // of the first byte that masks are about
	n, k  int // masks that are filled; the one under way
	mask  uint64
	masks [blocksAtOnce]uint64
	known *survey // of s, where that knows the colons that matter
	walk  walker
}

// colonsOf returns a finder for s, with the help of whoever knows it.
func colonsOf(s string, known *survey) (f finder) {
	if f.s, f.known = s, known; known != nil {
		f.walk = known.walk(nameSpot)
	}
	return f
}

// next returns where the next colon is at or behind from, -1 for nowhere.
func (f *finder) next(from int) int {
	for f.known != nil {
		if i := f.walk.next(); i < 0 || i >= from {
			return i
		}
	}
	for {
		for f.mask == 0 {
			if f.k++; f.k >= f.n && !f.fill() {
				return -1
			}
			f.mask = f.masks[f.k]
		}
		i := f.at + f.k<<6 + bits.TrailingZeros64(f.mask)
		f.mask &= f.mask - 1
		if i >= from {
			return i
		}
	}
}

// fill finds the colons of the next blocks; false: there are no more.
func (f *finder) fill() bool {
	b := bytesOf(f.s)
	f.at, f.k = f.at+f.n<<6, 0
	if f.at == 0 {
		f.at = 1 // nothing stands before the first byte
	}
	left := len(b) - f.at
	if f.n = min(left>>6, blocksAtOnce); f.n > 0 {
		colons(&b[f.at], &f.masks[0], f.n)
		return true
	}
	if left <= 0 {
		return false
	}
	var rest [64]byte
	copy(rest[:], b[f.at:])
	f.n = 1
	colons(&rest[0], &f.masks[0], 1)
	return true
}

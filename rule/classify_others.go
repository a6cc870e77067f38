//go:build !amd64

package rule

import "unsafe"

// classify fills n blocks with what stands in the 64·n bytes at p.
func classify(p *byte, blocks *block, n int) {
	classifySlow(unsafe.Slice(p, 64*n), unsafe.Slice(blocks, n))
}

// colons fills n masks with the colons in the 64·n bytes at p.
func colons(p *byte, masks *uint64, n int) {
	colonsSlow(unsafe.Slice(p, 64*n), unsafe.Slice(masks, n))
}

// look surveys n blocks at p, of which it also reads the four bytes before, and
// returns how many are left when there is no more room for spots.
func look(p *byte, n int, t *sought, v *survey) (left int) { return lookSlow(p, n, t, v) }

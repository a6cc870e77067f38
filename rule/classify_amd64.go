package rule

import "golang.org/x/sys/cpu"

var wide = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2

// look surveys n blocks at p, of which it also reads the four bytes before, and
// returns how many are left when there is no more room for spots.
func look(p *byte, n int, t *sought, v *survey) (left int) {
	if wide {
		return lookWide(p, n, t, v)
	}
	return lookSlow(p, n, t, v)
}

//go:noescape
func lookWide(p *byte, n int, t *sought, v *survey) (left int)

// classify fills n blocks with what stands in the 64·n bytes at p.
//
//go:noescape
func classify(p *byte, blocks *block, n int)

// colons fills n masks with the colons in the 64·n bytes at p.
//
//go:noescape
func colons(p *byte, masks *uint64, n int)

package rule

// classify fills n blocks with what stands in the 64·n bytes at p.
//
//go:noescape
func classify(p *byte, blocks *block, n int)

// colons fills n masks with the colons in the 64·n bytes at p before which a
// quotation mark or white space stands. It reads the byte before p.
//
//go:noescape
func colons(p *byte, masks *uint64, n int)

// cardBytes fills n masks with the digits, spaces and dashes in 64 bytes each,
// which begin at p and then at every 52nd byte.
//
//go:noescape
func cardBytes(p *byte, masks *uint64, n int)

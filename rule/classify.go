package rule

// block says where in 64 bytes of JSON something stands; bit 0 is the first
// byte.
type block struct {
	quote, slash uint64
	open, close  uint64 // braces and brackets
	colon        uint64
	apart        uint64 // commas and white space
}

// blocksAtOnce is how many blocks are classified in one go.
const blocksAtOnce = 32

// classifySlow is classify without what the processor has for it.
func classifySlow(b []byte, blocks []block) {
	for i := range blocks {
		k := &blocks[i]
		*k = block{}
		for j, c := range b[64*i : 64*i+64] {
			bit := uint64(1) << j
			switch {
			case c <= ' ' || c == ',':
				k.apart |= bit
			case c == '"':
				k.quote |= bit
			case c == '\\':
				k.slash |= bit
			case c == '{' || c == '[':
				k.open |= bit
			case c == '}' || c == ']':
				k.close |= bit
			case c == ':':
				k.colon |= bit
			}
		}
	}
}

// colonsSlow is colons without what the processor has for it.
func colonsSlow(b []byte, masks []uint64) {
	for i := range masks {
		masks[i] = 0
		for j, c := range b[64*i : 64*i+64] {
			if c == ':' {
				masks[i] |= 1 << j
			}
		}
	}
}

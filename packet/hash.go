package packet

import "math/bits"

// golden spreads ports over 64 bits: two different (IPv4 address, port) pairs
// never add up to the same number, since the multiples of golden up to 65535
// lie farther apart than 2^32.
const golden = 0x9E3779B97F4A7C15

// fold multiplies to 128 bits and folds the halves.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// spread derives three keys from a seed (the finalizer of SplitMix64).
func spread(seed uint64) (s [3]uint64) {
	for i := range s {
		seed += golden
		z := seed
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		s[i] = z ^ z>>31
	}
	return s
}

// pair hashes two endpoints so that their order does not matter.
func (ps *Parser) pair(x, y uint64, proto Proto) uint64 {
	lo, hi := min(x, y), max(x, y)
	h := fold(lo^ps.seed[0], hi^ps.seed[1]^uint64(proto)<<48)
	return fold(h^ps.seed[2], golden)
}

// hash is Packet.Hash for the addresses met last.
func (ps *Parser) hash(sport, dport uint16, proto Proto) uint64 {
	return ps.pair(ps.a+uint64(sport)*golden, ps.b+uint64(dport)*golden, proto)
}

package json

import "github.com/passiflow/passiflow/packet"

// clock writes moments as RFC 3339 with nine decimals in UTC. Records come
// close together in time, so it keeps the text of the last even and of the last
// odd second.
type clock [2]struct {
	second int64
	text   [20]byte // "2026-01-02T03:04:05."
	set    bool
}

func (c *clock) append(dst []byte, t packet.Time) []byte {
	second := int64(t) / 1e9
	nanos := int64(t) % 1e9
	if nanos < 0 {
		second--
		nanos += 1e9
	}
	kept := &c[second&1]
	if second != kept.second || !kept.set {
		t.Time().AppendFormat(kept.text[:0], "2006-01-02T15:04:05.")
		kept.text[19] = '.'
		kept.second, kept.set = second, true
	}
	var b [32]byte
	b[0] = '"'
	copy(b[1:], kept.text[:])
	n := uint32(nanos)
	for i := 29; i >= 21; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	b[30], b[31] = 'Z', '"'
	return append(dst, b[:]...)
}

package json

import "github.com/passiflow/passiflow/packet"

// clock writes moments as RFC 3339 with nine decimals in UTC. Records come
// close together in time, so it keeps the text of the last second.
type clock struct {
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
	if second != c.second || !c.set {
		t.Time().AppendFormat(c.text[:0], "2006-01-02T15:04:05.")
		c.text[19] = '.'
		c.second, c.set = second, true
	}
	dst = append(dst, '"')
	dst = append(dst, c.text[:]...)
	var b [11]byte
	n := uint32(nanos)
	for i := 8; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	b[9], b[10] = 'Z', '"'
	return append(dst, b[:]...)
}

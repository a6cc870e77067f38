package pcapfile

import (
	"encoding/binary"
	"iter"
)

func (p *pcapng) u64(b []byte) uint64 {
	if p.swapped {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// options yields the options of a block (draft-ietf-opsawg-pcapng section 3.5)
// as far as they are whole. A broken one ends the list: what a file says beside
// its packets is no reason to lose the packets.
func (p *pcapng) options(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			code, size := p.u16(b), int(p.u16(b[2:]))
			b = b[4:]
			if code == 0 || size > len(b) || !yield(code, b[:size]) {
				return
			}
			b = b[min((size+3)&^3, len(b)):]
		}
	}
}

// statistics keeps what a capture says it lost on an interface; the last such
// block holds.
func (p *pcapng) statistics(b []byte) {
	if len(b) < 12 {
		return
	}
	i := p.u32(b)
	if uint64(i) >= uint64(len(p.ports)) {
		return
	}
	var lost uint64
	for code, value := range p.options(b[12:]) {
		if (code == 5 || code == 7) && len(value) == 8 { // isb_ifdrop, isb_osdrop
			lost += p.u64(value)
		}
	}
	p.lost += lost - p.ports[i].lost
	p.ports[i].lost = lost
	p.s.drops.Store(p.s.dropsDone + p.lost)
}

package filter

import (
	"encoding/binary"
	"math/rand/v2"
)

// crafter makes random packets whose fields hit what the random expressions ask
// for about half of the time.
type crafter struct{ *rand.Rand }

func (c crafter) byte(likely ...byte) byte {
	if c.IntN(5) == 0 {
		return byte(c.Uint32())
	}
	return likely[c.IntN(len(likely))]
}

func (c crafter) num(likely ...uint16) []byte {
	v := uint16(c.Uint32())
	if c.IntN(6) != 0 {
		v = likely[c.IntN(len(likely))]
	}
	return binary.BigEndian.AppendUint16(nil, v)
}

func (c crafter) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(c.Uint32())
	}
	return b
}

func cat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func (c crafter) mac() []byte {
	all := [][]byte{{0, 0x11, 0x22, 0x33, 0x44, 0x55}, {255, 255, 255, 255, 255, 255}, {1, 0, 0x5e, 0, 0, 1}, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	return all[c.IntN(len(all))]
}

func (c crafter) addr4() []byte {
	all := [][]byte{{10, 0, 0, 1}, {10, 0, 0, 2}, {192, 168, 1, 7}, {10, 9, 8, 7}, {255, 255, 255, 255}, {224, 0, 0, 1}, {0, 0, 0, 0}, {192, 168, 1, 9}}
	return all[c.IntN(len(all))]
}

func (c crafter) addr6() []byte {
	a := make([]byte, 16)
	switch c.IntN(6) {
	case 0:
		a[15] = 1
	case 1:
		a[0], a[1], a[15] = 0xfe, 0x80, 1
	case 2:
		copy(a, []byte{0x20, 1, 0xd, 0xb8})
		a[15] = byte(c.IntN(2))
	case 3:
		for i := range 8 {
			a[2*i+1] = byte(i + 1)
		}
	case 4:
		a[0], a[1], a[15] = 0xff, 2, 1
	default:
		copy(a, c.noise(16))
	}
	return a
}

func (c crafter) port() []byte { return c.num(80, 443, 53, 22, 8080, 6081, 20, 123, 1024) }

// transport is what IP carries.
func (c crafter) transport(proto byte, depth int) []byte {
	switch proto {
	case 6:
		return cat(c.port(), c.port(), c.noise(8), []byte{c.byte(0x50, 0x60, 0x80), c.byte(2, 0x12, 0x10, 0x18, 1)}, c.noise(6), []byte("GET / HTTP/1.1\r\n"))
	case 17:
		d := c.port()
		if binary.BigEndian.Uint16(d) == 6081 && depth > 0 {
			vni := []byte{0, 0, c.byte(42)}
			options := c.IntN(3)
			if c.IntN(3) > 0 {
				return cat(c.port(), d, c.noise(4), []byte{byte(options), 0, 0x65, 0x58}, vni, []byte{0}, c.noise(4*options), c.ethernet(depth-1))
			}
			return cat(c.port(), d, c.noise(4), []byte{byte(options) | c.byte(0, 0, 0x40)}, []byte{0}, []byte{8, 0}, vni, []byte{0}, c.noise(4*options), c.ipv4(depth-1))
		}
		return cat(c.port(), d, c.num(8, 20, 100), c.noise(2), c.noise(c.IntN(20)))
	case 132:
		return cat(c.port(), c.port(), c.noise(16))
	case 1:
		return cat([]byte{c.byte(8, 0, 3), c.byte(0, 1)}, c.noise(10))
	case 58:
		return cat([]byte{c.byte(128, 135, 1), c.byte(0)}, c.noise(20))
	}
	return c.noise(c.IntN(40))
}

func (c crafter) ipv4(depth int) []byte {
	proto := c.byte(6, 6, 17, 17, 1, 2, 132, 51, 89, 47, 9, 103, 112, 50)
	words := 5
	if c.IntN(5) == 0 {
		words += c.IntN(11)
	}
	frag := []byte{c.byte(0, 0, 0x40, 0x20), 0}
	if c.IntN(6) == 0 {
		frag = c.noise(2)
	}
	var inner []byte
	if proto == 51 {
		next := c.byte(6, 17, 1, 51)
		inner = cat([]byte{next, c.byte(4, 2, 0)}, c.noise(22), c.transport(next, 0))
	} else {
		inner = c.transport(proto, depth)
	}
	return cat([]byte{byte(0x40 | words), 0}, c.num(40, 576, 1500), c.noise(2), frag, []byte{64, proto}, c.noise(2), c.addr4(), c.addr4(),
		c.noise(words*4-20), inner)
}

func (c crafter) ipv6(depth int) []byte {
	first := c.byte(6, 6, 17, 58, 132, 0, 43, 44, 60, 51, 59)
	head := cat([]byte{0x60, 0, 0, 0}, c.num(40, 20), []byte{first, 64}, c.addr6(), c.addr6())
	next := first
	for range 6 {
		var ext []byte
		after := c.byte(6, 17, 58, 132, 0, 43, 44, 60, 51, 59)
		switch next {
		case 0, 43, 60:
			n := c.IntN(2)
			ext = cat([]byte{after, byte(n)}, c.noise(6+8*n))
		case 44:
			ext = cat([]byte{after, 0}, c.num(0, 1, 8), c.noise(4))
		case 51:
			ext = cat([]byte{after, 4}, c.noise(22))
		}
		if ext == nil {
			break
		}
		head, next = append(head, ext...), after
	}
	return append(head, c.transport(next, depth)...)
}

// inner is a protocol type and what follows it.
func (c crafter) inner(depth int) (uint16, []byte) {
	n := c.IntN(20)
	if depth <= 0 && n >= 12 && n < 17 {
		n = 0
	}
	switch n {
	default:
		return 0x800, c.ipv4(depth)
	case 5, 6, 7, 8:
		return 0x86dd, c.ipv6(depth)
	case 9, 10:
		typ := uint16(0x806)
		if c.IntN(3) == 0 {
			typ = 0x8035
		}
		return typ, cat([]byte{0, 1, 8, 0, 6, 4, 0, 1}, c.mac(), c.addr4(), c.mac(), c.addr4())
	case 12, 13:
		typ, in := c.inner(depth - 1)
		tags := []uint16{0x8100, 0x88a8, 0x9100, 0x8100}
		return tags[c.IntN(4)], cat([]byte{byte(c.IntN(4)) << 5, c.byte(7, 9)}, binary.BigEndian.AppendUint16(nil, typ), in)
	case 14:
		labels := []byte{}
		for range c.IntN(2) {
			labels = append(labels, 0, 6, 0x40|c.byte(0, 1)&1, 64)
		}
		labels = append(labels, 0, c.byte(6, 12), 0x40|c.byte(1, 1, 0)&1, 64)
		in := c.ipv4(depth - 1)
		if c.IntN(3) == 0 {
			in = c.ipv6(depth - 1)
		}
		return 0x8847, append(labels, in...)
	case 15:
		in := cat([]byte{0, 0x21}, c.ipv4(depth-1))
		switch c.IntN(4) {
		case 0:
			in = cat([]byte{0, 0x57}, c.ipv6(depth-1))
		case 1:
			in = cat([]byte{2, 0x81}, []byte{0, 6, 0x41, 64}, c.ipv4(depth-1))
		}
		return 0x8864, cat([]byte{0x11, 0, 0, c.byte(0x11)}, c.num(40), in)
	case 16:
		return 0x8863, c.noise(20)
	case 17:
		types := []uint16{0x809b, 0x80f3, 0x6003, 0x6004, 0x6007, 0x6001, 0x6002, 0x9000, 0x8137}
		return types[c.IntN(len(types))], cat([]byte{c.byte(1), c.byte(0), c.byte(2, 6, 0x81), c.byte(6, 2)}, c.noise(40))
	case 18, 19:
		llc := [][]byte{{0xfe, 0xfe, 3, 0x83, 27, 1, 0, c.byte(15, 16, 17, 18, 20, 24, 25, 26, 27)}, {0x42, 0x42, 3}, {0xe0, 0xe0, 3}, {0xff, 0xff, 0}, {0xf0, 0xf0, 0x03},
			{0xaa, 0xaa, 3, 0, 0, 0, 0x81, 0x37}, {0xaa, 0xaa, 3, 8, 0, 7, 0x80, 0x9b}, {0xaa, 0xaa, 3, 0, 0, 0, 0x80, 0xf3}, {6, 6, 3}, {0xfe, 0xfe, 3, c.byte(0x81, 0x82)},
			{1, 2, c.byte(0, 1, 5, 9, 3, 0xaf, 0xe3, 0x63)}}
		return uint16(c.IntN(200)), append(append([]byte(nil), llc[c.IntN(len(llc))]...), c.noise(30)...)
	}
}

func (c crafter) ethernet(depth int) []byte {
	typ, in := c.inner(depth)
	return cat(c.mac(), c.mac(), binary.BigEndian.AppendUint16(nil, typ), in)
}

// frame is a packet of a link type.
func (c crafter) frame(link uint32) []byte {
	var p []byte
	typ, in := c.inner(2)
	be := binary.BigEndian.AppendUint16(nil, typ)
	ppp := map[uint16]uint16{0x800: 0x21, 0x86dd: 0x57, 0x8847: 0x281, 0x809b: 0x29}[typ]
	if ppp == 0 {
		ppp = typ
	}
	pppType := binary.BigEndian.AppendUint16(nil, ppp)
	switch link {
	case linkEthernet:
		p = c.ethernet(2)
	case linkSLL:
		if typ < 1500 {
			be = []byte{0, c.byte(1, 4, 4)}
		}
		p = cat([]byte{0, c.byte(0, 4), 0, 1, 0, 6}, c.mac(), c.noise(2), be, in)
	case linkSLL2:
		p = cat(be, []byte{0, 0, 0, 0, 0, c.byte(1, 2), 0, 1, c.byte(0, 4), 6}, c.mac(), c.noise(2), in)
	case linkNull:
		af := map[uint16]byte{0x800: 2, 0x86dd: []byte{24, 28, 30}[c.IntN(3)]}[typ]
		p = cat([]byte{af, 0, 0, 0}, in)
	case linkLoop:
		af := map[uint16]byte{0x800: 2, 0x86dd: []byte{24, 28, 30}[c.IntN(3)]}[typ]
		p = cat([]byte{0, 0, 0, af}, in)
	case linkPPP, linkPPPHDLC, linkPPPD:
		p = cat([]byte{c.byte(0xff, 0, 1), 3}, pppType, in)
	case linkPPPoE:
		p = cat([]byte{0x11, 0, 0, 0x11, 0, 40}, pppType, in)
	case linkCHDLC:
		if typ < 1500 {
			be = []byte{0xfe, 0xfe}
		}
		p = cat([]byte{0x0f, 0}, be, in)
	case linkARCNET:
		p = cat([]byte{c.byte(0, 5), c.byte(0, 5), c.byte(212, 240, 0xc4, 213, 241, 214, 221), 0, 0, 0}, in)
	case linkARCLinux:
		p = cat([]byte{c.byte(0, 5), c.byte(0, 5), 0, 0, c.byte(212, 240, 0xc4, 213, 241, 214, 221), 0, 0, 0}, in)
	case linkIPv6:
		p = c.ipv6(2)
	case linkIPv4:
		p = c.ipv4(2)
	default:
		p = in
	}
	if c.IntN(4) == 0 {
		p = p[:c.IntN(len(p)+1)]
	}
	return p
}

package filter

import "fmt"

// generator turns the tree into conditions. It goes through the text from left
// to right, because "vlan", "mpls", "pppoes" and "geneve" move the offsets of
// all that is written after them.
type generator struct {
	layout
	options Options
	outer   uint32 // link type of the capture
	used    uint16 // scratch words in use
	live    int    // registers that libpcap would have in use
	located bool   // something needs the prologue of a link type of variable length
	err     *Error
	at      span // of the node in work
}

func (g *generator) fail(format string, args ...any) condition {
	if g.err == nil {
		g.err = &Error{Offset: g.at.off, Length: g.at.end - g.at.off, Msg: fmt.Sprintf(format, args...)}
	}
	return fixed(false)
}

// word reserves a scratch word for an offset, from the low end.
func (g *generator) word() uint32 {
	for i := range uint32(guardWord) {
		if g.used&(1<<i) == 0 {
			g.used |= 1 << i
			return i
		}
	}
	g.fail("too many numbers are in use at once")
	return 0
}

// temporary reserves a scratch word until free, from the high end: what lies in
// the word of an offset that was never found must not be something else.
func (g *generator) temporary() uint32 {
	for i := range uint32(guardWord) {
		if w := guardWord - 1 - i; g.used&(1<<w) == 0 {
			g.used |= 1 << w
			return w
		}
	}
	g.fail("too many numbers are in use at once")
	return 0
}

func (g *generator) free(word uint32) { g.used &^= 1 << word }

// hold counts a register as libpcap counts them, so that what is too much for
// one is too much for the other.
func (g *generator) hold() {
	if g.live++; g.live > 16 {
		g.fail("too many numbers are in use at once")
	}
}

func (g *generator) expression(n node, link uint32) condition {
	switch n := n.(type) {
	case *eitherNode:
		return anyOf(g.members(n.members, link))
	case *everyoneNode:
		return all(fixed(true), g.members(n.members, link)...)
	}
	l, err := layoutOf(link)
	if err != nil {
		return g.fail("%v", err)
	}
	g.layout, g.outer = l, link
	if link == linkNFLOG {
		g.payload = offset{variable: true, word: g.word()}
	}
	c := g.node(n)
	if link == linkNFLOG && g.located {
		c = both{nflogPayload{g.payload.word}, c}
	}
	return c
}

// members translates whole expressions, each with offsets of its own.
func (g *generator) members(members []*Expression, link uint32) []condition {
	var out []condition
	for _, m := range members {
		part := &generator{options: g.options}
		c := part.expression(m.root, link)
		if part.used != 0 { // what another member left there is no offset of this one
			zero := step{{opLdImm, 0}}
			for w := range uint32(guardWord) {
				if part.used&(1<<w) != 0 {
					zero = append(zero, ins{opSt, w})
				}
			}
			c = both{zero, c}
		}
		out = append(out, c)
		if part.err != nil && g.err == nil {
			g.err = part.err
			if g.err.in == nil {
				g.err.in = m
			}
		}
	}
	return out
}

func (g *generator) node(n node) condition {
	switch n := n.(type) {
	case *innermostNode:
		return g.innermost(n)
	case everyNode:
		return fixed(true)
	case *andNode:
		left := g.node(n.left)
		return both{left, g.node(n.right)}
	case *orNode:
		left := g.node(n.left)
		return either{left, g.node(n.right)}
	case *notNode:
		return opposite(g.node(n.x))
	case *valueNode:
		g.at = n.span
		return g.value(n)
	case *protoNode:
		g.at = n.span
		return g.protocol(n.proto)
	case *castNode:
		g.at = n.span
		if n.multi {
			return g.multicast(n.proto)
		}
		return g.broadcast(n.proto)
	case *wordNode:
		g.at = n.span
		return g.primitive(n)
	case *relationNode:
		return g.relation(n)
	}
	return g.fail("unknown node %T", n)
}

// origin is what an offset counts from.
type origin uint8

const (
	fromHeader  origin = iota
	fromType           // the field that says what is inside
	fromPayload        // right behind the link layer
	fromNetwork        // the same behind MPLS labels
	fromLLC            // the network layer behind an LLC header without SNAP
	fromTransport4
	fromTransport6 // no extension headers
)

// load returns the instructions that load size bytes into A.
func (g *generator) load(from origin, off uint32, size uint16) []ins {
	switch from {
	case fromHeader:
		return g.loadAt(g.header, off, size)
	case fromType:
		return g.loadAt(g.typ, off, size)
	case fromPayload:
		return g.loadAt(g.payload, off, size)
	case fromNetwork:
		return g.loadAt(g.payload, g.network+off, size)
	case fromLLC:
		return g.loadAt(g.payload, g.llc+off, size)
	case fromTransport6:
		return g.loadAt(g.payload, g.network+40+off, size)
	}
	return append(g.behindIPv4(), ins{opLdInd | size, g.payload.base + g.network + off})
}

func (g *generator) loadAt(o offset, off uint32, size uint16) []ins {
	if !o.variable {
		return []ins{{opLdAbs | size, o.base + off}}
	}
	g.located = true
	return []ins{{opLdxMem, o.word}, {opLdInd | size, o.base + off}}
}

// behindIPv4 returns the instructions that set X to the length of the IPv4
// header, plus what is variable before it. They clobber A when the payload's
// place is variable.
func (g *generator) behindIPv4() []ins {
	at := g.payload.base + g.network
	if !g.payload.variable {
		return []ins{{opLdxMsh, at}}
	}
	g.located = true
	return []ins{{opLdxMem, g.payload.word}, {opLdInd | sizeB, at}, {opAlu | aluAnd, 15}, {opAlu | aluLsh, 2},
		{opAlu | aluAdd | withX, 0}, {opTax, 0}}
}

func (g *generator) equal(from origin, off uint32, size uint16, v uint32) condition {
	return &test{g.load(from, off, size), opJeq, v}
}

func (g *generator) masked(from origin, off uint32, size uint16, v, mask uint32) condition {
	code := g.load(from, off, size)
	if mask != 0xffffffff {
		code = append(code, ins{opAlu | aluAnd, mask})
	}
	return &test{code, opJeq, v}
}

func (g *generator) atLeast(from origin, off uint32, size uint16, v uint32) condition {
	return &test{g.load(from, off, size), opJge, v}
}

func (g *generator) greater(from origin, off uint32, size uint16, v uint32) condition {
	return &test{g.load(from, off, size), opJgt, v}
}

// bytes compares several bytes, the last ones first.
func (g *generator) bytes(from origin, off uint32, want []byte) condition {
	var c condition
	add := func(t condition) {
		if c == nil {
			c = t
		} else {
			c = both{c, t}
		}
	}
	for n := len(want); n > 0; {
		size, width := uint16(sizeB), 1
		switch {
		case n >= 4:
			size, width = sizeW, 4
		case n >= 2:
			size, width = sizeH, 2
		}
		n -= width
		v := uint32(0)
		for _, b := range want[n : n+width] {
			v = v<<8 | uint32(b)
		}
		add(g.equal(from, off+uint32(n), size, v))
	}
	return c
}

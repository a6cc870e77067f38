package filter

// maxHeaders is how many extension headers "protochain" passes. A program has no
// loops, so the way through them is written out.
const maxHeaders = 12

// chain is "protochain": the protocol somewhere in the chain of headers.
func (g *generator) chain(v uint32, p proto) condition {
	g.hold()
	typ := uint32(typeIPv4)
	switch p {
	case pDefault:
		c := g.chain(v, pIP)
		return either{c, g.chain(v, pIP6)} // libpcap keeps this register for good
	case pIP:
	case pIP6:
		typ = typeIPv6
	default:
		return g.fail("\"%s protochain\" means nothing: only ip and ip6 have chains of headers", protoName(p))
	}
	if g.payload.variable {
		return g.fail("\"protochain\" cannot follow what has no fixed length")
	}
	c := headers{want: v, six: p == pIP6, base: g.payload.base + g.network, proto: g.temporary(), at: g.temporary()}
	g.free(c.proto)
	g.free(c.at)
	g.live--
	return both{g.carries(typ), c}
}

// headers walks a chain of headers. Scratch words hold the next header's
// protocol and its distance from base.
type headers struct {
	want, base, proto, at uint32
	six                   bool
}

func (h headers) emit(g *graph, t, f *block) *block {
	code := []ins{{opLdAbs | sizeB, h.base + 9}, {opSt, h.proto}, {opLdxMsh, h.base}, {opStx, h.at}}
	if h.six {
		code = []ins{{opLdAbs | sizeB, h.base + 6}, {opSt, h.proto}, {opLdImm, 40}, {opSt, h.at}}
	}
	next := f
	is := func(v uint32, yes, no *block) *block { return g.branch([]ins{{opLdMem, h.proto}}, opJeq, v, yes, no) }
	for range maxHeaders {
		begin := []ins{{opLdxMem, h.at}, {opLdInd | sizeB, h.base}, {opSt, h.proto}, {opLdInd | sizeB, h.base + 1}}
		// libpcap counts the distance behind an authentication header from the
		// header itself and not from base; so does this.
		auth := g.branch(append(begin[:4:4], ins{opAlu | aluAdd, 2}, ins{opAlu | aluMul, 4}, ins{opSt, h.at}), opJa, 0, next, next)
		no := is(numAH, auth, f)
		if h.six {
			option := g.branch(append(begin[:4:4], ins{opAlu | aluAdd, 1}, ins{opAlu | aluMul, 8}, ins{opAlu | aluAdd | withX, 0},
				ins{opSt, h.at}), opJa, 0, next, next)
			for _, v := range []uint32{numFragment, numRouting, numDestOpts, numHopByHop} {
				no = is(v, option, no)
			}
		}
		next = is(h.want, t, is(numNone, f, no))
	}
	return g.branch(code, opJa, 0, next, next)
}

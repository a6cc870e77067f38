package filter

// vlan is "vlan" with or without an identifier. What follows it in the text is
// looked for behind the tag.
func (g *generator) vlan(id uint32, has bool) condition {
	switch {
	case g.labels > 0:
		return g.fail("\"vlan\" cannot follow \"mpls\"")
	case g.link != linkEthernet:
		return g.fail("there are no VLAN tags on %s", linkName(g.link))
	case has && id > 0xfff:
		return g.fail("%d is no VLAN: at most 4095", id)
	}
	c := some(g.carries(typeVLAN), g.carries(typeQinQ), g.carries(typeQinQ91))
	if has {
		c = both{c, g.masked(fromNetwork, 0, sizeH, id, 0xfff)}
	}
	if g.options.Live && g.tags == 0 && !g.header.variable && g.header.base == 0 {
		// The outermost tag may lie beside the frame. A scratch word holds how
		// far a tag inside moved the rest.
		moved := g.word()
		g.hold()
		g.hold()
		var beside condition = step{{opLdImm, 0}, {opSt, moved}}
		if has {
			beside = both{beside, &test{[]ins{{opLdAbs | sizeW, anciTag}, {opAlu | aluAnd, 0xfff}}, opJeq, id}}
		}
		c = choice{&test{[]ins{{opLdAbs | sizeW, anciTagPresent}}, opJeq, 1}, beside, both{step{{opLdImm, 4}, {opSt, moved}}, c}}
		g.payload.variable, g.payload.word = true, moved
		g.typ.variable, g.typ.word = true, moved
	} else {
		g.payload.base += 4
		g.typ.base += 4
	}
	g.tags++
	return c
}

// mpls is "mpls" with or without a label. What follows it in the text is looked
// for behind the label.
func (g *generator) mpls(label uint32, has bool) condition {
	var c condition
	switch {
	case g.labels > 0: // not the bottom of the stack
		c = &test{append(g.loadAt(g.payload, g.network-2, sizeB), ins{opAlu | aluAnd, 1}), opJeq, 0}
	case g.link == linkEthernet || g.link == linkCHDLC:
		c = g.carries(typeMPLS)
	case g.link == linkPPP:
		c = g.carries(pppMPLS)
	default:
		return g.fail("there are no MPLS labels on %s", linkName(g.link))
	}
	if has {
		if label > 0xfffff {
			return g.fail("%d is no MPLS label: at most 1048575", label)
		}
		c = both{c, g.masked(fromNetwork, 0, sizeW, label<<12, 0xfffff000)}
	}
	g.network += 4
	g.llc += 4
	g.labels++
	return c
}

// pppoe is a PPPoE session, with or without its number. What follows it in the
// text is looked for behind the PPP header.
func (g *generator) pppoe(session uint32, has bool) condition {
	c := g.carries(typePPPoES)
	if has {
		if session > 0xffff {
			return g.fail("%d is no PPPoE session: at most 65535", session)
		}
		c = both{c, g.masked(fromNetwork, 0, sizeW, session, 0xffff)}
	}
	g.link, g.inGeneve = linkPPP, false
	g.header = g.payload
	g.header.base += g.network + 6
	g.typ = g.header
	g.payload.base = g.header.base + 2
	g.network, g.llc = 0, 0
	return c
}

const genevePort = 6081

// geneve is GENEVE (RFC 8926) over UDP, with or without an identifier. What
// follows it in the text is looked for in the frame inside.
func (g *generator) geneve(vni uint32, has bool) condition {
	if has && vni > 0xffffff {
		return g.fail("%d is no GENEVE identifier: at most 16777215", vni)
	}
	check := func(c condition, from origin) condition {
		c = both{c, g.masked(from, 8, sizeB, 0, 0xc0)}
		if has {
			c = both{c, g.masked(from, 12, sizeW, vni<<8, 0xffffff00)}
		}
		return c
	}
	four := check(g.ports4(genevePort, genevePort, numUDP, dDst), fromTransport4)
	six := check(g.ports6(genevePort, genevePort, numUDP, dDst), fromTransport6)
	// Where the GENEVE header is, by the version of IP.
	before := g.payload.base + g.network + 8
	at4 := append(g.behindIPv4(), ins{opTxa, 0}, ins{opAlu | aluAdd, before})
	at6 := []ins{{opLdImm, 40 + before}}
	if g.payload.variable {
		at6 = []ins{{opLdMem, g.payload.word}, {opAlu | aluAdd, 40 + before}}
	}
	typ, header, payload := g.word(), g.word(), g.word()
	for range 3 {
		g.hold()
	}
	find := some(both{four, step(append(at4, ins{opSt, typ}))}, both{six, step(append(at6, ins{opSt, typ}))})
	measure := step{{opLdxMem, typ}, {opLdInd | sizeB, 0}, {opAlu | aluAnd, 0x3f}, {opAlu | aluLsh, 2}, {opAlu | aluAdd, 8},
		{opAlu | aluAdd | withX, 0}, {opSt, header}, {opTxa, 0}, {opAlu | aluAdd, 2}, {opSt, typ}}
	ethernet := &test{[]ins{{opLdxMem, typ}, {opLdInd | sizeH, 0}}, opJeq, typeTEB}
	c := all(find, measure, choice{ethernet,
		step{{opLdMem, header}, {opAlu | aluAdd, 12}, {opSt, typ}, {opAlu | aluAdd, 2}, {opSt, payload}},
		step{{opLdMem, header}, {opSt, payload}}})
	g.link, g.inGeneve = linkEthernet, true
	g.header = offset{0, true, header}
	g.typ = offset{0, true, typ}
	g.payload = offset{0, true, payload}
	g.network = 0
	return c
}

// behindGeneve adds to a test of Ethernet addresses that there is Ethernet: a
// GENEVE header can also be followed by IP at once.
func (g *generator) behindGeneve(c condition) condition {
	if !g.inGeneve {
		return c
	}
	there := opposite(&test{[]ins{{opLdxMem, g.payload.word}, {opLdMem, g.header.word}}, opJeq | withX, 0})
	return both{there, c}
}

// nflogPayload puts the place of the packet inside an NFLOG record in a scratch
// word. The packet is one of several attributes; lengths and types are in the
// byte order of the host that captured, which shows in the type, because all
// are below 256.
type nflogPayload struct{ word uint32 }

// maxAttributes bounds how many are skipped; Linux writes fewer.
const maxAttributes = 16

func (n nflogPayload) emit(g *graph, t, f *block) *block {
	at := ins{opLdxMem, n.word}
	found := step{at, {opTxa, 0}, {opAlu | aluAdd, 4}, {opSt, n.word}}.emit(g, t, f)
	next := f
	for range maxAttributes {
		skip := func(low, high uint32) *block {
			code := []ins{at, {opLdInd | sizeB, high}, {opAlu | aluLsh, 8}, {opSt, guardWord}, {opLdInd | sizeB, low},
				{opLdxMem, guardWord}, {opAlu | aluAdd | withX, 0}, {opAlu | aluAdd, 3}, {opAlu | aluAnd, 0xfffffffc},
				at, {opAlu | aluAdd | withX, 0}, {opSt, n.word}}
			return g.branch(code, opJa, 0, next, next)
		}
		little, big := skip(0, 1), skip(1, 0)
		order := g.branch([]ins{at, {opLdInd | sizeB, 2}}, opJeq, 0, big, little)
		swapped := g.branch([]ins{at, {opLdInd | sizeH, 2}}, opJeq, 0x0900, found, order)
		next = g.branch([]ins{at, {opLdInd | sizeH, 2}}, opJeq, 9, found, swapped)
	}
	return g.branch([]ins{{opLdImm, 4}, {opSt, n.word}}, opJa, 0, next, next)
}

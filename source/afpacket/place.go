package afpacket

import "golang.org/x/net/bpf"

// The fanout program places a packet: it returns a hash of the innermost
// address pair it can reach, and the kernel takes it modulo the count of
// workers. It is the same for both directions, knows no ports (fragments have
// none) and no device, so that a conversation meets in one worker wherever its
// packets come from. Whatever carries no IP, and tunnels nested deeper than
// maxNesting, give 0: the first worker.
//
// Classic BPF has no loops, so the walk through the headers is written out once
// for each IP header. X holds the offset from the kernel's view of the packet,
// which begins at the network header for what came in and at the link header
// for what goes out.

const (
	maxNesting = 4 // tunnels that the program looks into, packet.MaxDepth
	maxTags    = 3 // VLAN tags in the frame in a row
	maxLabels  = 4 // MPLS labels in a row
	maxOptions = 4 // IPv6 extension headers in a row
)

// Scratch memory.
const (
	memHash   = iota // of the last address pair
	memSrc           // folded source, or a term
	memDst           // folded destination
	memBase          // X kept aside
	memValue         // protocol or EtherType kept aside
	memLength        // GRE flags kept aside
)

// level holds the labels of one IP header and of what may come before it.
type level struct {
	ether, llc, mpls, pppoe label
	tag                     [maxTags + 1]label // EtherType in A, X behind it
	ip4, ip6, transport     label
}

type placer struct {
	program
	vxlan, geneve []uint16 // UDP ports beside the assigned ones
	level         [maxNesting + 1]level
	last          label // return the last hash
	deep          label // return 0
}

// placement returns the fanout program. VXLAN and GENEVE are looked for on the
// given UDP ports, too.
func placement(vxlan, geneve []uint16) ([]bpf.RawInstruction, error) {
	return placing((*placer).entry, vxlan, geneve)
}

// placing writes the program behind its entry, which knows how a packet begins.
func placing(entry func(*placer), vxlan, geneve []uint16) ([]bpf.RawInstruction, error) {
	p := &placer{vxlan: vxlan, geneve: geneve}
	p.last, p.deep = p.label(), p.label()
	for i := range p.level {
		l := &p.level[i]
		for _, to := range []*label{&l.ether, &l.llc, &l.mpls, &l.pppoe, &l.ip4, &l.ip6, &l.transport} {
			*to = p.label()
		}
		for t := range l.tag {
			l.tag[t] = p.label()
		}
	}
	entry(p)
	for i := range p.level {
		p.link(i)
		p.network4(i)
		p.network6(i)
		p.transport(i)
	}
	p.place(p.last)
	p.op(opLdMem, memHash)
	p.op(opRetA, 0)
	p.place(p.deep)
	p.op(opRetK, 0)
	return p.assemble()
}

// next returns the level inside level i, or nil when that is too deep.
func (p *placer) next(i int) *level {
	if i+1 < len(p.level) {
		return &p.level[i+1]
	}
	return nil
}

func (p *placer) entry() {
	l := &p.level[0]
	p.op(opLdImm, 0)
	p.op(opSt, memHash)
	p.op(opLdxImm, 0)
	out := p.label()
	p.op(opLdW, adPktType)
	p.on(opJeq, packetOutgoing, out)
	p.op(opLdH, adProtocol)
	p.on(opJeq, 4, l.llc) // ETH_P_802_2
	p.jump(l.tag[0])
	p.place(out)
	p.op(opLdH, adHardware)
	p.on(opJeq, 1, l.ether)   // ARPHRD_ETHER
	p.on(opJeq, 772, l.ether) // ARPHRD_LOOPBACK
	p.op(opLdH, adProtocol)
	p.jump(l.tag[0])
}

// need goes to the last hash unless n bytes follow X.
func (p *placer) need(n uint32) {
	inside, enough := p.label(), p.label()
	p.op(opLdLen, 0)
	p.on(opJgeX, 0, inside)
	p.jump(p.last)
	p.place(inside)
	p.op(opSubX, 0)
	p.on(opJge, n, enough)
	p.jump(p.last)
	p.place(enough)
}

// skip adds n to X and clobbers A.
func (p *placer) skip(n uint32) {
	p.op(opTxa, 0)
	p.op(opAdd, n)
	p.op(opTax, 0)
}

// unless goes to the last hash unless A equals k.
func (p *placer) unless(k uint32) {
	same := p.label()
	p.on(opJeq, k, same)
	p.jump(p.last)
	p.place(same)
}

// link writes everything between a tunnel and the IP header it carries.
func (p *placer) link(i int) {
	l := &p.level[i]
	typed := p.label()

	p.place(l.ether)
	p.need(14)
	p.op(opLdHX, 12)
	p.op(opSt, memValue)
	p.skip(14)
	p.op(opLdMem, memValue)
	p.on(opJgt, 1500, typed)

	p.place(l.llc) // IEEE 802.2 with SNAP, RFC 1042
	p.need(8)
	p.op(opLdWX, 0)
	p.unless(0xaaaa0300)
	p.op(opLdHX, 6)
	p.op(opSt, memValue)
	p.op(opLdBX, 4)
	p.unless(0)
	p.skip(8)
	p.op(opLdMem, memValue)
	p.place(typed)
	p.jump(l.tag[0])

	for t, place := range l.tag {
		p.place(place)
		p.on(opJeq, 0x0800, l.ip4)
		p.on(opJeq, 0x86dd, l.ip6)
		p.on(opJeq, 0x8847, l.mpls)
		p.on(opJeq, 0x8848, l.mpls)
		p.on(opJeq, 0x8864, l.pppoe)
		if t == maxTags {
			p.jump(p.last)
			break
		}
		tag := p.label()
		for _, tpid := range []uint32{0x8100, 0x88a8, 0x9100, 0x9200} {
			p.on(opJeq, tpid, tag)
		}
		p.jump(p.last)
		p.place(tag)
		p.need(4)
		p.op(opLdHX, 2)
		p.op(opSt, memValue)
		p.skip(4)
		p.op(opLdMem, memValue)
	}

	p.place(l.pppoe) // RFC 2516: 0x11, code 0, session, length, PPP protocol
	p.need(8)
	p.op(opLdHX, 0)
	p.unless(0x1100)
	p.op(opLdHX, 6)
	p.op(opSt, memValue)
	p.skip(8)
	p.op(opLdMem, memValue)
	p.on(opJeq, 0x0021, l.ip4)
	p.on(opJeq, 0x0057, l.ip6)
	p.jump(p.last)

	p.place(l.mpls) // RFC 3032
	bottom := p.label()
	for range maxLabels {
		p.need(4)
		p.op(opLdBX, 2)
		p.op(opAnd, 1)
		p.op(opSt, memValue)
		p.skip(4)
		p.op(opLdMem, memValue)
		p.on(opJeq, 1, bottom)
	}
	p.jump(p.last)
	p.place(bottom)
	p.need(4)
	p.op(opLdBX, 0)
	p.op(opAnd, 0xf0)
	p.on(opJeq, 0x40, l.ip4)
	p.on(opJeq, 0x60, l.ip6)
	// A pseudowire that carries Ethernet, with a control word (RFC 4448) or
	// without: the second ether, because jumps only go forward.
	frame := p.label()
	word := p.label()
	p.on(opJeq, 0, word)
	p.jump(frame)
	p.place(word)
	p.skip(4)
	p.place(frame)
	p.need(14)
	p.op(opLdHX, 12)
	p.op(opSt, memValue)
	p.skip(14)
	p.op(opLdMem, memValue)
	p.on(opJeq, 0x0800, l.ip4)
	p.on(opJeq, 0x86dd, l.ip6)
	tag := p.label()
	p.on(opJeq, 0x8100, tag)
	p.jump(p.last)
	p.place(tag)
	p.need(4)
	p.op(opLdHX, 2)
	p.op(opSt, memValue)
	p.skip(4)
	p.op(opLdMem, memValue)
	p.on(opJeq, 0x0800, l.ip4)
	p.on(opJeq, 0x86dd, l.ip6)
	p.jump(p.last)
}

func (p *placer) network4(i int) {
	l := &p.level[i]
	p.place(l.ip4)
	p.need(20)
	p.op(opLdBX, 0)
	p.op(opAnd, 0xf0)
	p.unless(0x40)
	p.op(opLdBX, 0)
	p.op(opAnd, 0x0f)
	valid := p.label()
	p.on(opJge, 5, valid)
	p.jump(p.last)
	p.place(valid)
	p.op(opLdWX, 12)
	p.op(opSt, memSrc)
	p.op(opLdWX, 16)
	p.op(opSt, memDst)
	p.hash()
	p.op(opLdHX, 6) // every fragment of a datagram, also the first, goes by this pair
	p.op(opAnd, 0x3fff)
	p.unless(0)
	p.op(opLdBX, 9)
	p.op(opSt, memValue)
	p.op(opLdBX, 0)
	p.op(opAnd, 0x0f)
	p.op(opLsh, 2)
	p.op(opAddX, 0)
	p.op(opTax, 0)
	p.op(opLdMem, memValue)
	p.jump(l.transport)
}

func (p *placer) network6(i int) {
	l := &p.level[i]
	p.place(l.ip6)
	p.need(40)
	p.op(opLdBX, 0)
	p.op(opAnd, 0xf0)
	p.unless(0x60)
	p.op(opStx, memBase)
	for _, side := range []struct{ at, mem uint32 }{{8, memSrc}, {24, memDst}} {
		p.op(opLdWX, side.at)
		p.op(opMul, foldPrime)
		p.op(opSt, side.mem)
		for word := uint32(4); word < 16; word += 4 {
			p.op(opLdWX, side.at+word)
			p.op(opLdxMem, side.mem)
			p.op(opXorX, 0)
			p.op(opMul, foldPrime)
			p.op(opSt, side.mem)
			p.op(opLdxMem, memBase)
		}
	}
	p.hash()
	p.op(opLdBX, 6)
	p.op(opSt, memValue)
	p.skip(40)
	p.op(opLdMem, memValue)
	for range maxOptions { // RFC 8200 section 4
		option, fragment, auth, done := p.label(), p.label(), p.label(), p.label()
		p.on(opJeq, 0, option)
		p.on(opJeq, 43, option)
		p.on(opJeq, 60, option)
		p.on(opJeq, 44, fragment)
		p.on(opJeq, 51, auth)
		p.jump(l.transport)
		p.place(fragment)
		p.need(8)
		p.op(opLdHX, 2)
		p.op(opAnd, 0xfff9)
		p.unless(0)
		p.op(opLdBX, 0)
		p.op(opSt, memValue)
		p.skip(8)
		p.jump(done)
		for _, kind := range []struct {
			place label
			extra uint32 // RFC 4302 counts in words, the others in double words
			shift uint32
		}{{auth, 2, 2}, {option, 1, 3}} {
			p.place(kind.place)
			p.need(8)
			p.op(opLdBX, 0)
			p.op(opSt, memValue)
			p.op(opLdBX, 1)
			p.op(opAdd, kind.extra)
			p.op(opLsh, kind.shift)
			p.op(opAddX, 0)
			p.op(opTax, 0)
			if kind.place == auth {
				p.jump(done)
			}
		}
		p.place(done)
		p.op(opLdMem, memValue)
	}
	p.jump(l.transport)
}

// Odd constants with well mixed bits.
const (
	foldPrime = 0x85ebca6b
	sumPrime  = 0x9e3779b1
	xorPrime  = 0xc2b2ae35
	endPrime  = 0x27d4eb2f
)

// hash mixes memSrc and memDst into memHash, the same for both orders, and
// keeps X. The sum and the difference of bits together tell pairs apart that
// one of them would confuse.
func (p *placer) hash() {
	p.op(opStx, memBase)
	p.op(opLdxMem, memSrc)
	p.op(opLdMem, memDst)
	p.op(opAddX, 0)
	p.op(opMul, sumPrime)
	p.op(opSt, memHash)
	p.op(opLdMem, memDst)
	p.op(opXorX, 0)
	p.op(opMul, xorPrime)
	p.op(opLdxMem, memHash)
	p.op(opXorX, 0)
	for _, shift := range []uint32{16, 13} {
		p.op(opTax, 0)
		p.op(opRsh, shift)
		p.op(opXorX, 0)
		p.op(opMul, endPrime)
	}
	p.op(opTax, 0)
	p.op(opRsh, 16)
	p.op(opXorX, 0)
	p.op(opSt, memHash)
	p.op(opLdxMem, memBase)
}

// transport goes on from the protocol in A and its header at X.
func (p *placer) transport(i int) {
	l, in := &p.level[i], p.next(i)
	udp, gre := p.label(), p.label()
	p.place(l.transport)
	to := func(pick func(*level) label) label {
		if in == nil {
			return p.deep
		}
		return pick(in)
	}
	p.on(opJeq, 4, to(func(l *level) label { return l.ip4 }))
	p.on(opJeq, 41, to(func(l *level) label { return l.ip6 }))
	p.on(opJeq, 47, gre)
	p.on(opJeq, 17, udp)
	p.jump(p.last)

	p.place(udp)
	vxlan, generic, geneve := p.label(), p.label(), p.label()
	p.need(16 + 14)
	p.op(opLdHX, 2)
	for _, port := range append([]uint16{4789, 8472}, p.vxlan...) { // 8472: Linux before the port was assigned
		p.on(opJeq, uint32(port), vxlan)
	}
	for _, port := range append([]uint16{6081}, p.geneve...) {
		p.on(opJeq, uint32(port), geneve)
	}
	p.on(opJeq, 4790, generic)
	p.jump(p.last)

	ether := to(func(l *level) label { return l.ether })
	typed := to(func(l *level) label { return l.tag[0] })

	p.place(generic) // VXLAN-GPE, draft-ietf-nvo3-vxlan-gpe: the last byte of the first word says what follows
	p.op(opLdBX, 11)
	p.on(opJeq, 0, vxlan)
	p.op(opSt, memValue)
	p.op(opLdBX, 8)
	p.op(opAnd, 0x08)
	p.unless(0x08)
	p.skip(16)
	p.op(opLdMem, memValue)
	p.on(opJeq, 1, to(func(l *level) label { return l.ip4 }))
	p.on(opJeq, 2, to(func(l *level) label { return l.ip6 }))
	p.on(opJeq, 3, ether)
	p.jump(p.last)

	p.place(vxlan) // RFC 7348 section 5
	p.op(opLdBX, 8)
	p.op(opAnd, 0x08)
	p.unless(0x08)
	p.skip(16)
	p.jump(ether)

	p.place(geneve) // RFC 8926 section 3.4
	p.op(opLdBX, 8)
	p.op(opAnd, 0xc0)
	p.unless(0)
	p.op(opLdHX, 10)
	p.op(opSt, memValue)
	p.op(opLdBX, 8)
	p.op(opAnd, 0x3f)
	p.op(opLsh, 2)
	p.op(opAdd, 16)
	p.op(opAddX, 0)
	p.op(opTax, 0)
	p.op(opLdMem, memValue)
	p.on(opJeq, 0x6558, ether)
	p.jump(typed)

	p.place(gre) // RFC 2784, 2890: checksum, key and sequence add a word each
	p.need(4)
	p.op(opLdHX, 2)
	p.op(opSt, memValue)
	p.op(opLdHX, 0)
	p.op(opSt, memLength)
	p.op(opAnd, 0x4007) // routing (RFC 1701), or a version that is not 0
	p.unless(0)
	p.skip(4)
	for _, shift := range []uint32{13, 11, 10} {
		p.op(opLdMem, memLength)
		p.op(opRsh, shift)
		p.op(opAnd, 4)
		p.op(opAddX, 0)
		p.op(opTax, 0)
	}
	p.op(opLdMem, memValue)
	two, three := p.label(), p.label()
	p.on(opJeq, 0x6558, ether)
	p.on(opJeq, 0x88be, two)
	p.on(opJeq, 0x22eb, three)
	p.jump(typed)
	p.place(two) // ERSPAN: type II has a sequence number and a header, type I neither
	p.op(opLdMem, memLength)
	with := p.label()
	p.on(opJset, 0x1000, with)
	p.jump(ether)
	p.place(with)
	p.skip(8)
	p.jump(ether)
	p.place(three) // type III: 12 bytes, and 8 more when the O bit is set
	p.need(12)
	p.op(opLdBX, 11)
	p.op(opAnd, 1)
	p.op(opLsh, 3)
	p.op(opAdd, 12)
	p.op(opAddX, 0)
	p.op(opTax, 0)
	p.jump(ether)
}

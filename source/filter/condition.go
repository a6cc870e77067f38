package filter

// The operations of classic BPF (Linux Documentation/networking/filter.rst).
const (
	opLdImm  = 0x00
	opLdAbs  = 0x20 // with a size
	opLdInd  = 0x40 // with a size
	opLdMem  = 0x60
	opLdLen  = 0x80
	opLdxImm = 0x01
	opLdxMem = 0x61
	opLdxMsh = 0xb1
	opSt     = 0x02
	opStx    = 0x03
	opAlu    = 0x04 // with an operation and a source
	opTax    = 0x07
	opTxa    = 0x87
	opRet    = 0x06

	sizeW = 0x00
	sizeH = 0x08
	sizeB = 0x10

	aluAdd, aluSub, aluMul, aluDiv = 0x00, 0x10, 0x20, 0x30
	aluOr, aluAnd, aluLsh, aluRsh  = 0x40, 0x50, 0x60, 0x70
	aluNeg, aluMod, aluXor         = 0x80, 0x90, 0xa0

	opJa                               = 0x05
	opJeq, opJgt, opJge, opJset        = 0x15, 0x25, 0x35, 0x45
	withX                       uint16 = 0x08
)

// Places beside the packet that Linux answers for (SKF_AD_OFF and after).
const (
	anciPacketType = 0xfffff000 + 4
	anciIfindex    = 0xfffff000 + 8
	anciTag        = 0xfffff000 + 44
	anciTagPresent = 0xfffff000 + 48
)

// packetOutgoing is PACKET_OUTGOING, also the type that cooked captures have.
const packetOutgoing = 4

// ins is one instruction that does not branch.
type ins struct {
	op uint16
	k  uint32
}

// condition is something that is true or false of a packet. emit adds its blocks
// before the blocks t and f, where to go when it is true or false, and returns
// its first.
type condition interface {
	emit(g *graph, t, f *block) *block
}

type (
	test struct {
		ins []ins
		op  uint16 // opJeq …, with withX: against X
		k   uint32
	}
	both     struct{ first, second condition }
	either   struct{ first, second condition }
	negation struct{ x condition }
	fixed    bool
	step     []ins // does something, and is true
	// choice is one of two, by a third.
	choice struct{ which, yes, no condition }
	// anyOf is a union: a member that reaches beyond the packet is only false.
	anyOf []condition
)

func (c *test) emit(g *graph, t, f *block) *block    { return g.branch(c.ins, c.op, c.k, t, f) }
func (c both) emit(g *graph, t, f *block) *block     { return c.first.emit(g, c.second.emit(g, t, f), f) }
func (c either) emit(g *graph, t, f *block) *block   { return c.first.emit(g, t, c.second.emit(g, t, f)) }
func (c negation) emit(g *graph, t, f *block) *block { return c.x.emit(g, f, t) }
func (c step) emit(g *graph, t, _ *block) *block     { return g.branch(c, opJa, 0, t, t) }

func (c choice) emit(g *graph, t, f *block) *block {
	return c.which.emit(g, c.yes.emit(g, t, f), c.no.emit(g, t, f))
}

func (c fixed) emit(_ *graph, t, f *block) *block {
	if c {
		return t
	}
	return f
}

func (c anyOf) emit(g *graph, t, f *block) *block {
	// Members are made from the last to the first, and a member's blocks lead
	// only to t, to the next member, and to each other.
	for i := len(c) - 1; i >= 0; i-- {
		first := len(g.blocks)
		entry := c[i].emit(g, t, f)
		if i < len(c)-1 {
			entry = g.guard(entry, first, f)
		}
		f = entry
	}
	return f
}

func all(first condition, more ...condition) condition {
	for _, c := range more {
		first = both{first, c}
	}
	return first
}

func some(first condition, more ...condition) condition {
	for _, c := range more {
		first = either{first, c}
	}
	return first
}

// opposite returns that c is false.
func opposite(c condition) condition { return negation{c} }

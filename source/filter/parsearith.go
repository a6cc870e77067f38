package filter

// How tightly the operators bind, loosest first. % and ^ stand apart: they take
// everything to their right as operand and bind tighter than anything to their
// left, as tcpdump has it; parentheses make it plain.
const (
	bitOr = iota + 1
	bitAnd
	shift
	sum
	product
	unary
	apart = 100
)

func binding(op uint32) int {
	switch op {
	case '|':
		return bitOr
	case '&':
		return bitAnd
	case opShiftLeft, opShiftRight:
		return shift
	case '+', '-':
		return sum
	case '*', '/':
		return product
	case '%', '^':
		return apart
	}
	return 0
}

// number reads an operand and the operators that bind tighter than above.
func (p *parser) number(above int) arith {
	if p.depth++; p.depth > maxDepth {
		p.fail(span{p.tok.off, p.tok.end}, "", "nested more than %d deep", maxDepth)
		return constNode{}
	}
	defer func() { p.depth-- }()
	start := p.tok.off
	switch {
	case p.tok.kind == kNumber, p.tok.kind == kLength, p.tok.kind == kProtocol, p.is('('), p.is('-'):
	default:
		p.unexpected("a number or a field such as \"tcp[13]\"")
		return constNode{}
	}
	x := p.operand(qualifiers{pUndefined, dDefault, tUndefined})
	x.off, x.end = start, p.prev
	if p.err != nil {
		return constNode{}
	}
	if x.class != cNumber && x.class != cArith {
		p.fail(x.span, "a number or a field such as \"tcp[13]\"", "%q is no number", p.lex.src[x.off:x.end])
		return constNode{}
	}
	return p.operators(x, above).arith
}

// operators reads the operators that bind tighter than above, each with its
// right side.
func (p *parser) operators(x part, above int) part {
	for p.err == nil && p.tok.kind == kPunct {
		op := p.tok.value
		b := binding(op)
		if b == 0 || b <= above {
			return x
		}
		p.take()
		inner := b
		if b == apart {
			inner = 0
		}
		right := p.number(inner)
		x.end = p.prev
		x.arith = &binNode{x.span, op, x.arith, right}
		x.class = cArith
	}
	return x
}

// load reads "[index:size]" after a protocol.
func (p *parser) load(start int, of proto, q qualifiers) part {
	p.take()
	l := &loadNode{proto: of, index: p.number(0), size: 1}
	if p.is(':') {
		p.take()
		switch {
		case p.tok.kind != kNumber:
			p.unexpected("a size of 1, 2 or 4")
			return part{}
		case p.tok.value != 1 && p.tok.value != 2 && p.tok.value != 4:
			p.fail(span{p.tok.off, p.tok.end}, "a size of 1, 2 or 4", "%s bytes cannot be read at once", p.tok.text)
			return part{}
		}
		l.size = p.take().value
	}
	if !p.is(']') {
		p.unexpected("\"]\"")
		return part{}
	}
	p.take()
	l.span = span{start, p.prev}
	return part{class: cArith, arith: l, q: q, span: l.span}
}

// word reads one of the primitives that are a keyword with at most a number.
func (p *parser) word() node {
	t := p.tok
	n := &wordNode{span: span{t.off, t.end}, kind: t.kind}
	switch t.kind {
	case kBroadcast, kMulticast:
		p.take()
		return &castNode{n.span, pDefault, t.kind == kMulticast}
	case kInbound, kOutbound, kPPPoED:
		p.take()
	case kLess, kGreater, kIfindex:
		p.take()
		n.value, n.has = p.literal(), true
	case kByte:
		p.take()
		n.value = p.literal()
		if !p.is('=') && !p.is('<') && !p.is('>') && !p.is('&') && !p.is('|') {
			p.unexpected("one of = < > & |")
			return n
		}
		n.op = p.take().value
		n.second = p.literal()
	case kVLAN, kMPLS, kPPPoES, kGeneve:
		p.take()
		n.value, n.has = p.optional()
	case kLLC:
		p.take()
		if p.tok.kind == kName || p.tok.kind == kForeign && (p.tok.text == "rnr" || p.tok.text == "rulenum") {
			if n.name = p.take().text; n.name == "rulenum" {
				n.name = "rnr"
			}
		}
	case kForeign:
		p.fail(n.span, "", "%q belongs to a link type that is not captured here (802.11, ATM, pflog or SS7)", t.text)
		return n
	default:
		return nil
	}
	n.end = p.prev
	return n
}

func (p *parser) literal() uint32 {
	if p.tok.kind != kNumber {
		p.unexpected("a number")
		return 0
	}
	return p.take().value
}

// optional reads a number, which may stand in parentheses, if there is one.
func (p *parser) optional() (uint32, bool) {
	if p.tok.kind == kNumber {
		return p.take().value, true
	}
	if !p.is('(') {
		return 0, false
	}
	if p.depth++; p.depth > maxDepth {
		p.fail(span{p.tok.off, p.tok.end}, "", "nested more than %d deep", maxDepth)
		return 0, false
	}
	defer func() { p.depth-- }()
	p.take()
	n, ok := p.optional()
	if !ok {
		p.unexpected("a number")
	}
	p.closing()
	return n, ok
}

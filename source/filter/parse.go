package filter

import "fmt"

// maxDepth bounds the nesting of an expression, and with it the stack.
const maxDepth = 1000

// class says what a part of an expression may be used as. It is decided by what
// the part holds: "(80)" can be a port or a number, "(80 or 81)" only ports,
// "(tcp or udp)" only a condition.
type class uint8

const (
	cCondition class = iota
	cID              // a name, number or address that takes its qualifiers from before
	cNumber          // a plain number, also in parentheses: cID or cArith, as the place needs it
	cArith
)

// part is what the parser read at one place.
type part struct {
	class class
	node  node       // cCondition, cID
	arith arith      // cNumber, cArith
	q     qualifiers // what a name or number after "and" or "or" inherits
	group bool       // cID in parentheses
	span
}

type parser struct {
	lex   lexer
	tok   token
	ahead token
	prev  int   // end of the last token taken
	name  token // the last name that nothing but an inherited qualifier explains
	depth int
	err   *Error
}

func (p *parser) run(src string) (node, *Error) {
	p.lex = lexer{src: src, words: words()}
	p.ahead = p.scan()
	p.take()
	if p.tok.kind == kEnd && p.err == nil {
		return everyNode{}, nil
	}
	n := p.condition(qualifiers{pUndefined, dDefault, tUndefined})
	if p.err == nil && p.tok.kind != kEnd {
		p.unexpected("\"and\", \"or\" or the end")
	}
	return n, p.err
}

func (p *parser) scan() token {
	t, err := p.lex.next()
	if err != nil {
		t.kind = kBad
		if p.err == nil {
			p.err = err
		}
	}
	return t
}

// take moves to the next token. After a fault there is only the end.
func (p *parser) take() token {
	t := p.tok
	p.prev = t.end
	p.tok = p.ahead
	if p.err != nil {
		p.tok = token{kind: kEnd, off: len(p.lex.src), end: len(p.lex.src)}
		return t
	}
	if p.tok.kind != kEnd {
		p.ahead = p.scan()
	}
	return t
}

func (p *parser) fail(s span, want, format string, args ...any) {
	if p.err != nil {
		return
	}
	p.err = &Error{Expr: p.lex.src, Offset: s.off, Length: s.end - s.off, Msg: fmt.Sprintf(format, args...), Want: want}
}

func (p *parser) unexpected(want string) {
	s := span{p.tok.off, p.tok.end}
	if p.tok.kind == kEnd {
		p.fail(s, want, "unexpected end")
		return
	}
	if p.err != nil {
		return
	}
	if hint := meant(p.name.text, keywordNames()); p.name.end == p.prev && p.prev > 0 && hint != "" {
		// Two names side by side: the first was to be a keyword.
		p.fail(span{p.name.off, p.name.end}, want, "unexpected %q", p.name.text)
		p.err.Hint = hint
		return
	}
	p.fail(s, want, "unexpected %q", p.lex.src[s.off:s.end])
	if p.tok.kind == kName {
		p.err.Hint = meant(p.tok.text, keywordNames())
	}
}

func (p *parser) is(c uint32) bool { return p.tok.kind == kPunct && p.tok.value == c }

func (p *parser) closing() {
	if !p.is(')') {
		p.unexpected("\")\"")
		return
	}
	p.take()
}

const wantCondition = "a condition such as \"host 10.0.0.1\", \"tcp\" or \"port 80\""

// condition reads a whole expression: its first part must say what it is about,
// a later one may be a bare name or number and inherits from the one before.
func (p *parser) condition(q qualifiers) node {
	first := p.unit(q)
	if p.err == nil && first.class != cCondition {
		p.bare(first)
	}
	return p.chain(first, true).node
}

// chain reads the rest of a list joined by "and" and "or", which bind equally.
func (p *parser) chain(x part, conditions bool) part {
	for p.err == nil && (p.tok.kind == kAnd || p.tok.kind == kOr) {
		or := p.take().kind == kOr
		y := p.unit(x.q)
		if p.err != nil {
			return x
		}
		switch {
		case y.class == cNumber:
			y = p.value(y, x.q)
		case y.class == cArith, y.class == cCondition && !conditions:
			p.bare(y)
			return x
		}
		if or {
			y.node = &orNode{x.node, y.node}
		} else {
			y.node = &andNode{x.node, y.node}
		}
		x.node, x.q, x.end = y.node, y.q, y.end
	}
	return x
}

// bare reports a part that cannot stand where it does.
func (p *parser) bare(x part) {
	text := p.lex.src[x.off:x.end]
	switch x.class {
	case cCondition:
		p.fail(x.span, "a name, number or address", "%q cannot stand in a list of names or numbers", text)
	case cArith:
		p.fail(span{x.end, x.end}, "a comparison such as \"= 5\"", "%q is a number and not a condition", text)
	default:
		p.fail(x.span, wantCondition, "nothing says what %q is", text)
		if v, ok := x.node.(*valueNode); ok && p.err != nil && v.kind == kName && p.err.Hint == "" {
			p.err.Hint = meant(v.text, keywordNames())
		}
	}
}

// value turns a plain number into a value with the qualifiers q.
func (p *parser) value(x part, q qualifiers) part {
	c, _ := x.arith.(constNode)
	x.node = &valueNode{span: x.span, q: q, kind: kNumber, text: p.lex.src[x.off:x.end], value: c.value, bits: -1}
	x.class, x.q = cID, q
	return x
}

// unit reads one part, with "not" before it.
func (p *parser) unit(q qualifiers) part {
	if p.depth++; p.depth > maxDepth {
		p.fail(span{p.tok.off, p.tok.end}, "", "nested more than %d deep", maxDepth)
		return part{}
	}
	defer func() { p.depth-- }()
	start := p.tok.off
	if p.tok.kind == kNot {
		p.take()
		x := p.unit(q)
		switch {
		case p.err != nil:
		case x.class == cNumber:
			x = p.value(x, q)
		case x.class == cArith:
			p.bare(x)
		}
		x.node, x.group, x.off = &notNode{x.node}, false, start
		return x
	}
	x := p.operand(q)
	x.off, x.end = start, p.prev
	if p.err != nil || x.class != cNumber && x.class != cArith {
		return x
	}
	x = p.operators(x, 0)
	if op := p.tok.value; p.tok.kind == kPunct && (op == '=' || op == '<' || op == '>' || op == opGE || op == opLE || op == opNE) {
		p.take()
		y := p.number(0)
		x.end = p.prev
		x.node = &relationNode{x.span, op, x.arith, y}
		x.class, x.q = cCondition, qualifiers{pUndefined, dDefault, tUndefined}
	}
	return x
}

// operand reads one part without "not" before it or operators after it.
func (p *parser) operand(q qualifiers) part {
	t := p.tok
	s := span{t.off, t.end}
	switch t.kind {
	case kName, kIPv4, kIPv6, kMAC, kARCNET:
		if t.kind == kName {
			p.name = t
		}
		return part{class: cID, node: p.id(q), q: q, span: s}
	case kNumber:
		p.take()
		return part{class: cNumber, arith: constNode{t.value}, q: q, span: s}
	case kLength:
		p.take()
		return part{class: cArith, arith: lengthNode{}, q: q, span: s}
	case kPunct:
		switch t.value {
		case '(':
			return p.parentheses(q)
		case '-':
			p.take()
			return part{class: cArith, arith: negNode{p.number(unary)}, q: q, span: s}
		}
	case kProtocol, kDirection, kType, kGateway, kProto:
		return p.qualified(q)
	}
	if n := p.word(); n != nil {
		return part{class: cCondition, node: n, q: qualifiers{pUndefined, dDefault, tUndefined}, span: s}
	}
	p.unexpected(wantCondition)
	return part{}
}

// parentheses reads what stands in them and leaves its meaning as open as it is.
func (p *parser) parentheses(q qualifiers) part {
	p.take()
	x := p.unit(q)
	if p.err != nil {
		return x
	}
	switch x.class {
	case cCondition:
		x = p.chain(x, true)
		x.q = q
	case cNumber:
		if p.tok.kind == kAnd || p.tok.kind == kOr {
			x = p.chain(p.value(x, q), false)
			x.group = true
		}
	case cID:
		if x.group {
			p.fail(x.span, "a name or number first in the list", "parentheses inside parentheses")
		}
		x = p.chain(x, false)
		x.group = true
	}
	p.closing()
	return x
}

// id reads a name or an address and its mask.
func (p *parser) id(q qualifiers) node {
	t := p.take()
	v := &valueNode{span: span{t.off, t.end}, q: q, kind: t.kind, text: t.text, bits: -1}
	switch {
	case (t.kind == kIPv4 || t.kind == kIPv6) && p.is('/'):
		p.take()
		if p.tok.kind != kNumber {
			p.unexpected("the length of the prefix")
			return v
		}
		v.bits = int64(p.tok.value)
		v.end = p.tok.end
		p.take()
	case t.kind == kIPv4 && p.tok.kind == kMask:
		p.take()
		if p.tok.kind != kIPv4 {
			p.unexpected("a mask such as 255.255.255.0")
			return v
		}
		v.mask = p.tok.text
		v.end = p.tok.end
		p.take()
	}
	return v
}

// qualified reads what begins with a protocol, a direction or a type.
func (p *parser) qualified(outer qualifiers) part {
	start := p.tok.off
	q := qualifiers{}
	none := qualifiers{pUndefined, dDefault, tUndefined}
	protocol := p.tok.kind == kProtocol
	if protocol {
		q.proto = proto(p.take().value)
		switch {
		case p.is('['):
			return p.load(start, q.proto, outer)
		case p.tok.kind == kBroadcast || p.tok.kind == kMulticast:
			multi := p.take().kind == kMulticast
			return part{class: cCondition, node: &castNode{span{start, p.prev}, q.proto, multi}, q: none}
		}
	}
	switch p.tok.kind {
	case kDirection:
		d := p.take()
		q.dir = direction(d.value)
		if opposite := dSrc + dDst - q.dir; q.dir <= dDst && (p.tok.kind == kOr || p.tok.kind == kAnd) {
			or := p.take().kind == kOr
			if p.tok.kind != kDirection || direction(p.tok.value) != opposite {
				p.unexpected("the other one of \"src\" and \"dst\"")
				return part{}
			}
			p.take()
			if q.dir = dAnd; or {
				q.dir = dOr
			}
		}
		if p.tok.kind == kType {
			q.addr = addrType(p.take().value)
		}
	case kType, kGateway, kProto:
		q.addr = addrType(p.take().value)
	default:
		if p.tok.kind == kName || p.tok.kind == kNumber || p.tok.kind == kIPv4 || p.tok.kind == kIPv6 || p.tok.kind == kMAC {
			p.unexpected("\"host\", \"net\", \"port\", \"src\", \"dst\" or \"proto\" before it")
			return part{}
		}
		return part{class: cCondition, node: &protoNode{span{start, p.prev}, q.proto}, q: none}
	}
	return p.qualifiedID(q, start)
}

// qualifiedID reads the name, number or list that qualifiers belong to.
func (p *parser) qualifiedID(q qualifiers, start int) part {
	switch {
	case p.tok.kind == kNot, p.is('('), p.tok.kind == kNumber, p.tok.kind == kName, p.tok.kind == kIPv4,
		p.tok.kind == kIPv6, p.tok.kind == kMAC, p.tok.kind == kARCNET:
	default:
		what := map[addrType]string{tPort: "a port number or service name", tPortrange: "two port numbers such as 80-90",
			tNet: "a network such as 10.0.0.0/8", tProto: "a protocol number or name", tProtochain: "a protocol number or name"}[q.addr]
		if what == "" {
			what = "an address"
		}
		keyword := p.tok.kind == kProtocol
		text := p.tok.text
		p.unexpected(what)
		if keyword && p.err != nil && p.err.Hint == "" {
			p.err.Hint = "a name that is also a keyword needs a backslash: " + quote("\\"+text)
		}
		return part{}
	}
	x := p.idUnit(q)
	x.class, x.group, x.off, x.end, x.q = cCondition, false, start, p.prev, q
	return x
}

// idUnit reads a part that can only be a name, a number or a list of them.
func (p *parser) idUnit(q qualifiers) part {
	start := p.tok.off
	switch {
	case p.tok.kind == kNot:
		if p.depth++; p.depth > maxDepth {
			p.fail(span{p.tok.off, p.tok.end}, "", "nested more than %d deep", maxDepth)
			return part{}
		}
		p.take()
		x := p.idUnit(q)
		p.depth--
		x.node = &notNode{x.node}
		return x
	case p.tok.kind == kNumber:
		t := p.take()
		return p.value(part{arith: constNode{t.value}, span: span{t.off, t.end}}, q)
	case p.is('('):
		x := p.parentheses(q)
		x.off, x.end = start, p.prev
		switch {
		case p.err != nil:
		case x.class == cNumber:
			x = p.value(x, q)
		case x.class != cID:
			p.fail(x.span, "a name, number or address", "%q cannot stand here", p.lex.src[x.off:x.end])
		}
		return x
	case p.tok.kind == kName, p.tok.kind == kIPv4, p.tok.kind == kIPv6, p.tok.kind == kMAC, p.tok.kind == kARCNET:
		return part{class: cID, node: p.id(q), q: q}
	}
	p.unexpected("a name, number or address")
	return part{}
}

package filter

// relation compares two numbers. The checks that the fields in them exist (that
// "tcp[13]" is of TCP) come first; as in libpcap only the checks of the leftmost
// field of each side are made.
func (g *generator) relation(n *relationNode) condition {
	g.at = n.span
	left := g.check(n.left)
	right := g.check(n.right)
	g.live -= 2
	c := g.compare(n.op, fold(n.left), fold(n.right))
	switch {
	case right != nil:
		c = both{right, c}
	}
	if left != nil {
		c = both{left, c}
	}
	return c
}

func (g *generator) compare(op uint32, left, right arith) condition {
	negate := false
	jump := uint16(opJeq)
	switch op {
	case '>':
		jump = opJgt
	case opGE:
		jump = opJge
	case '<':
		jump, negate = opJge, true
	case opLE:
		jump, negate = opJgt, true
	case opNE:
		negate = true
	}
	var c condition
	_, leftConst := left.(constNode)
	k, rightConst := right.(constNode)
	switch {
	case rightConst:
		c = &test{g.intoA(left), jump, k.value}
	case leftConst:
		code := append(g.intoA(right), ins{opTax, 0})
		c = &test{append(code, g.intoA(left)...), jump | withX, 0}
	default:
		w := g.temporary()
		code := append(g.intoA(right), ins{opSt, w})
		code = append(code, g.intoA(left)...)
		c = &test{append(code, ins{opLdxMem, w}), jump | withX, 0}
		g.free(w)
	}
	if negate {
		return opposite(c)
	}
	return c
}

// check goes through a number in the order of the text: it counts registers,
// finds what can never be computed, and returns what must be true of the packet
// for the number to exist, or nil.
func (g *generator) check(n arith) condition {
	switch n := n.(type) {
	case constNode, lengthNode:
		g.hold()
	case negNode:
		return g.check(n.x)
	case *binNode:
		c := g.check(n.left)
		g.check(n.right)
		g.at = n.span
		for _, m := range []arith{first(n.right), fold(n.right)} {
			v, ok := m.(constNode)
			switch {
			case !ok:
			case v.value == 0 && (n.op == '/' || n.op == '%'):
				g.fail("division by zero")
			case v.value > 31 && (n.op == opShiftLeft || n.op == opShiftRight):
				g.fail("shift by more than 31 bits")
			}
		}
		g.live--
		return c
	case *loadNode:
		inner := g.check(n.index)
		g.at = n.span
		g.hold()
		g.live--
		return g.exists(n.proto, inner)
	}
	return nil
}

// first returns what a number begins with in the text, which is what libpcap
// takes for the number when it looks for constants.
func first(n arith) arith {
	for {
		switch m := n.(type) {
		case negNode:
			n = m.x
		case *binNode:
			n = m.left
		case *loadNode:
			n = m.index
		default:
			return n
		}
	}
}

// exists returns what must be true for a field of p to exist, after inner.
func (g *generator) exists(p proto, inner condition) condition {
	join := func(c ...condition) condition {
		var out condition
		for _, c := range c {
			if out == nil {
				out = c
			} else if c != nil {
				out = both{out, c}
			}
		}
		return out
	}
	switch p {
	case pLink:
		return inner
	case pIP, pARP, pRARP, pATALK, pDECNET, pSCA, pLAT, pMOPRC, pMOPDL, pIP6:
		return join(inner, g.protocol(p))
	case pTCP, pUDP, pSCTP, pICMP, pIGMP, pIGRP, pPIM, pVRRP, pCARP:
		return join(g.protocol(pIP), inner, g.protocol(p), g.unfragmented())
	case pICMP6:
		return join(inner, g.protocol(pIP6), g.equal(fromNetwork, 6, sizeB, numICMP6))
	}
	return g.fail("\"%s[…]\" cannot be read", protoName(p))
}

// fold computes what is constant.
func fold(n arith) arith {
	switch n := n.(type) {
	case negNode:
		x := fold(n.x)
		if c, ok := x.(constNode); ok {
			return constNode{-c.value}
		}
		return negNode{x}
	case *binNode:
		m := &binNode{n.span, n.op, fold(n.left), fold(n.right)}
		a, ok1 := m.left.(constNode)
		b, ok2 := m.right.(constNode)
		if ok1 && ok2 {
			if v, ok := alu(aluOf(n.op), a.value, b.value, 0); ok {
				return constNode{v}
			}
		}
		return m
	case *loadNode:
		return &loadNode{n.span, n.proto, fold(n.index), n.size}
	}
	return n
}

func aluOf(op uint32) uint16 {
	switch op {
	case '+':
		return opAlu | aluAdd
	case '-':
		return opAlu | aluSub
	case '*':
		return opAlu | aluMul
	case '/':
		return opAlu | aluDiv
	case '%':
		return opAlu | aluMod
	case '&':
		return opAlu | aluAnd
	case '|':
		return opAlu | aluOr
	case '^':
		return opAlu | aluXor
	case opShiftLeft:
		return opAlu | aluLsh
	}
	return opAlu | aluRsh
}

// intoA returns the instructions that compute n, which is folded, in A.
func (g *generator) intoA(n arith) []ins {
	switch n := n.(type) {
	case constNode:
		return []ins{{opLdImm, n.value}}
	case lengthNode:
		return []ins{{opLdLen, 0}}
	case negNode:
		return append(g.intoA(n.x), ins{opAlu | aluNeg, 0})
	case *loadNode:
		return g.field(n)
	case *binNode:
		op := aluOf(n.op)
		if k, ok := n.right.(constNode); ok {
			if op == opAlu|aluLsh || op == opAlu|aluRsh {
				if k.value > 31 { // the kernel refuses to shift so far
					return append(g.intoA(n.left), ins{opAlu | aluAnd, 0})
				}
			}
			return append(g.intoA(n.left), ins{op, k.value})
		}
		if k, ok := n.left.(constNode); ok {
			return append(g.intoA(n.right), ins{opTax, 0}, ins{opLdImm, k.value}, ins{op | withX, 0})
		}
		w := g.temporary()
		code := append(g.intoA(n.right), ins{opSt, w})
		code = append(code, g.intoA(n.left)...)
		g.free(w)
		return append(code, ins{opLdxMem, w}, ins{op | withX, 0})
	}
	return nil
}

// maxIndex is the greatest constant index that is added to the place of a header
// beforehand; with greater ones the sum could wrap round, or mean something else
// to the kernel.
const maxIndex = 1 << 20

// field returns the instructions that load n.
func (g *generator) field(n *loadNode) []ins {
	size := uint16(sizeB)
	switch n.size {
	case 2:
		size = sizeH
	case 4:
		size = sizeW
	}
	at, behind, transport := g.payload, g.network, false
	switch n.proto {
	case pLink:
		at, behind = g.header, 0
	case pTCP, pUDP, pSCTP, pICMP, pIGMP, pIGRP, pPIM, pVRRP, pCARP:
		transport = true
	case pICMP6:
		behind += 40
	}
	if at.variable {
		g.located = true
	}
	base := at.base + behind
	if c, ok := n.index.(constNode); ok && c.value < maxIndex {
		switch {
		case transport:
			return append(g.behindIPv4(), ins{opLdInd | size, base + c.value})
		case at.variable:
			return []ins{{opLdxMem, at.word}, {opLdInd | size, base + c.value}}
		}
		return []ins{{opLdAbs | size, base + c.value}}
	}
	code := g.intoA(n.index)
	switch {
	case transport && g.payload.variable: // behindIPv4 clobbers A
		w := g.temporary()
		code = append(append(code, ins{opSt, w}), g.behindIPv4()...)
		code = append(code, ins{opLdMem, w}, ins{opAlu | aluAdd | withX, 0})
		g.free(w)
	case transport:
		code = append(append(code, g.behindIPv4()...), ins{opAlu | aluAdd | withX, 0})
	case at.variable:
		code = append(code, ins{opLdxMem, at.word}, ins{opAlu | aluAdd | withX, 0})
	}
	return append(code, ins{opTax, 0}, ins{opLdInd | size, base})
}

package filter

// block is some instructions and what follows them: a branch, a step to the one
// next block (opJa, both targets equal), or the verdict (opRet).
type block struct {
	id     int
	ins    []ins
	op     uint16
	k      uint32
	jt, jf *block
	pinned bool // what follows uses its registers: never skip it
}

func (b *block) isReturn() bool { return b.op == opRet }

// graph holds the blocks of one program. Edges lead from later blocks to earlier
// ones in the order of making, never round.
type graph struct {
	blocks []*block
}

func (g *graph) add(b *block) *block {
	b.id = len(g.blocks)
	g.blocks = append(g.blocks, b)
	return b
}

func (g *graph) ret(k uint32) *block { return g.add(&block{op: opRet, k: k}) }

func (g *graph) branch(code []ins, op uint16, k uint32, t, f *block) *block {
	return g.add(&block{ins: code, op: op, k: k, jt: t, jf: f})
}

// order returns the blocks that can be reached from entry, each before its
// targets.
func order(entry *block) []*block {
	seen := map[*block]bool{}
	var out []*block
	var visit func(b *block)
	visit = func(b *block) {
		if seen[b] {
			return
		}
		seen[b] = true
		if !b.isReturn() {
			visit(b.jt)
			visit(b.jf)
		}
		out = append(out, b)
	}
	visit(entry)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// guardWord is the scratch word kept for guard.
const guardWord = 15

// guard puts tests before everything in the blocks made since first that would
// end the program (a load beyond the packet, a division by zero) and goes to f
// instead. It returns the new entry.
func (g *graph) guard(entry *block, first int, f *block) *block {
	made := g.blocks[first:]
	moved := map[*block]*block{} // a block to what must run before it
	for _, b := range made {
		extent := uint64(0)
		rest, tail := b.ins, b
		for i := len(rest) - 1; i >= 0; i-- {
			in := rest[i]
			end := uint64(in.k) + uint64(loadSize(in.op))
			switch {
			case in.op&7 == 0 && in.op&0xe0 == opLdInd:
				extent = max(extent, end)
				tail = g.split(tail, i)
				b.ins = append(b.ins, ins{opLdLen, 0}, ins{opAlu | aluSub, uint32(end)})
				b.op, b.k, b.jt, b.jf = opJge|withX, 0, tail, f
			case in.op == opAlu|aluDiv|withX || in.op == opAlu|aluMod|withX:
				tail = g.split(tail, i)
				tail.ins = append([]ins{{opLdMem, guardWord}}, tail.ins...)
				b.ins = append(b.ins, ins{opSt, guardWord}, ins{opTxa, 0})
				b.op, b.k, b.jt, b.jf = opJeq, 0, f, tail
			case in.op == opLdxMsh, in.op&7 == 0 && in.op&0xe0 == opLdAbs && in.k < 0xfffff000:
				extent = max(extent, end)
			}
			tail = b
		}
		switch {
		case extent > 0xffffffff:
			moved[b] = f
		case extent > 0:
			moved[b] = g.branch([]ins{{opLdLen, 0}}, opJge, uint32(extent), b, f)
		}
	}
	for _, b := range g.blocks[first:] {
		if b.op == opRet {
			continue
		}
		// A guard itself leads to the block it guards.
		if to := moved[b.jt]; to != nil && to != b {
			b.jt = to
		}
		if to := moved[b.jf]; to != nil && to != b {
			b.jf = to
		}
	}
	if to := moved[entry]; to != nil {
		return to
	}
	return entry
}

// split moves the instructions of b from i on, and its end, to a new block.
func (g *graph) split(b *block, i int) *block {
	tail := g.branch(append([]ins(nil), b.ins[i:]...), b.op, b.k, b.jt, b.jf)
	b.ins = append([]ins(nil), b.ins[:i]...)
	b.pinned = true
	return tail
}

func loadSize(op uint16) uint32 {
	switch {
	case op == opLdxMsh:
		return 1
	case op&0x18 == sizeH:
		return 2
	case op&0x18 == sizeB:
		return 1
	}
	return 4
}

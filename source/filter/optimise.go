package filter

import "encoding/binary"

// place is what is known where a block begins.
type place struct {
	registers
	knowledge
}

// optimise shortens the program without changing any verdict: a test whose
// outcome is known on some way is skipped on that way, and a value that a
// register holds already is not loaded again. A load is only dropped where the
// same load was made before, so that a packet too short for it fails as before.
func (g *graph) optimise(entry *block) *block {
	for _, b := range order(entry) {
		mask(b)
	}
	for range 4 {
		entry = merge(entry)
		changed := false
		if entry, changed = thread(entry); !changed {
			break
		}
	}
	entry = merge(entry)
	reuse(entry)
	return merge(entry)
}

// mask turns "and" with a comparison to 0 into a test of bits.
func mask(b *block) {
	n := len(b.ins) - 1
	if n >= 0 && b.op == opJeq && b.k == 0 && b.ins[n].op == opAlu|aluAnd && b.ins[n].k != 0 {
		b.op, b.k, b.jt, b.jf = opJset, b.ins[n].k, b.jf, b.jt
		b.ins = b.ins[:n:n]
	}
}

// merge makes one of blocks that do the same.
func merge(entry *block) *block {
	blocks := order(entry)
	same := map[string]*block{}
	to := map[*block]*block{}
	number := map[*block]int{}
	for i := len(blocks) - 1; i >= 0; i-- {
		b := blocks[i]
		var key []byte
		for _, in := range b.ins {
			key = binary.BigEndian.AppendUint16(key, in.op)
			key = binary.BigEndian.AppendUint32(key, in.k)
		}
		key = binary.BigEndian.AppendUint16(key, b.op|0x8000)
		key = binary.BigEndian.AppendUint32(key, b.k)
		if !b.isReturn() {
			b.jt, b.jf = to[b.jt], to[b.jf]
			if b.jt == b.jf && b.jt.isReturn() && b.jt.k == 0 {
				to[b] = b.jt // what it could fail to load means reject too
				continue
			}
			key = binary.BigEndian.AppendUint32(key, uint32(number[b.jt]))
			key = binary.BigEndian.AppendUint32(key, uint32(number[b.jf]))
		}
		if other := same[string(key)]; other != nil {
			other.pinned = other.pinned || b.pinned
			to[b] = other
			continue
		}
		same[string(key)], to[b], number[b] = b, b, i
	}
	return to[entry]
}

// thread leads every edge past the tests whose outcome is known on it.
func thread(entry *block) (*block, bool) {
	vs := newValues()
	start := beginning(vs)
	changed := false
	entry = follow(vs, start, entry, &changed)
	at := map[*block]*place{entry: start}
	for _, b := range order(entry) {
		p := at[b]
		if p == nil || b.isReturn() {
			continue
		}
		for _, in := range b.ins {
			if v := vs.apply(&p.registers, in); v >= 0 && !p.wasMade(v) {
				p.made(v)
			}
		}
		if b.jt != b.jf {
			if out, ok := p.decide(vs, b.op&^withX, p.a, operand(vs, b, p)); ok {
				if changed = true; out {
					b.jf = b.jt
				} else {
					b.jt = b.jf
				}
			}
		}
		if b.jt == b.jf {
			b.op, b.k = opJa, 0
			b.jt = follow(vs, p, b.jt, &changed)
			b.jf = b.jt
			meet(vs, at, b.jt, *p)
			continue
		}
		op, x := b.op&^withX, operand(vs, b, p)
		yes, no := *p, *p
		yes.knowledge = p.learn(vs, op, p.a, x, true)
		no.knowledge = p.learn(vs, op, p.a, x, false)
		b.jt = follow(vs, &yes, b.jt, &changed)
		b.jf = follow(vs, &no, b.jf, &changed)
		meet(vs, at, b.jt, yes)
		meet(vs, at, b.jf, no)
		if b.jt == b.jf {
			b.op, b.k = opJa, 0
		}
	}
	return entry, changed
}

// beginning is the place where a program starts: A and X are 0, and the scratch
// words unknown.
func beginning(vs *values) *place {
	p := &place{}
	p.a, p.x = vs.constant(0), vs.constant(0)
	for i := range p.mem {
		p.mem[i] = vs.of(term{op: termMerge, a: -1, k: uint32(i)})
	}
	return p
}

// operand returns what the branch at the end of b compares A with.
func operand(vs *values, b *block, p *place) value {
	if b.op&withX != 0 {
		return p.x
	}
	return vs.constant(b.k)
}

// follow returns where to goes for who comes from p.
func follow(vs *values, p *place, to *block, changed *bool) *block {
	for !to.isReturn() && !to.pinned {
		r := p.registers
		for _, in := range to.ins {
			v := vs.apply(&r, in)
			if v >= 0 && !p.wasMade(v) {
				return to
			}
		}
		if r.mem != p.mem {
			return to
		}
		next := to.jt
		if to.jt != to.jf {
			out, ok := p.decide(vs, to.op&^withX, r.a, operand(vs, to, &place{registers: r}))
			if !ok {
				return to
			}
			if !out {
				next = to.jf
			}
		}
		to = next
		*changed = true
	}
	return to
}

// meet joins what is known on one more way to b.
func meet(vs *values, at map[*block]*place, b *block, p place) {
	q := at[b]
	if q == nil {
		at[b] = &p
		return
	}
	q.facts, q.outcomes = q.facts.common(p.facts), q.outcomes.common(p.outcomes)
	join := func(v *value, w value, i uint32) {
		if *v != w {
			*v = vs.of(term{op: termMerge, a: value(b.id), k: i})
		}
	}
	join(&q.a, p.a, 0)
	join(&q.x, p.x, 1)
	for i := range q.mem {
		join(&q.mem[i], p.mem[i], uint32(i)+2)
	}
}

// reuse drops the instructions that make what is there already.
func reuse(entry *block) {
	vs := newValues()
	at := map[*block]*place{entry: beginning(vs)}
	for _, b := range order(entry) {
		p := at[b]
		if b.isReturn() {
			continue
		}
		after := p.registers
		for _, in := range b.ins {
			vs.apply(&after, in)
		}
		useA, useX := b.jt != b.jf, b.op&withX != 0
		if !b.pinned && useA && after.a == p.a && after.mem == p.mem && (!useX || after.x == p.x) {
			b.ins = nil
		}
		var kept []ins
		for _, in := range b.ins {
			before := p.registers
			if vs.apply(&p.registers, in); p.registers != before {
				kept = append(kept, in)
			}
		}
		b.ins = kept
		meet(vs, at, b.jt, *p)
		meet(vs, at, b.jf, *p)
	}
}

// prologue zeroes the scratch words that entry may read before it wrote them:
// the kernel refuses a program that could.
func (g *graph) prologue(entry *block) *block {
	written := map[*block]uint16{entry: 0} // bit i: word i was written on every way
	reached := map[*block]bool{entry: true}
	var missing uint16
	for _, b := range order(entry) {
		have := written[b]
		for _, in := range b.ins {
			bit := uint16(1) << (in.k & 15)
			switch in.op {
			case opSt, opStx:
				have |= bit
			case opLdMem, opLdxMem:
				missing |= bit &^ have
			}
		}
		if b.isReturn() {
			continue
		}
		for _, to := range []*block{b.jt, b.jf} {
			if !reached[to] {
				written[to], reached[to] = have, true
			} else {
				written[to] &= have
			}
		}
	}
	if missing == 0 {
		return entry
	}
	code := []ins{{opLdImm, 0}}
	for i := range uint32(16) {
		if missing&(1<<i) != 0 {
			code = append(code, ins{opSt, i})
		}
	}
	return g.branch(code, opJa, 0, entry, entry)
}

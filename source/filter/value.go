package filter

// value numbers what a register can hold: equal numbers are equal contents for
// every packet. It never depends on the path, because packets do not change.
type value int32

// term is what a value is made of. op is an instruction's operation, or one of
// the terms below.
type term struct {
	op   uint16
	a, x value
	k    uint32
}

const (
	termConst = 0xff00 + iota
	termMerge // differs by path: of block a, register k
)

type values struct {
	ids   map[term]value
	terms []term
}

func newValues() *values {
	return &values{ids: map[term]value{}}
}

func (v *values) of(t term) value {
	id, ok := v.ids[t]
	if !ok {
		id = value(len(v.terms))
		v.ids[t] = id
		v.terms = append(v.terms, t)
	}
	return id
}

func (v *values) constant(k uint32) value { return v.of(term{op: termConst, k: k}) }

func (v *values) isConst(id value) (uint32, bool) {
	t := v.terms[id]
	return t.k, t.op == termConst
}

// registers is what A, X and the scratch words hold.
type registers struct {
	a, x value
	mem  [16]value
}

// apply runs one instruction over r and returns the value that it could fail to
// make (a load, a division), or -1.
func (v *values) apply(r *registers, in ins) (fallible value) {
	fallible = -1
	switch {
	case in.op == opLdImm:
		r.a = v.constant(in.k)
	case in.op == opLdxImm:
		r.x = v.constant(in.k)
	case in.op == opLdLen:
		r.a = v.of(term{op: opLdLen})
	case in.op == opLdMem:
		r.a = r.mem[in.k&15]
	case in.op == opLdxMem:
		r.x = r.mem[in.k&15]
	case in.op == opSt:
		r.mem[in.k&15] = r.a
	case in.op == opStx:
		r.mem[in.k&15] = r.x
	case in.op == opTax:
		r.x = r.a
	case in.op == opTxa:
		r.a = r.x
	case in.op == opLdxMsh:
		r.x = v.of(term{op: in.op, k: in.k})
		fallible = r.x
	case in.op&7 == 0 && in.op&0xe0 == opLdAbs:
		r.a = v.of(term{op: in.op, k: in.k})
		fallible = r.a
	case in.op&7 == 0:
		r.a = v.of(term{op: in.op, x: r.x, k: in.k})
		fallible = r.a
	case in.op&7 == opAlu:
		fallible = v.compute(r, in)
	}
	return fallible
}

func (v *values) compute(r *registers, in ins) (fallible value) {
	t := term{op: in.op, a: r.a, k: in.k}
	if in.op&withX != 0 {
		t.k = 0
		t.x = r.x
		if k, ok := v.isConst(r.x); ok {
			t = term{op: in.op &^ withX, a: r.a, k: k}
		}
	}
	if a, ok := v.isConst(t.a); ok && t.op&withX == 0 {
		if n, ok := alu(t.op, a, t.k, 0); ok {
			r.a = v.constant(n)
			return -1
		}
	}
	r.a = v.of(t)
	if op := t.op & 0xf0; (op == aluDiv || op == aluMod) && (t.op&withX != 0 || t.k == 0) {
		return r.a
	}
	return -1
}

// fact is something known on the way to a block. Facts form a tree: a block
// knows those from its own up to the root, and where ways meet, those up to the
// last one that the ways have in common.
type fact struct {
	up     *fact
	depth  int
	value  value
	made   bool // the value was made without failing
	lo, hi uint32
	test   testKey // or: this test came out so
	came   bool
}

type testKey struct {
	op   uint16
	a, x value
}

// lookBack bounds how far up facts are looked for, and with it the time.
const lookBack = 200

func (f *fact) common(o *fact) *fact {
	for f != o {
		if f == nil || o == nil {
			return nil
		}
		if f.depth >= o.depth {
			f = f.up
		} else {
			o = o.up
		}
	}
	return f
}

func (f *fact) add(n fact) *fact {
	n.up = f
	if f != nil {
		n.depth = f.depth + 1
	}
	return &n
}

// knowledge is what is known on the way to a block. The outcomes of tests are
// many in a long expression, and stand apart so that the rest is found soon.
type knowledge struct {
	facts    *fact // values made, and bounds of values
	outcomes *fact
}

func (k *knowledge) made(v value) {
	k.facts = k.facts.add(fact{value: v, made: true})
}

func (k knowledge) wasMade(v value) bool {
	for f, n := k.facts, 0; f != nil && n < lookBack; f, n = f.up, n+1 {
		if f.made && f.value == v {
			return true
		}
	}
	return false
}

func (k knowledge) outcome(t testKey) (out, ok bool) {
	for f, n := k.outcomes, 0; f != nil && n < lookBack; f, n = f.up, n+1 {
		if f.test == t {
			return f.came, true
		}
	}
	return false, false
}

// bounds returns the least and the greatest that v can be.
func (k knowledge) bounds(vs *values, v value) (lo, hi uint32) {
	for f, n := k.facts, 0; f != nil && n < lookBack; f, n = f.up, n+1 {
		if !f.made && f.value == v {
			return f.lo, f.hi
		}
	}
	t := vs.terms[v]
	switch {
	case t.op == termConst:
		return t.k, t.k
	case t.op&7 == 0 && (t.op&0xe0 == opLdAbs && t.k < 0xfffff000 || t.op&0xe0 == opLdInd):
		return 0, 1<<(8*loadSize(t.op)-1)*2 - 1
	case t.op == opAlu|aluAnd:
		return 0, t.k
	}
	return 0, 0xffffffff
}

// decide says how a branch comes out, if that is known.
func (k knowledge) decide(vs *values, op uint16, a, x value) (out, ok bool) {
	if n, isConst := vs.isConst(x); isConst {
		if op == opJset {
			if m, isConst := vs.isConst(a); isConst {
				return m&n != 0, true
			}
			out, ok = k.decide(vs, opJeq, vs.of(term{op: opAlu | aluAnd, a: a, k: n}), vs.constant(0))
			return !out, ok
		}
		lo, hi := k.bounds(vs, a)
		switch {
		case op == opJeq && (n < lo || n > hi), op == opJgt && hi <= n, op == opJge && hi < n:
			return false, true
		case op == opJeq && lo == hi, op == opJgt && lo > n, op == opJge && lo >= n:
			return true, true
		}
	}
	if a == x {
		return op != opJgt, op == opJeq || op == opJge || op == opJgt
	}
	return k.outcome(testKey{op, a, x})
}

// learn returns k with what the outcome of a branch tells.
func (k knowledge) learn(vs *values, op uint16, a, x value, out bool) knowledge {
	n, isConst := vs.isConst(x)
	if isConst && op == opJset {
		return k.learn(vs, opJeq, vs.of(term{op: opAlu | aluAnd, a: a, k: n}), vs.constant(0), !out)
	}
	if isConst {
		lo, hi := k.bounds(vs, a)
		l, h := lo, hi
		switch {
		case op == opJeq && out:
			l, h = n, n
		case op == opJeq && n == lo:
			l++
		case op == opJeq && n == hi:
			h--
		case op == opJgt && out:
			l = max(l, n+1)
		case op == opJgt:
			h = min(h, n)
		case op == opJge && out:
			l = max(l, n)
		case op == opJge:
			h = min(h, n-1)
		}
		if l != lo || h != hi {
			k.facts = k.facts.add(fact{value: a, lo: l, hi: h})
			return k
		}
	}
	k.outcomes = k.outcomes.add(fact{test: testKey{op, a, x}, came: out})
	return k
}

package filter

import "golang.org/x/net/bpf"

// assemble lays the blocks out. It works from the end, so that the distance of
// every jump is known when it is written; a conditional jump reaches 255
// instructions, and where that is too short a plain jump or a copy of the
// verdict stands behind it.
func assemble(entry *block) []bpf.RawInstruction {
	blocks := order(entry)
	var back []bpf.RawInstruction // in reverse
	at := make(map[*block]int, len(blocks))
	emit := func(in bpf.RawInstruction) { back = append(back, in) }
	for i := len(blocks) - 1; i >= 0; i-- {
		b := blocks[i]
		switch {
		case b.isReturn():
			emit(bpf.RawInstruction{Op: opRet, K: b.k})
		case b.jt == b.jf:
			if d := len(back) - at[b.jt]; d > 0 {
				emit(far(b.jt, d))
			}
		default:
			t, f := len(back)-at[b.jt], len(back)-at[b.jf]
			// What is put between moves the targets away by one more each.
			if f > 254 {
				emit(far(b.jf, f))
				f, t = 0, t+1
			}
			if t > 255 {
				emit(far(b.jt, t))
				t, f = 0, f+1
			}
			emit(bpf.RawInstruction{Op: b.op, Jt: uint8(t), Jf: uint8(f), K: b.k})
		}
		for j := len(b.ins) - 1; j >= 0; j-- {
			emit(bpf.RawInstruction{Op: b.ins[j].op, K: b.ins[j].k})
		}
		at[b] = len(back)
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return back
}

func far(to *block, distance int) bpf.RawInstruction {
	if to.isReturn() {
		return bpf.RawInstruction{Op: opRet, K: to.k}
	}
	return bpf.RawInstruction{Op: opJa, K: uint32(distance)}
}

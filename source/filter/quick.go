package filter

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
)

// quick is an instruction as Program runs it. The operations are dense, so that
// choosing among them is one jump, and a load with the comparison after it is
// one instruction.
type quick struct {
	op     uint8
	size   uint8
	alu    uint16
	k      uint32 // constant
	off    uint32 // of a load with a comparison
	jt, jf uint32 // next instruction
}

const (
	quickHalfIs uint8 = iota // load from a fixed place and compare
	quickByteIs
	quickWordIs
	quickHalfAtXIs
	quickByteMasks
	quickHalfMasks
	quickIs
	quickAbove
	quickAtLeast
	quickMasks
	quickIsX
	quickAboveX
	quickAtLeastX
	quickMasksX
	quickLoad
	quickLoadAtX
	quickHeader
	quickAlu
	quickAccept
	quickAcceptA
	quickJump
	quickImm
	quickImmX
	quickLen
	quickLenX
	quickGet
	quickGetX
	quickPut
	quickPutX
	quickTax
	quickTxa
)

// quicken translates a program that NewProgram checked. Instructions keep their
// index; one that was joined to the one before it is never reached.
func quicken(code []bpf.RawInstruction) []quick {
	simple := map[uint16]uint8{opJeq: quickIs, opJgt: quickAbove, opJge: quickAtLeast, opJset: quickMasks,
		opJeq | withX: quickIsX, opJgt | withX: quickAboveX, opJge | withX: quickAtLeastX, opJset | withX: quickMasksX,
		opLdAbs | sizeW: quickLoad, opLdAbs | sizeH: quickLoad, opLdAbs | sizeB: quickLoad,
		opLdInd | sizeW: quickLoadAtX, opLdInd | sizeH: quickLoadAtX, opLdInd | sizeB: quickLoadAtX,
		opLdxMsh: quickHeader, opRet: quickAccept, opRet | 0x10: quickAcceptA, opJa: quickJump, opLdImm: quickImm, opLdxImm: quickImmX,
		opLdLen: quickLen, opLdLen | 1: quickLenX, opLdMem: quickGet, opLdxMem: quickGetX, opSt: quickPut, opStx: quickPutX,
		opTax: quickTax, opTxa: quickTxa}
	joined := map[[2]uint16]uint8{{opLdAbs | sizeH, opJeq}: quickHalfIs, {opLdAbs | sizeB, opJeq}: quickByteIs,
		{opLdAbs | sizeW, opJeq}: quickWordIs, {opLdInd | sizeH, opJeq}: quickHalfAtXIs, {opLdAbs | sizeB, opJset}: quickByteMasks,
		{opLdAbs | sizeH, opJset}: quickHalfMasks}
	target := make([]bool, len(code))
	for i, in := range code {
		switch {
		case in.Op == opJa:
			target[i+1+int(in.K)] = true
		case in.Op&7 == 5:
			target[i+1+int(in.Jt)], target[i+1+int(in.Jf)] = true, true
		}
	}
	out := make([]quick, len(code))
	for i := len(code) - 1; i >= 0; i-- {
		in := code[i]
		q := quick{op: quickAlu, alu: in.Op, k: in.K, size: uint8(loadSize(in.Op)), jt: uint32(i + 1)}
		if op, ok := simple[in.Op]; ok {
			q.op = op
		}
		switch {
		case in.Op == opJa:
			q.jt = uint32(i + 1 + int(in.K))
		case in.Op&7 == 5:
			q.jt, q.jf = uint32(i+1+int(in.Jt)), uint32(i+1+int(in.Jf))
		case i+1 < len(code) && !target[i+1]:
			if op, ok := joined[[2]uint16{in.Op, code[i+1].Op}]; ok {
				next := out[i+1]
				q.op, q.off, q.k, q.jt, q.jf = op, in.K, next.k, next.jt, next.jf
			}
		}
		out[i] = q
	}
	return out
}

// run interprets code; 0 is the verdict "reject". A load beyond the frame or a
// division by zero also means reject.
func (f *frame) run(code []quick) uint32 {
	var a, x uint32
	var mem [16]uint32
	data, plain := f.data, f.plain
	var yes, ok bool
	for pc := uint32(0); ; {
		in := &code[pc]
		k := in.k
		switch in.op {
		case quickHalfIs, quickHalfMasks:
			if end := uint64(in.off) + 2; end <= plain {
				a = uint32(binary.BigEndian.Uint16(data[in.off:]))
			} else if a, ok = f.load(uint64(in.off), 2); !ok {
				return 0
			}
			if yes = a == k; in.op == quickHalfMasks {
				yes = a&k != 0
			}
		case quickByteIs, quickByteMasks:
			if uint64(in.off) < plain {
				a = uint32(data[in.off])
			} else if a, ok = f.load(uint64(in.off), 1); !ok {
				return 0
			}
			if yes = a == k; in.op == quickByteMasks {
				yes = a&k != 0
			}
		case quickWordIs:
			if end := uint64(in.off) + 4; end <= plain {
				a = binary.BigEndian.Uint32(data[in.off:])
			} else if a, ok = f.load(uint64(in.off), 4); !ok {
				return 0
			}
			yes = a == k
		case quickHalfAtXIs:
			if at := uint64(in.off) + uint64(x); at+2 <= plain {
				a = uint32(binary.BigEndian.Uint16(data[at:]))
			} else if a, ok = f.inside(at, 2); !ok {
				return 0
			}
			yes = a == k
		case quickIs:
			yes = a == k
		case quickAbove:
			yes = a > k
		case quickAtLeast:
			yes = a >= k
		case quickMasks:
			yes = a&k != 0
		case quickIsX:
			yes = a == x
		case quickAboveX:
			yes = a > x
		case quickAtLeastX:
			yes = a >= x
		case quickMasksX:
			yes = a&x != 0
		case quickHeader:
			if uint64(k) < plain {
				x = uint32(data[k]) & 15 << 2
			} else if x, ok = f.inside(uint64(k), 1); ok {
				x = x & 15 << 2
			} else {
				return 0
			}
			yes = true
		default:
			yes = true
			switch in.op {
			case quickLoad:
				if a, ok = f.load(uint64(k), uint64(in.size)); !ok {
					return 0
				}
			case quickLoadAtX:
				if a, ok = f.inside(uint64(k)+uint64(x), uint64(in.size)); !ok {
					return 0
				}
			case quickAlu:
				if a, ok = alu(in.alu, a, k, x); !ok {
					return 0
				}
			case quickAccept:
				return k
			case quickAcceptA:
				return a
			case quickImm:
				a = k
			case quickImmX:
				x = k
			case quickLen:
				a = f.length
			case quickLenX:
				x = f.length
			case quickGet:
				a = mem[k&15]
			case quickGetX:
				x = mem[k&15]
			case quickPut:
				mem[k&15] = a
			case quickPutX:
				mem[k&15] = x
			case quickTax:
				x = a
			case quickTxa:
				a = x
			}
		}
		if pc = in.jf; yes {
			pc = in.jt
		}
	}
}

package filter

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/bpf"
)

// Program runs over frames in memory. It is immutable and safe for use by
// several goroutines.
type Program struct{ code []quick }

// NewProgram checks code once, so that running it needs no checks: every jump
// stays inside and goes forward, every scratch word exists, and the last
// instruction is a verdict.
func NewProgram(code []bpf.RawInstruction) (*Program, error) {
	if len(code) == 0 {
		return nil, fmt.Errorf("filter program: no instructions")
	}
	for i, in := range code {
		left := len(code) - 1 - i
		bad := false
		switch in.Op {
		case opLdImm, opLdxImm, opLdLen, opLdLen | 1, opLdxMsh, opTax, opTxa, opRet, opRet | 0x10,
			opLdAbs | sizeW, opLdAbs | sizeH, opLdAbs | sizeB, opLdInd | sizeW, opLdInd | sizeH, opLdInd | sizeB,
			opAlu | aluNeg:
		case opLdMem, opLdxMem, opSt, opStx:
			bad = in.K > 15
		case opJa:
			bad = uint64(in.K) >= uint64(left)
		case opJeq, opJgt, opJge, opJset, opJeq | withX, opJgt | withX, opJge | withX, opJset | withX:
			bad = int(in.Jt) >= left || int(in.Jf) >= left
		case opAlu | aluDiv, opAlu | aluMod:
			bad = in.K == 0
		default:
			bad = in.Op&7 != opAlu || in.Op&0xf0 > aluXor || in.Op&^uint16(0xff) != 0
		}
		if bad || left == 0 && in.Op&7 != opRet {
			return nil, fmt.Errorf("filter program: instruction %d is not valid", i)
		}
	}
	return &Program{quicken(code)}, nil
}

// Match tells whether the frame is accepted. data is what was captured of it and
// is only read; length is what it had on the wire. tagType and tag are an outer
// VLAN tag that came beside data (the EtherType and the TCI), or 0: the program
// sees it in its place, at byte 12.
func (p *Program) Match(data []byte, length int, tagType, tag uint16) bool {
	f := frame{data: data, plain: uint64(len(data)), size: uint64(len(data)), length: uint32(length)}
	if tagType != 0 && len(data) >= 12 {
		binary.BigEndian.PutUint16(f.tag[:], tagType)
		binary.BigEndian.PutUint16(f.tag[2:], tag)
		f.plain, f.size, f.length = 12, f.size+4, f.length+4
	}
	return f.run(p.code) != 0
}

// MatchBeside is Match for a program that was compiled for Options.Live: it sees
// the frame as the kernel does, without the tag, and asks for the tag.
func (p *Program) MatchBeside(data []byte, length int, tagType, tag uint16) bool {
	f := frame{data: data, plain: uint64(len(data)), size: uint64(len(data)), length: uint32(length)}
	if tagType != 0 {
		f.beside, f.tci = 1, uint32(tag)
	}
	return f.run(p.code) != 0
}

// Run returns the verdict on data, all of which was captured and beside which
// lies nothing; 0 where the program loads what lies behind its end.
func (p *Program) Run(data []byte) uint32 {
	f := frame{data: data, plain: uint64(len(data)), size: uint64(len(data)), length: uint32(len(data))}
	return f.run(p.code)
}

// frame is what a program runs over.
type frame struct {
	data   []byte
	plain  uint64 // before it data can be read as it lies
	size   uint64 // with the tag in place
	length uint32
	tag    [4]byte
	beside uint32 // 1: a tag lies beside the frame
	tci    uint32
}

// load reads what lies behind or across a tag, or beside the frame.
func (f *frame) load(k, size uint64) (uint32, bool) {
	switch k {
	case anciTag:
		return f.tci, true
	case anciTagPresent:
		return f.beside, true
	case anciPacketType, anciIfindex:
		return 0, true
	}
	return f.inside(k, size)
}

func (f *frame) inside(k, size uint64) (uint32, bool) {
	if k+size <= f.plain {
		var v uint32
		for _, c := range f.data[k : k+size] {
			v = v<<8 | uint32(c)
		}
		return v, true
	}
	if k+size > f.size {
		return 0, false
	}
	var v uint32
	for i := k; i < k+size; i++ {
		c := byte(0)
		switch {
		case i < 12:
			c = f.data[i]
		case i < 16:
			c = f.tag[i-12]
		default:
			c = f.data[i-4]
		}
		v = v<<8 | uint32(c)
	}
	return v, true
}

// alu does one operation; false is a division by zero. A shift by more than 31
// bits gives 0.
func alu(op uint16, a, k, x uint32) (uint32, bool) {
	if op&withX != 0 {
		k = x
	}
	switch op & 0xf0 {
	case aluAdd:
		a += k
	case aluSub:
		a -= k
	case aluMul:
		a *= k
	case aluDiv:
		if k == 0 {
			return 0, false
		}
		a /= k
	case aluMod:
		if k == 0 {
			return 0, false
		}
		a %= k
	case aluOr:
		a |= k
	case aluAnd:
		a &= k
	case aluXor:
		a ^= k
	case aluLsh:
		a <<= k
	case aluRsh:
		a >>= k
	case aluNeg:
		a = -a
	}
	return a, true
}

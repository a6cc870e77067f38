package afpacket

import (
	"fmt"
	"math"

	"golang.org/x/net/bpf"
)

// Classic BPF opcodes (linux/bpf_common.h), spelled out because the program
// that places packets is made of raw instructions.
const (
	opLdW    = 0x20 // A = 4 bytes at k
	opLdH    = 0x28
	opLdB    = 0x30
	opLdWX   = 0x40 // A = 4 bytes at X+k
	opLdHX   = 0x48
	opLdBX   = 0x50
	opLdLen  = 0x80 // A = length
	opLdImm  = 0x00 // A = k
	opLdMem  = 0x60 // A = M[k]
	opLdxImm = 0x01 // X = k
	opLdxMem = 0x61 // X = M[k]
	opSt     = 0x02 // M[k] = A
	opStx    = 0x03 // M[k] = X
	opAdd    = 0x04
	opSub    = 0x14
	opMul    = 0x24
	opAnd    = 0x54
	opLsh    = 0x64
	opRsh    = 0x74
	opXor    = 0xa4
	opAddX   = 0x0c
	opSubX   = 0x1c
	opXorX   = 0xac
	opJa     = 0x05
	opJeq    = 0x15
	opJgt    = 0x25
	opJge    = 0x35
	opJset   = 0x45
	opJgeX   = 0x3d
	opRetK   = 0x06
	opRetA   = 0x16
	opTax    = 0x07
	opTxa    = 0x87
)

// What the kernel answers beside the packet (linux/filter.h).
const (
	adOff      = 0xfffff000
	adProtocol = adOff + 0
	adPktType  = adOff + 4
	adIfindex  = adOff + 8
	adHardware = adOff + 28
)

const packetOutgoing = 4 // PACKET_OUTGOING

// label is a place in a program that is still being written.
type label int

// line is an instruction whose jump may still point to a label; -1: none.
type line struct {
	op   uint16
	k    uint32
	goal label
}

// program writes a classic BPF program with jumps to labels. Conditional jumps
// go to their label when true and fall through when not.
type program struct {
	lines []line
	at    []int // label → index of the line it stands before
}

func (p *program) label() label {
	p.at = append(p.at, -1)
	return label(len(p.at) - 1)
}

func (p *program) place(l label)                   { p.at[l] = len(p.lines) }
func (p *program) op(op uint16, k uint32)          { p.lines = append(p.lines, line{op, k, -1}) }
func (p *program) jump(l label)                    { p.lines = append(p.lines, line{opJa, 0, l}) }
func (p *program) on(op uint16, k uint32, l label) { p.lines = append(p.lines, line{op, k, l}) }

// assemble lays the program out. A conditional jump reaches 255 instructions;
// one that goes further becomes a short jump over a long one.
func (p *program) assemble() ([]bpf.RawInstruction, error) {
	start := make([]int, len(p.lines)+1)
	long := make([]bool, len(p.lines))
	for grown := true; grown; {
		grown = false
		pos := 0
		for i := range p.lines {
			start[i] = pos
			if pos++; long[i] {
				pos++
			}
		}
		start[len(p.lines)] = pos
		for i, l := range p.lines {
			if l.goal < 0 || l.op == opJa || long[i] {
				continue
			}
			if start[p.at[l.goal]]-start[i]-1 > math.MaxUint8 {
				long[i], grown = true, true
			}
		}
	}
	var out []bpf.RawInstruction
	for i, l := range p.lines {
		switch {
		case l.goal < 0:
			out = append(out, bpf.RawInstruction{Op: l.op, K: l.k})
			continue
		case p.at[l.goal] <= i:
			return nil, fmt.Errorf("program: jump back at line %d", i)
		case l.op == opJa:
			out = append(out, bpf.RawInstruction{Op: opJa, K: uint32(start[p.at[l.goal]] - len(out) - 1)})
		case long[i]:
			out = append(out, bpf.RawInstruction{Op: l.op, Jf: 1, K: l.k},
				bpf.RawInstruction{Op: opJa, K: uint32(start[p.at[l.goal]] - len(out) - 2)})
		default:
			out = append(out, bpf.RawInstruction{Op: l.op, Jt: uint8(start[p.at[l.goal]] - len(out) - 1), K: l.k})
		}
	}
	if len(out) > 4096 { // BPF_MAXINSNS
		return nil, fmt.Errorf("program: %d instructions, the kernel takes 4096", len(out))
	}
	return out, nil
}

package afpacket

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/bpf"
)

// machine runs classic BPF as the kernel does: on a packet from its view on,
// with what it knows beside it. A load behind the end returns 0.
type machine struct {
	data     []byte
	length   uint32
	protocol uint16
	hardware uint16
	kind     uint32
	ifindex  uint32
	steps    int
}

func (m *machine) run(prog []bpf.RawInstruction) (uint32, error) {
	var a, x uint32
	var mem [16]uint32
	for pc := 0; pc < len(prog); pc++ {
		m.steps++
		in := prog[pc]
		load := func(at uint64, size int) (uint32, bool) {
			if at+uint64(size) > uint64(len(m.data)) {
				return 0, false
			}
			switch b := m.data[at:]; size {
			case 4:
				return binary.BigEndian.Uint32(b), true
			case 2:
				return uint32(binary.BigEndian.Uint16(b)), true
			default:
				return uint32(b[0]), true
			}
		}
		size := map[uint16]int{0: 4, 8: 2, 16: 1}[in.Op&0x18]
		switch in.Op {
		case opLdW, opLdH, opLdB:
			switch in.K {
			case adProtocol:
				a = uint32(m.protocol)
				continue
			case adPktType:
				a = m.kind
				continue
			case adHardware:
				a = uint32(m.hardware)
				continue
			case adIfindex:
				a = m.ifindex
				continue
			}
			at := uint64(in.K)
			v, ok := load(at, size)
			if !ok {
				return 0, nil
			}
			a = v
		case opLdWX, opLdHX, opLdBX:
			v, ok := load(uint64(x)+uint64(in.K), size)
			if !ok {
				return 0, nil
			}
			a = v
		case 0xb1: // ldxb 4*([k]&0xf)
			v, ok := load(uint64(in.K), 1)
			if !ok {
				return 0, nil
			}
			x = v & 15 * 4
		case opLdLen:
			a = m.length
		case opLdImm:
			a = in.K
		case opLdMem:
			a = mem[in.K]
		case opLdxImm:
			x = in.K
		case opLdxMem:
			x = mem[in.K]
		case opSt:
			mem[in.K] = a
		case opStx:
			mem[in.K] = x
		case opAdd:
			a += in.K
		case opSub:
			a -= in.K
		case opMul:
			a *= in.K
		case opAnd:
			a &= in.K
		case opLsh:
			a <<= in.K
		case opRsh:
			a >>= in.K
		case opXor:
			a ^= in.K
		case opAddX:
			a += x
		case opSubX:
			a -= x
		case opXorX:
			a ^= x
		case opTax:
			x = a
		case opTxa:
			a = x
		case opRetK:
			return in.K, nil
		case opRetA:
			return a, nil
		case opJa:
			pc += int(in.K)
		case opJeq, opJgt, opJge, opJset, opJgeX:
			yes := map[uint16]bool{opJeq: a == in.K, opJgt: a > in.K, opJge: a >= in.K, opJset: a&in.K != 0, opJgeX: a >= x}[in.Op]
			if yes {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		default:
			return 0, fmt.Errorf("instruction %d: unknown code %#x", pc, in.Op)
		}
	}
	return 0, fmt.Errorf("ran off the end")
}

package afpacket

import (
	"encoding/binary"

	"github.com/passiflow/passiflow/packet"
	"golang.org/x/net/bpf"
)

// homes tells which worker a frame belongs to, by the program by which the kernel
// chooses it: run once more, here, it cannot choose otherwise. That is for frames
// that the kernel never saw, because they were put together from fragments. It
// belongs to one goroutine.
type homes struct {
	programs map[packet.Link][]bpf.RawInstruction
}

// hash returns what the program says of a frame.
func (h *homes) hash(cfg *Config, l packet.Link, frame []byte) uint32 {
	program, ok := h.programs[l]
	if !ok {
		if h.programs == nil {
			h.programs = map[packet.Link][]bpf.RawInstruction{}
		}
		// It has another entry than that of the kernel, which was made already.
		program, _ = placing(func(p *placer) { p.frame(l) }, cfg.VXLANPorts, cfg.GENEVEPorts)
		h.programs[l] = program
	}
	return run(program, frame)
}

// frame writes the entry for a frame as Read gives it.
func (p *placer) frame(link packet.Link) {
	l := &p.level[0]
	p.op(opLdImm, 0)
	p.op(opSt, memHash)
	switch link {
	case packet.LinkEthernet:
		p.op(opLdxImm, 0)
		p.jump(l.ether)
	case packet.LinkSLL2:
		p.op(opLdxImm, cookedHeader)
		p.op(opLdH, 0)
		p.on(opJeq, 4, l.llc) // ETH_P_802_2
		p.jump(l.tag[0])
	default: // bare IP
		p.op(opLdxImm, 0)
		p.op(opLdB, 0)
		p.op(opAnd, 0xf0)
		p.on(opJeq, 0x40, l.ip4)
		p.on(opJeq, 0x60, l.ip6)
		p.jump(p.last)
	}
}

// run does what the kernel does with the instructions that place uses. A load
// behind the end of b ends the program with 0. Three times as fast as that of
// golang.org/x/net/bpf.
func run(program []bpf.RawInstruction, b []byte) uint32 {
	var a, x uint32
	var mem [16]uint32
	for pc := 0; pc < len(program); pc++ {
		in := &program[pc]
		k, taken := in.K, false
		switch in.Op {
		case opLdW, opLdH, opLdB, opLdWX, opLdHX, opLdBX:
			at, size := uint64(k), uint64(4)
			if in.Op >= opLdWX {
				at += uint64(x)
			}
			switch in.Op & 0x18 {
			case 8:
				size = 2
			case 16:
				size = 1
			}
			if at+size > uint64(len(b)) {
				return 0
			}
			switch size {
			case 4:
				a = binary.BigEndian.Uint32(b[at:])
			case 2:
				a = uint32(binary.BigEndian.Uint16(b[at:]))
			default:
				a = uint32(b[at])
			}
			continue
		case opLdLen:
			a = uint32(len(b))
			continue
		case opLdImm:
			a = k
			continue
		case opLdMem:
			a = mem[k&15]
			continue
		case opLdxImm:
			x = k
			continue
		case opLdxMem:
			x = mem[k&15]
			continue
		case opSt:
			mem[k&15] = a
			continue
		case opStx:
			mem[k&15] = x
			continue
		case opAdd:
			a += k
			continue
		case opMul:
			a *= k
			continue
		case opAnd:
			a &= k
			continue
		case opLsh:
			a <<= k
			continue
		case opRsh:
			a >>= k
			continue
		case opAddX:
			a += x
			continue
		case opSubX:
			a -= x
			continue
		case opXorX:
			a ^= x
			continue
		case opTax:
			x = a
			continue
		case opTxa:
			a = x
			continue
		case opRetA:
			return a
		case opJa:
			pc += int(k)
			continue
		case opJeq:
			taken = a == k
		case opJgt:
			taken = a > k
		case opJge:
			taken = a >= k
		case opJset:
			taken = a&k != 0
		case opJgeX:
			taken = a >= x
		default: // opRetK, and nothing else
			return k
		}
		if taken {
			pc += int(in.Jt)
		} else {
			pc += int(in.Jf)
		}
	}
	return 0
}

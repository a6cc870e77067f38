package afpacket

import (
	"fmt"

	"github.com/passiflow/passiflow/packet"
	"golang.org/x/net/bpf"
)

// cookedHeader is the length of the header of LINKTYPE_LINUX_SLL2.
const cookedHeader = 20

// reject is the filter that lets nothing through.
func reject() []bpf.RawInstruction { return []bpf.RawInstruction{{Op: opRetK}} }

// kernelFilter turns a filter into the program that is attached: it drops what
// a loopback device shows a second time on its way out, cuts what passes to
// snaplen, and reads the cooked header of link LinkSLL2 from where the kernel
// has it. user is nil for everything.
func kernelFilter(user []bpf.RawInstruction, link packet.Link, loopback bool, snaplen int) ([]bpf.RawInstruction, error) {
	if len(user) == 0 {
		user = []bpf.RawInstruction{{Op: opRetK, K: 1}}
	}
	cooked := link == packet.LinkSLL2
	if cooked {
		snaplen = max(1, snaplen-cookedHeader)
	}
	var p program
	if loopback {
		once, twice := p.label(), p.label()
		p.op(opLdH, adHardware)
		maybe := p.label()
		p.on(opJeq, 772, maybe) // ARPHRD_LOOPBACK
		p.jump(once)
		p.place(maybe)
		p.op(opLdW, adPktType)
		p.on(opJeq, packetOutgoing, twice)
		p.jump(once)
		p.place(twice)
		p.op(opRetK, 0)
		p.place(once)
		p.op(opLdImm, 0)
	}
	at := make([]label, len(user)+1)
	for i := range at {
		at[i] = p.label()
	}
	for i, in := range user {
		p.place(at[i])
		goal := func(n uint32) (label, error) {
			if j := uint64(i) + 1 + uint64(n); j < uint64(len(user)) {
				return at[j], nil
			}
			return 0, fmt.Errorf("filter: instruction %d jumps out of the program", i)
		}
		switch class := in.Op & 7; {
		case in.Op == opJa:
			to, err := goal(in.K)
			if err != nil {
				return nil, err
			}
			p.jump(to)
		case class == 5: // BPF_JMP
			yes, err := goal(uint32(in.Jt))
			if err != nil {
				return nil, err
			}
			no, err := goal(uint32(in.Jf))
			if err != nil {
				return nil, err
			}
			p.on(in.Op, in.K, yes)
			if in.Jf != 0 {
				p.jump(no)
			}
		case in.Op == opRetK && in.K != 0:
			p.op(opRetK, uint32(snaplen))
		case cooked && in.Op == opLdLen:
			p.op(opLdLen, 0)
			p.op(opAdd, cookedHeader)
		case cooked && class <= 1:
			op, k, ok := cookedLoad(in.Op, in.K)
			if !ok {
				return nil, fmt.Errorf("filter: instruction %d reads %d bytes into the cooked header, which the kernel does not show", i, in.K)
			}
			p.op(op, k)
		default:
			p.op(in.Op, in.K)
		}
	}
	out, err := p.assemble()
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return out, nil
}

// cookedLoad moves a load from a frame with an SLL2 header to one that begins
// behind it.
func cookedLoad(op uint16, k uint32) (uint16, uint32, bool) {
	switch mode := op & 0xe0; {
	case mode != 0x20 && mode != 0x40 && mode != 0xa0: // not BPF_ABS, BPF_IND or BPF_MSH
		return op, k, true
	case k >= 0xff000000: // ancillary data, and offsets from a header the kernel knows
		return op, k, true
	case k >= cookedHeader:
		return op, k - cookedHeader, true
	case op == opLdH && k == 0:
		return op, adProtocol, true
	case op == opLdW && k == 4:
		return op, adIfindex, true
	case op == opLdH && k == 8:
		return op, adHardware, true
	case op == opLdB && k == 10:
		return op, adPktType, true
	}
	return op, k, false
}

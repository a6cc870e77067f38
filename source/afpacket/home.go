package afpacket

import (
	"github.com/passiflow/passiflow/packet"
	"golang.org/x/net/bpf"
)

// homes tells which worker a frame belongs to, by the program by which the kernel
// chooses it: run once more, here, it cannot choose otherwise. That is for frames
// that the kernel never saw, because they were put together from fragments. It
// belongs to one goroutine.
type homes struct{ programs map[packet.Link]*bpf.VM }

// hash returns what the program says of a frame; 0, the first worker, where it
// cannot be made.
func (h *homes) hash(cfg *Config, l packet.Link, frame []byte) uint32 {
	vm, ok := h.programs[l]
	if !ok {
		if h.programs == nil {
			h.programs = map[packet.Link]*bpf.VM{}
		}
		vm = machineFor(cfg, l)
		h.programs[l] = vm
	}
	if vm == nil {
		return 0
	}
	n, err := vm.Run(frame)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// machineFor makes the program for whole frames of a link, nil where there is none.
func machineFor(cfg *Config, l packet.Link) *bpf.VM {
	raw, err := placing(func(p *placer) { p.frame(l) }, cfg.VXLANPorts, cfg.GENEVEPorts)
	if err != nil {
		return nil
	}
	program, ok := bpf.Disassemble(raw)
	if !ok {
		return nil
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		return nil
	}
	return vm
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

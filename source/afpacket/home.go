package afpacket

import (
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source/filter"
)

// homes tells which worker a frame belongs to, by the program by which the kernel
// chooses it: run once more, here, it cannot choose otherwise. That is for frames
// that the kernel never saw, because they were put together from fragments. It
// belongs to one goroutine.
type homes struct {
	programs map[packet.Link]*filter.Program
}

// hash returns what the program says of a frame.
func (h *homes) hash(cfg *Config, l packet.Link, frame []byte) uint32 {
	program, ok := h.programs[l]
	if !ok {
		if h.programs == nil {
			h.programs = map[packet.Link]*filter.Program{}
		}
		program = home(cfg, l)
		h.programs[l] = program
	}
	return program.Run(frame)
}

// home returns the program for frames of l. It has another entry than that of
// the kernel, which was made and taken already, so that this one is valid, too.
func home(cfg *Config, l packet.Link) *filter.Program {
	code, _ := placing(func(p *placer) { p.frame(l) }, cfg.VXLANPorts, cfg.GENEVEPorts)
	program, _ := filter.NewProgram(code)
	return program
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

package builtin

import (
	"errors"
	"log/slog"
	"slices"
	"sync"

	"golang.org/x/net/bpf"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source/filter"
)

// Filter is a filter expression, ready for the kernel and for frames in memory.
type Filter struct {
	// Log is told, once for each link type, where the expression means nothing
	// and no frame passes; nil is silent.
	Log *slog.Logger

	expression *filter.Expression
	programs   map[packet.Link]*filter.Program // nil: no frame of this link matches
	faults     map[packet.Link]error           // why
	told       sync.Map                        // link types that Log knows of
}

// ParseFilter compiles an expression for every link type. Its error is a
// *filter.Error; an expression that means nothing on some link types matches no
// frame of those, and is an error when it means nothing on any.
func ParseFilter(text string) (*Filter, error) {
	e, err := filter.Parse(text)
	if err != nil {
		return nil, err
	}
	f := &Filter{expression: e, programs: map[packet.Link]*filter.Program{}, faults: map[packet.Link]error{}}
	var first error
	for _, l := range links() {
		code, err := e.Compile(uint32(l), filter.Options{})
		if err != nil {
			if first == nil {
				first = err
			}
			f.faults[l] = err
			continue
		}
		if f.programs[l], err = filter.NewProgram(code); err != nil {
			return nil, err
		}
	}
	if len(f.programs) == 0 {
		return nil, first
	}
	return f, nil
}

// links lists the link types that packets are read from, the usual one first.
func links() []packet.Link {
	return []packet.Link{
		packet.LinkEthernet, packet.LinkNull, packet.LinkARCNET, packet.LinkPPP, packet.LinkPPPHDLC, packet.LinkPPPoE, packet.LinkRaw, packet.LinkCHDLC,
		packet.LinkLoop, packet.LinkSLL, packet.LinkARCLinux, packet.LinkIPv4, packet.LinkIPv6, packet.LinkNFLOG, packet.LinkSLL2,
	}
}

// device returns the program for a live device of this link type.
func device(e *filter.Expression, l packet.Link, o filter.Options) ([]bpf.RawInstruction, error) {
	code, err := e.Compile(uint32(l), o)
	if errors.Is(err, filter.ErrRejectsAll) {
		return []bpf.RawInstruction{{Op: 0x06}}, nil // return 0: a device of another kind may match
	}
	return code, err
}

// program returns what a device of this link type filters with, where live says
// whether a VLAN tag comes beside the frame, as it does on Linux. It is nil
// without a filter and ports.
func (o *LiveOptions) program(live bool) func(packet.Link) ([]bpf.RawInstruction, error) {
	var all []*filter.Expression
	if o.Filter != nil {
		all = append(all, o.Filter.expression)
	}
	if len(o.Ports) > 0 {
		all = append(all, filter.Ports(o.Ports, slices.Concat(filter.TunnelPorts(), o.VXLANPorts, o.GENEVEPorts)))
	}
	if len(all) == 0 {
		return nil
	}
	return func(l packet.Link) ([]bpf.RawInstruction, error) {
		to := filter.Options{Live: live, Snaplen: uint32(o.Snaplen)}
		code, err := device(filter.Intersection(all...), l, to)
		if err != nil && len(all) == 2 { // too long together: the ports are looked at again anyway
			return device(all[0], l, to)
		}
		return code, err
	}
}

// Match tells whether p passes. It may be called by several goroutines.
func (f *Filter) Match(p *packet.Packet) bool {
	program := f.programs[p.Link]
	if program == nil {
		f.tell(p.Link)
		return false
	}
	return program.Match(p.Data, p.Length, p.TagType, p.Tag)
}

// tell says that no frame of this link type passes: a capture file may hold
// nothing else, and an empty result looks as if there was no such traffic.
func (f *Filter) tell(l packet.Link) {
	if f.Log == nil {
		return
	}
	if _, told := f.told.LoadOrStore(l, nil); told {
		return
	}
	why := "expressions are not compiled for this link type; leave the expression out, or choose by --ports"
	if err := (*filter.Error)(nil); errors.As(f.faults[l], &err) {
		why = err.Msg
	}
	f.Log.Warn("no packet of this link type passes the filter", "link", uint32(l), "why", why)
}

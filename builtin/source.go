package builtin

import (
	"io"
	"log/slog"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/filter"
	"github.com/passiflow/passiflow/source/pcapfile"
	"github.com/passiflow/passiflow/source/tunnel"
)

// LiveOptions say what to capture on the interfaces of this machine.
type LiveOptions struct {
	Interfaces  []string // none: the first that is up and not loopback
	Wait        bool     // for interfaces that do not exist yet
	Promiscuous bool
	Workers     int
	Snaplen     int // bytes
	Buffer      int // bytes of kernel memory for each worker
	Filter      *Filter
	Ports       []filter.Range // innermost; the source may let more through. None: all
	// VXLANPorts and GENEVEPorts are UDP ports that carry these tunnels beside the
	// assigned ones, at most 8 each.
	VXLANPorts, GENEVEPorts []uint16
	Log                     *slog.Logger
}

// FileOptions say which capture files to read.
type FileOptions struct {
	Paths  []string // "-" is standard input
	Follow bool
	Stdin  io.Reader
	Log    *slog.Logger
}

// TunnelOptions say which mirrored traffic to take over UDP.
type TunnelOptions struct {
	Kind        string // vxlan, geneve
	Address     string
	Allow, Deny [][2]uint32 // network ids, first and last; Allow nil: all
	Workers     int
	Buffer      int // bytes of kernel memory for each worker
	Log         *slog.Logger
}

// Tunnel listens for mirrored traffic, with one source for each worker.
func Tunnel(o TunnelOptions) (all []source.Source, err error) {
	c := tunnel.DefaultConfig()
	if o.Kind == packet.GENEVE.String() {
		c.Kind = packet.GENEVE
	}
	c.Address, c.Allow, c.Deny, c.Share, c.Buffer, c.Log = o.Address, o.Allow, o.Deny, o.Workers, o.Buffer, o.Log
	for range o.Workers {
		s, err := tunnel.Open(c)
		if err != nil {
			for _, s := range all {
				s.Close()
			}
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// Files opens capture files, read one after the other.
func Files(o FileOptions) (source.Source, error) {
	c := pcapfile.DefaultConfig()
	c.Paths, c.Follow, c.Stdin, c.Log = o.Paths, o.Follow, o.Stdin, o.Log
	return pcapfile.Open(c)
}

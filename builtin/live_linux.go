package builtin

import (
	"golang.org/x/net/bpf"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/afpacket"
)

// Live opens interfaces, one source for each worker.
func Live(o LiveOptions) ([]source.Source, error) {
	c := afpacket.DefaultConfig()
	c.Interfaces, c.Wait, c.Promiscuous = o.Interfaces, o.Wait, o.Promiscuous
	c.Workers, c.Snaplen, c.BufferBytes = o.Workers, o.Snaplen, o.Buffer
	if o.Filter != nil {
		c.Filter = func(l packet.Link) ([]bpf.RawInstruction, error) {
			return o.Filter.Kernel(l, o.Snaplen)
		}
	}
	return afpacket.Open(c, o.Log)
}

//go:build !libpcap || !cgo

package builtin

import (
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/afpacket"
)

// Live opens interfaces, one source for each worker.
func Live(o LiveOptions) ([]source.Source, error) {
	c := afpacket.DefaultConfig()
	c.Interfaces, c.Wait, c.Promiscuous = o.Interfaces, o.Wait, o.Promiscuous
	c.Workers, c.Snaplen, c.BufferBytes = o.Workers, o.Snaplen, o.Buffer
	c.VXLANPorts, c.GENEVEPorts = o.VXLANPorts, o.GENEVEPorts
	c.Filter = o.program(true)
	return afpacket.Open(c, o.Log)
}

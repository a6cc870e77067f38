package hostile

import (
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet"
)

// Conversations picked to share a corner of the flow table, as far as one can
// know who knows the program and not the run.
func TestCollisions(t *testing.T) {
	c := record(t)
	ps := packet.NewParser(packet.DefaultConfig())
	var at []end
	for i := uint32(0); len(at) < 40_000; i++ {
		e := end{0x0b000000 + i>>15, uint16(1024 + i&0x7fff)}
		p := packet.Packet{Data: c.ether(c.segment(e, server, 1, 0, syn, "")), Link: packet.LinkEthernet}
		p.Length = len(p.Data)
		ps.Parse(&p)
		if p.Hash&(1<<17-1) < 1<<10 {
			at = append(at, e)
		}
	}
	for range 3 {
		for i, e := range at {
			c.tcp(e, server, 1, 0, syn, "")
			if i%2 == 0 {
				c.tcp(e, server, 2, 1, ack, "G")
			}
		}
	}
	r := run(t, bound{1500 * time.Millisecond, 200}, c.done(), "--memory", "512MiB")
	r.has(t, "conversations")
}

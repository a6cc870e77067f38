package flow

import "github.com/passiflow/passiflow/packet"

// datagram counts a packet of a transport without order.
func (t *Table) datagram(p *packet.Packet) {
	n := uint64(len(p.Payload))
	t.stats.NotTCPData += n
	if !t.cfg.Datagrams || p.Proto != packet.UDP {
		t.stats.NotTCP++
		return
	}
	c, from, _ := t.find(p)
	if c != nil && p.Time-c.last >= t.wait[c.state] {
		t.end(c, Idle, c.last+t.wait[c.state])
		c = nil
	}
	if c == nil {
		if !t.sampled(p.Hash) && t.sample != ^uint64(0) {
			t.stats.UnsampledPackets++
			return
		}
		if t.n >= t.cfg.MaxFlows {
			t.shed()
		}
		c, from = t.begin(p)
	}
	t.touch(c, p.Time)
	h := &c.half[from]
	if c.state == halfOpen && c.half[from.Peer()].packets > 0 {
		t.become(c, live)
	}
	h.packets++
	h.payload += n
	h.delivered += n
}

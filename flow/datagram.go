package flow

import "github.com/passiflow/passiflow/packet"

// datagram counts a packet of a transport without order.
func (t *Table) datagram(p *packet.Packet) {
	n := uint64(len(p.Payload))
	t.stats.NotTCPData += n
	if !t.cfg.Datagrams || p.Proto != packet.UDP {
		t.stats.NotTCP++
		t.last = nil
		return
	}
	c, from, _ := t.find(p)
	if c != nil && t.gone(c, p.Time) {
		c = nil
	}
	if c == nil {
		if !t.sampled(p) {
			t.stats.UnsampledPackets++
			return
		}
		if t.n >= t.cfg.MaxFlows {
			t.shed()
		}
		c, from = t.begin(p)
		t.become(c, live) // one side alone is no sign of anything
	}
	t.touch(c, p.Time)
	h := &c.half[from]
	h.packets++
	h.payload += n
	h.delivered += n
}

package flow

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/passiflow/passiflow/packet"
)

// admit opens a conversation for a packet that belongs to none, or counts why
// not.
func (t *Table) admit(p *packet.Packet) (*conn, Side) {
	n := uint64(len(p.Payload))
	switch {
	case !t.sampled(p):
		t.stats.Unsampled += n
		t.stats.UnsampledPackets++
		return nil, 0
	case p.TCP.Flags&packet.RST != 0 && !t.cfg.Resets:
		// Nothing follows a RST that belongs to nothing.
		t.stats.AfterReset += n
		return nil, 0
	case t.held > t.cfg.MaxBytes && !t.relieve() && p.TCP.Flags&packet.SYN == 0:
		// What is seen from its beginning needs no room unless something is
		// missing: whoever fills it must not keep everybody out.
		t.stats.Refused += n
		t.stats.RefusedFlows++
		return nil, 0
	}
	if t.n >= t.cfg.MaxFlows {
		t.shed()
	}
	t.forget()
	return t.begin(p)
}

// sampled tells whether the conversation of p is looked at. That depends on its
// addresses and the seed alone, and not on Packet.Hash, which is another in
// every run.
func (t *Table) sampled(p *packet.Packet) bool {
	return t.sample == ^uint64(0) || mixed(endHash(p.Src)+endHash(p.Dst)^t.cfg.Seed) < t.sample
}

// endHash hashes one end.
func endHash(a netip.AddrPort) uint64 {
	b := a.Addr().As16()
	h := mixed(binary.BigEndian.Uint64(b[:8]))
	h = mixed(h ^ binary.BigEndian.Uint64(b[8:]))
	return mixed(h ^ uint64(a.Port()))
}

// mixed spreads the bits of h.
func mixed(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// side returns who of c sent p, which goes between its ends.
func (c *conn) side(p *packet.Packet) Side {
	if p.Src == c.ends[Client] && p.Dst == c.ends[Server] {
		return Client
	}
	return Server
}

// copied tells whether p, which came through another tunnel between the same
// ends, was captured on its way into or out of that tunnel. A SYN tells it by
// its number, another packet by being near in both numbers and time. Once a
// tunnel is known to carry copies, whatever comes through it counts: what the
// other place did not capture, or captures later, is welcome.
func (c *conn) copied(p *packet.Packet) bool {
	if c.aliased && c.alias == p.Tunnel {
		return true
	}
	from := c.side(p)
	h, peer := &c.half[from], &c.half[from.Peer()]
	if d := p.Time.Sub(c.last); d > 1e9 || d < -1e9 || !h.known || h.packets == 0 || c.state.over() {
		return false
	}
	if p.TCP.Flags&packet.SYN != 0 {
		if h.mid || h.base != p.TCP.Seq+1 {
			return false
		}
	} else if d := h.offset(p.TCP.Seq) - int64(h.next); d > near || d < -near {
		return false
	}
	if p.TCP.Flags&packet.ACK != 0 && peer.known {
		if d := peer.offset(p.TCP.Ack) - int64(peer.next); d > near || d < -near {
			return false
		}
	}
	c.alias, c.aliased = p.Tunnel, true
	return true
}

// receiveCopy takes a packet of c, whose packets come twice. Those that come
// from where the first of a side did not are counted only where they bring
// something new.
func (t *Table) receiveCopy(c *conn, from Side, p *packet.Packet) {
	h := &c.half[from]
	foreign := p.Tunnel != c.tunnel
	if h.packets == 0 {
		h.foreign = foreign
	}
	if h.foreign == foreign {
		t.receive(c, from, p)
		return
	}
	packets, payload := h.packets, h.payload
	duplicate, reused := t.stats.Duplicate, t.stats.Reused
	t.receive(c, from, p)
	again := t.stats.Duplicate - duplicate
	t.stats.Duplicate = duplicate
	t.stats.Copies += again
	if again == uint64(len(p.Payload)) {
		t.stats.CopyPackets++
		if t.stats.Reused == reused {
			h.packets, h.payload = packets, payload
		}
	}
}

// reuse looks whether p begins a new conversation between the same ends, and
// returns the conversation it belongs to.
func (t *Table) reuse(c *conn, from Side, p *packet.Packet) (*conn, Side) {
	h, peer := &c.half[from], &c.half[from.Peer()]
	flags, isn := p.TCP.Flags, p.TCP.Seq
	if c.again && p.Time.Sub(c.againAt) > t.cfg.HalfOpen {
		c.again = false
	}
	over := c.state.over() || c.state == dying || h.fin != none && peer.fin != none
	fresh, doubted := false, false
	switch {
	case flags&packet.SYN == 0:
		fresh = c.again && c.confirms(from, p)
		doubted = fresh
	case c.again && from != c.againFrom && flags&packet.ACK != 0 && p.TCP.Ack == c.againISN+1:
		fresh, doubted = true, true
	case !h.known || h.startsAt(isn+1):
		// The same SYN again, or the first of this side. After a RST that
		// answered it, it is another attempt; after a good end, somebody replays.
		fresh = flags&packet.ACK == 0 && (c.state == dying && h.fresh() && peer.fresh() ||
			c.state == closed && c.settled() && p.Time.Sub(c.last) > replayAfter)
	case c.state == dying && c.answers(h, peer, p):
		// The RST before the answer to the SYN was not the peer's.
		h.fin, h.finAck = none, none
		t.become(c, live)
	case over:
		fresh = true
	case h.mid && c.precedes(h, peer, p):
		// The beginning of what was seen from the middle, or a handshake in
		// which each side asks.
	case flags&packet.ACK != 0:
		// The answer to a SYN that was not seen; nothing confirms it.
	case c.state == halfOpen && h.fresh():
		h.setBase(isn+1, false) // nobody answered: it asks again
	default:
		// A forged SYN must not end a living conversation: wait for an answer to it.
		c.again, c.againFrom, c.againISN, c.againAt = true, from, isn, p.Time
		h.packets++
		t.stats.OutOfWindow += uint64(len(p.Payload))
		return nil, 0
	}
	if !fresh {
		return c, from
	}
	at, client, ends := c.againAt, c.againFrom, c.ends
	isn = c.againISN
	t.stats.Reused++
	if doubted {
		c.half[client].packets-- // the SYN that was doubted
	}
	t.end(c, Finished, p.Time)
	c, from = t.begin(p)
	if doubted {
		// It began with the SYN that was doubted.
		c.ends[Client], c.ends[Server] = ends[client], ends[client.Peer()]
		c.start, c.first = at, isn
		c.half[Client].setBase(isn+1, false)
		c.half[Client].packets = 1
		from = c.side(p)
	}
	return c, from
}

// replayAfter is how long after the end of a conversation its SYN, again, is
// not a copy of the first that came late.
const replayAfter = 100 * time.Millisecond

// answers tells whether the SYN p answers that of side peer, after which nothing
// was said.
func (c *conn) answers(h, peer *half, p *packet.Packet) bool {
	return p.TCP.Flags&packet.ACK != 0 && h.fresh() && peer.fresh() && peer.known && peer.startsAt(p.TCP.Ack)
}

// confirms tells whether p belongs to the conversation that the doubted SYN
// would begin, and not to c.
func (c *conn) confirms(from Side, p *packet.Packet) bool {
	if p.TCP.Flags&packet.RST != 0 {
		return false
	}
	if from != c.againFrom {
		return p.TCP.Flags&packet.ACK != 0 && p.TCP.Ack == c.againISN+1
	}
	h := &c.half[from]
	d := h.offset(p.TCP.Seq) - int64(h.next)
	return p.TCP.Seq == c.againISN+1 && (d > near || d < -near)
}

// precedes tells whether the SYN p is that of side h, whose later packets were seen
// before it.
func (c *conn) precedes(h, peer *half, p *packet.Packet) bool {
	at, ok := h.begins(p.TCP.Seq + 1)
	if ok && (h.pages != nil || peer.fresh()) {
		return true
	}
	d := int64(h.first) - at
	return d >= 0 && d <= near && p.Time.Sub(c.start) < 1e9
}

// startsAt tells whether seq is the number of the first byte of h.
func (h *half) startsAt(seq uint32) bool {
	if h.mid {
		seq -= midBias
	}
	return h.base == seq
}

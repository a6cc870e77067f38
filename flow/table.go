package flow

import (
	"net/netip"
	"slices"

	"github.com/passiflow/passiflow/packet"
)

// slot is one place of the hash table. The hash is kept beside the pointer so
// that a miss does not touch the conversation.
type slot struct {
	hash uint64
	c    *conn
}

// Table holds the conversations of one worker. It is used by one goroutine and
// starts none.
type Table struct {
	cfg    Config
	open   func(*Flow) Stream
	done   func(*Summary)
	slots  []slot
	n      int
	last   *conn // of the previous packet; nil: it belongs to none
	lists  [states]list
	counts [states]int
	timers []timer     // a heap
	alarm  packet.Time // the packet time at which to look at timers and sweep
	sweep  packet.Time // next look for idle conversations
	now    packet.Time // newest packet time
	free   [pageSizes]*page
	frees  int // bytes of free
	spare  *conn
	spares int
	bytes  int  // data held for want of earlier ones
	held   int  // memory of the pages that hold them
	hurry  bool // nothing is waited for
	chunk  Chunk
	stats  Stats
	ports  [8192]byte // bitmap of Config.Ports
	sample uint64     // hashes below it are in the sample
	wait   [states]packet.Time
	least  packet.Time // of wait: what had a packet since is not looked at closer
}

// NewTable makes a table. open is called for each conversation before its first
// byte and may return nil where it is not wanted; done, which may be nil, takes
// each conversation at its end.
func NewTable(cfg Config, open func(*Flow) Stream, done func(*Summary)) *Table {
	t := &Table{cfg: cfg, open: open, done: done, slots: make([]slot, 1024)}
	t.wait = [states]packet.Time{
		halfOpen: packet.Time(cfg.HalfOpen),
		live:     packet.Time(cfg.IdleTimeout),
		dying:    packet.Time(cfg.Linger),
		closed:   packet.Time(cfg.Remember),
		vain:     packet.Time(cfg.RememberVain),
	}
	t.least = slices.Min(t.wait[:])
	for _, p := range cfg.Ports {
		t.ports[p>>3] |= 1 << (p & 7)
	}
	switch {
	case cfg.Sample >= 1:
		t.sample = ^uint64(0)
	case cfg.Sample > 0:
		t.sample = uint64(cfg.Sample * (1 << 63) * 2)
	}
	return t
}

// Stats returns the counts so far.
func (t *Table) Stats() Stats { return t.stats }

// Last returns the conversation of the packet given last, nil where that belongs
// to none.
func (t *Table) Last() *Flow {
	if t.last == nil {
		return nil
	}
	return t.last.makeFlow()
}

// Flows returns how many conversations the table holds.
func (t *Table) Flows() int { return t.n - t.counts[closed] - t.counts[vain] }

// waits returns how long c stays without packets.
func (t *Table) waits(c *conn) packet.Time {
	s := c.state
	if s.over() {
		// Which list it is in depends on when the table was swept.
		if s = closed; !c.settled() {
			s = vain
		}
	}
	return t.wait[s]
}

// Pending returns the bytes held for want of earlier ones.
func (t *Table) Pending() int { return t.bytes }

func (t *Table) port(p uint16) bool { return t.ports[p>>3]&(1<<(p&7)) != 0 }

// find returns the conversation of p and the side that sent it. twin is one
// with the same ends in another tunnel.
func (t *Table) find(p *packet.Packet) (c *conn, from Side, twin *conn) {
	if c = t.last; c != nil && c.hash == p.Hash {
		if from, ok := c.match(p); ok {
			return c, from, nil
		}
	}
	mask := uint64(len(t.slots) - 1)
	for i := p.Hash & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.c == nil {
			t.last = nil
			return nil, 0, twin
		}
		if s.hash != p.Hash {
			continue
		}
		if from, ok := s.c.match(p); ok {
			t.last = s.c
			return s.c, from, nil
		}
		if twin == nil && s.c.twin(p) {
			twin = s.c
		}
	}
}

func (c *conn) match(p *packet.Packet) (Side, bool) {
	if c.tunnel != p.Tunnel || c.proto != p.Proto {
		return 0, false
	}
	if p.Src == c.ends[Client] && p.Dst == c.ends[Server] {
		return Client, true
	}
	return Server, p.Src == c.ends[Server] && p.Dst == c.ends[Client]
}

// twin tells whether p belongs to the same ends as c, in another tunnel.
func (c *conn) twin(p *packet.Packet) bool {
	return c.proto == p.Proto && (p.Src == c.ends[Client] && p.Dst == c.ends[Server] || p.Src == c.ends[Server] && p.Dst == c.ends[Client])
}

func (t *Table) add(c *conn) {
	if 4*(t.n+1) > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]slot, 2*len(old))
		// From a gap on, so that what shares a hash keeps its order.
		gap := 0
		for old[gap].c != nil {
			gap++
		}
		for i := range old {
			if s := old[(gap+i)&(len(old)-1)]; s.c != nil {
				t.place(s)
			}
		}
	}
	t.place(slot{c.hash, c})
	t.n++
}

func (t *Table) place(s slot) {
	mask := uint64(len(t.slots) - 1)
	i := s.hash & mask
	for t.slots[i].c != nil {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// drop takes c out of the hash table and closes the hole it leaves.
func (t *Table) drop(c *conn) {
	mask := uint64(len(t.slots) - 1)
	i := c.hash & mask
	for t.slots[i].c != c {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.slots[j].c != nil; j = (j + 1) & mask {
		if home := t.slots[j].hash & mask; (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot{}
	t.n--
	if t.last == c {
		t.last = nil
	}
}

// begin opens a conversation with its first packet.
func (t *Table) begin(p *packet.Packet) (*conn, Side) {
	c := t.spare
	if c != nil {
		t.spare = c.behind
		t.spares--
		*c = conn{}
	} else {
		c = new(conn)
	}
	from := t.direction(p)
	c.hash, c.tunnel, c.proto = p.Hash, p.Tunnel, p.Proto
	c.ends[from], c.ends[from.Peer()] = p.Src, p.Dst
	c.vlan, c.iface = p.VLAN, p.Interface
	c.start, c.last, c.moved, c.first = p.Time, p.Time, t.now, p.TCP.Seq
	c.at = never
	for i := range c.half {
		c.half[i].fin, c.half[i].finAck = none, none
	}
	t.add(c)
	t.lists[halfOpen].push(c)
	t.counts[halfOpen]++
	t.stats.Opened++
	t.last = c
	return c, from
}

// direction says which side sent the first packet of a conversation: by SYN,
// by configured port, by the lower port.
func (t *Table) direction(p *packet.Packet) Side {
	if p.Proto == packet.TCP && p.TCP.Flags&packet.SYN != 0 {
		if p.TCP.Flags&packet.ACK != 0 {
			return Server
		}
		return Client
	}
	src, dst := p.Src.Port(), p.Dst.Port()
	if a, b := t.port(src), t.port(dst); a != b {
		if a {
			return Server
		}
		return Client
	}
	if p.Proto == packet.UDP {
		// Whoever speaks first asks.
		return Client
	}
	if src < dst || src == dst && p.Src.Addr().Less(p.Dst.Addr()) {
		return Server
	}
	return Client
}

// become moves c to another state.
func (t *Table) become(c *conn, s state) {
	t.lists[c.state].remove(c)
	t.counts[c.state]--
	c.state = s
	c.moved = t.now
	t.lists[s].push(c)
	t.counts[s]++
}

// touch notes that c had a packet now. The lists are kept in order to within a
// second: an exact order would cost two cache misses a packet.
func (t *Table) touch(c *conn, now packet.Time) {
	c.last = max(c.last, now)
	if t.now-c.moved > 1e9 {
		l := &t.lists[c.state]
		if l.tail != c {
			l.remove(c)
			l.push(c)
		}
		c.moved = t.now
	}
}

// id makes the identity of a conversation out of its key and first packet.
func (c *conn) id() uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	mix := func(v uint64) {
		h ^= v
		h *= 0xff51afd7ed558ccd
		h ^= h >> 32
	}
	for _, e := range []netip.AddrPort{c.ends[Client], c.ends[Server]} {
		a := e.Addr().As16()
		for i := 0; i < 16; i += 8 {
			var v uint64
			for _, b := range a[i : i+8] {
				v = v<<8 | uint64(b)
			}
			mix(v)
		}
		mix(uint64(e.Port()))
	}
	mix(uint64(c.tunnel.Kind)<<32 | uint64(c.tunnel.ID))
	mix(uint64(c.proto))
	mix(uint64(c.start))
	mix(uint64(c.first))
	return h
}

// makeFlow returns the Flow of c.
func (c *conn) makeFlow() *Flow {
	if c.flow == nil {
		c.flow = &Flow{ID: c.id(), Transport: c.proto, Client: c.ends[Client], Server: c.ends[Server], Tunnel: c.tunnel,
			VLAN: c.vlan, Interface: c.iface, Start: c.start}
	}
	return c.flow
}

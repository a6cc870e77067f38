package packet

import "time"

// Partitioner tells which worker a frame belongs to. It walks as Parser does
// but holds no fragment. One goroutine.
type Partitioner struct{ ps Parser }

// partHeads is how many fragmented tunnel packets are remembered: a power of 2.
const partHeads = 1024

// partAge is how long one is remembered.
const partAge = Time(30 * time.Second)

// partHead is where the first fragment of a tunnel's packet went, so that the
// others, which show nothing of what is inside, follow it.
type partHead struct {
	tag  uint64
	a, b uint64
	time Time
	deep bool
}

// NewPartitioner returns a Partitioner that knows the tunnels of c and keys its
// hash by c.Seed.
func NewPartitioner(c Config) *Partitioner {
	ps := NewParser(c)
	ps.heads = new([partHeads]partHead)
	return &Partitioner{ps: *ps}
}

// Key hashes the innermost address pair that can be reached, the same for both
// directions and for fragments, whatever the ports, the interface and the VLAN.
// It is 0 for what carries no IP, or lies deeper than MaxDepth: such frames go
// to the first worker. Key overwrites what Parse sets in p and allocates
// nothing.
//
// Fragments of a tunnel's own packets follow the first of them, which shows the
// inner addresses. One that comes before the first is hashed by the tunnel's
// ends; its packet is then not reassembled where that is another worker.
func (q *Partitioner) Key(p *Packet) uint64 {
	ps := &q.ps
	ps.a, ps.b, ps.headless = 0, 0, false
	r := ps.Parse(p)
	if r == TooDeep || ps.a|ps.b == 0 {
		return 0
	}
	return ps.pair(ps.a*golden, ps.b*golden, 0)
}

// partFragment sets the innermost addresses for a fragment.
func (ps *Parser) partFragment(p *Packet, proto Proto, id uint32, off int, b []byte, missing, depth int) Reason {
	if !mayTunnel(proto) {
		return OK
	}
	tag := fold(ps.a^ps.seed[2], ps.b+uint64(id)<<8) | 1
	h := &ps.heads[tag>>32&(partHeads-1)]
	if off > 0 {
		if age := p.Time - h.time; h.tag == tag && age > -partAge && age < partAge {
			if h.deep {
				return TooDeep
			}
			ps.a, ps.b = h.a, h.b
		}
		return OK
	}
	ps.headless = true
	r := ps.payload(p, proto, b, missing, depth)
	*h = partHead{tag: tag, a: ps.a, b: ps.b, time: p.Time, deep: r == TooDeep}
	if r == TooDeep {
		return r
	}
	return OK
}

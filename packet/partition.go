package packet

// Partitioner tells which worker a frame belongs to. It walks as Parser does
// but holds nothing: a fragment counts by the innermost addresses in front of
// it. One goroutine.
type Partitioner struct{ ps Parser }

// NewPartitioner returns a Partitioner that knows the tunnels of c and keys its
// hash by c.Seed.
func NewPartitioner(c Config) *Partitioner {
	ps := NewParser(c)
	ps.partition = true
	return &Partitioner{ps: *ps}
}

// Key hashes the innermost address pair that can be reached, the same for both
// directions and for fragments, whatever the ports, the interface and the VLAN.
// It is 0 for what carries no IP, or lies deeper than MaxDepth: such frames go
// to the first worker. Key overwrites what Parse sets in p and allocates
// nothing.
//
// A tunnel whose own datagrams are fragmented is the exception: only the first
// fragment holds inner addresses, so that its fragments are hashed by the
// tunnel's ends, and other packets of the same conversation by theirs.
func (q *Partitioner) Key(p *Packet) uint64 {
	q.ps.a, q.ps.b = 0, 0
	r := q.ps.Parse(p)
	if r == TooDeep || q.ps.a|q.ps.b == 0 {
		return 0
	}
	return q.ps.pair(q.ps.a*golden, q.ps.b*golden, 0)
}

package packet

import "time"

// MaxDepth is the count of encapsulations (tunnels, not tags or labels) that
// Parse takes off a frame.
const MaxDepth = 4

// maxTags bounds the tags and labels in front of one network header.
const maxTags = 16

// Config holds the bounds of a Parser. A zero field stands for its default.
type Config struct {
	// Seed keys Packet.Hash. The default 0 is a key as good as any other and
	// gives the same hashes in every run; whoever faces hostile traffic and
	// does not need that chooses a random one, so that nobody outside can
	// aim at one bucket of a table.
	Seed uint64
	// FragmentBytes bounds the memory for the content of held fragments;
	// default 4 MiB.
	FragmentBytes int
	// FragmentDatagrams bounds the datagrams held at once; default 1024. The
	// oldest goes first.
	FragmentDatagrams int
	// FragmentTimeout is how long, in packet time, a datagram waits for the
	// rest of its fragments; default 30 s.
	FragmentTimeout time.Duration
	// VXLANPorts are UDP destination ports that carry VXLAN beside 4789 and 8472.
	VXLANPorts []uint16
	// GENEVEPorts are UDP destination ports that carry GENEVE beside 6081.
	GENEVEPorts []uint16
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{FragmentBytes: 4 << 20, FragmentDatagrams: 1024, FragmentTimeout: 30 * time.Second}
}

// Parser reads frames. It keeps the fragments of incomplete datagrams and
// belongs to one goroutine.
type Parser struct {
	seed     [3]uint64
	a, b     uint64               // what Hash takes of the innermost source and destination address
	heads    *[partHeads]partHead // of a Partitioner: it keeps these and no fragments
	headless bool                 // of a Partitioner: what follows is the beginning of a fragmented packet
	trials   int                  // guesses made for this frame
	liar     bool                 // an IP header announced more than the frame had
	ports    map[uint16]TunnelKind
	frags    fragments
	inside   bool // what is read is the content of a datagram that was put together
	whole    whole
}

// NewParser returns a Parser with the bounds of c.
func NewParser(c Config) *Parser {
	d := DefaultConfig()
	if c.FragmentBytes <= 0 {
		c.FragmentBytes = d.FragmentBytes
	}
	if c.FragmentDatagrams <= 0 {
		c.FragmentDatagrams = d.FragmentDatagrams
	}
	if c.FragmentTimeout <= 0 {
		c.FragmentTimeout = d.FragmentTimeout
	}
	ps := &Parser{seed: spread(c.Seed)}
	ps.frags.configure(c, ps.seed)
	if len(c.VXLANPorts)+len(c.GENEVEPorts) > 0 {
		ps.ports = make(map[uint16]TunnelKind)
		for _, n := range c.VXLANPorts {
			ps.ports[n] = VXLAN
		}
		for _, n := range c.GENEVEPorts {
			ps.ports[n] = GENEVE
		}
	}
	return ps
}

// Parse walks the headers of p.Data down to the innermost transport and sets
// the second half of p. The fields it sets are valid only where it returns OK.
// It verifies no checksum: a capture on the sending host sees frames before the
// card fills them in. p.Payload is valid until p.Data changes or Parse is
// called again.
func (ps *Parser) Parse(p *Packet) Reason {
	if ps.inside {
		ps.leave()
	}
	p.Tunnel = p.Outer
	p.VLAN = 0
	if p.TagType != 0 {
		p.VLAN = p.Tag & 0xfff
	}
	ps.trials, ps.liar = 0, false
	if p.Link == LinkEthernet {
		return ps.ethernet(p, p.Data, 0)
	}
	return ps.link(p, p.Link, p.Data, 0)
}

// short is the reason for a header that runs past the end of the frame.
func short(p *Packet) Reason {
	if p.Length > len(p.Data) {
		return Truncated
	}
	return Malformed
}

func be16(b []byte) uint16 { return uint16(b[1]) | uint16(b[0])<<8 }

func be32(b []byte) uint32 {
	return uint32(b[3]) | uint32(b[2])<<8 | uint32(b[1])<<16 | uint32(b[0])<<24
}

func be64(b []byte) uint64 {
	return uint64(b[7]) | uint64(b[6])<<8 | uint64(b[5])<<16 | uint64(b[4])<<24 |
		uint64(b[3])<<32 | uint64(b[2])<<40 | uint64(b[1])<<48 | uint64(b[0])<<56
}

package filter

// Range is a range of ports, both ends included.
type Range struct{ First, Last uint16 }

// TunnelPorts returns the UDP ports that tunnels are known by: L2TP, GTP-U,
// GTP 0, Teredo, LISP, GRE, VXLAN, AYIYA, CAPWAP, GENEVE, MPLS and TZSP.
func TunnelPorts() []uint16 {
	return []uint16{1701, 2152, 3386, 3544, 4341, 4754, 4789, 4790, 5072, 5247, 6081, 6635, 8472, 37008}
}

// Ports returns the expression that accepts every packet whose innermost TCP or
// UDP port could be one of ports, whatever is around it. tunnels are the UDP
// ports that lead to packets inside; nil means TunnelPorts.
//
// It accepts more than that, on purpose: whatever is not proved to be of no
// interest. Refused are only packets that are at once, at the very beginning of
// the frame, IPv4 or IPv6 without extension headers; no fragment; TCP, or UDP on
// neither side a tunnel; and whose ports are both known and none of ports. Such
// a packet has no other ports inside. (A frame that ends before its ports is
// refused too.) What is tagged, labelled, fragmented, encapsulated or unknown
// is accepted whole.
func Ports(ports []Range, tunnels []uint16) *Expression {
	if tunnels == nil {
		tunnels = TunnelPorts()
	}
	return &Expression{text: "innermost ports", root: &innermostNode{ports, tunnels}}
}

type innermostNode struct {
	ports   []Range
	tunnels []uint16
}

func (g *generator) innermost(n *innermostNode) condition {
	if g.link == linkNFLOG {
		return fixed(true)
	}
	tunnels := append([]Range(nil), n.ports...)
	for _, t := range n.tunnels {
		tunnels = append(tunnels, Range{t, t})
	}
	other := func(proto condition, from origin, wanted []Range) condition {
		var c condition = fixed(true)
		for _, r := range wanted {
			c = both{c, opposite(g.inRange(from, uint32(min(r.First, r.Last)), uint32(max(r.First, r.Last)), dOr))}
		}
		return both{proto, c}
	}
	plain4 := all(g.carries(typeIPv4),
		g.masked(fromNetwork, 0, sizeB, 0x40, 0xf0),
		&test{append(g.load(fromNetwork, 0, sizeB), ins{opAlu | aluAnd, 15}), opJge, 5},
		opposite(&test{g.load(fromNetwork, 6, sizeH), opJset, 0x3fff}), // more fragments, or a later one
		either{other(g.equal(fromNetwork, 9, sizeB, numTCP), fromTransport4, n.ports),
			other(g.equal(fromNetwork, 9, sizeB, numUDP), fromTransport4, tunnels)})
	plain6 := all(g.carries(typeIPv6),
		g.masked(fromNetwork, 0, sizeB, 0x60, 0xf0),
		either{other(g.equal(fromNetwork, 6, sizeB, numTCP), fromTransport6, n.ports),
			other(g.equal(fromNetwork, 6, sizeB, numUDP), fromTransport6, tunnels)})
	return opposite(either{plain4, plain6})
}

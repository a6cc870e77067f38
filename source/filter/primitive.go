package filter

import "strings"

func (g *generator) primitive(n *wordNode) condition {
	switch n.kind {
	case kLess:
		return opposite(&test{[]ins{{opLdLen, 0}}, opJgt, n.value})
	case kGreater:
		return &test{[]ins{{opLdLen, 0}}, opJge, n.value}
	case kByte:
		return g.byteIs(n)
	case kInbound, kOutbound:
		return g.passing(n.kind == kOutbound)
	case kIfindex:
		if g.link == linkSLL2 {
			return g.equal(fromHeader, 4, sizeW, n.value)
		}
		if !g.options.Live {
			return g.fail("\"ifindex\" is recorded in cooked captures of version 2 only, not on %s", linkName(g.link))
		}
		return &test{[]ins{{opLdAbs | sizeW, anciIfindex}}, opJeq, n.value}
	case kVLAN:
		return g.vlan(n.value, n.has)
	case kMPLS:
		return g.mpls(n.value, n.has)
	case kPPPoED:
		return g.carries(typePPPoED)
	case kPPPoES:
		return g.pppoe(n.value, n.has)
	case kGeneve:
		return g.geneve(n.value, n.has)
	}
	return g.logicalLink(n.name)
}

// byteIs is "byte N op V". With & and | libpcap forgets to load the byte; here
// it is loaded.
func (g *generator) byteIs(n *wordNode) condition {
	switch n.op {
	case '=':
		return g.equal(fromHeader, n.value, sizeB, n.second)
	case '<':
		return opposite(g.atLeast(fromHeader, n.value, sizeB, n.second))
	case '>':
		return g.greater(fromHeader, n.value, sizeB, n.second)
	case '&':
		return &test{g.load(fromHeader, n.value, sizeB), opJset, n.second}
	}
	code := append(g.load(fromHeader, n.value, sizeB), ins{opAlu | aluOr, n.second})
	return opposite(&test{code, opJeq, 0})
}

// passing is "inbound" or "outbound".
func (g *generator) passing(out bool) condition {
	var sent condition
	switch g.link {
	case linkSLL:
		sent = g.equal(fromHeader, 0, sizeH, packetOutgoing)
	case linkSLL2:
		sent = g.equal(fromHeader, 10, sizeB, packetOutgoing)
	case linkPPPD:
		v := uint32(0)
		if out {
			v = 1
		}
		return g.equal(fromHeader, 0, sizeB, v)
	default:
		if !g.options.Live {
			return g.fail("frames of %s do not record their direction", linkName(g.link))
		}
		sent = &test{[]ins{{opLdAbs | sizeW, anciPacketType}}, opJeq, packetOutgoing}
	}
	if out {
		return sent
	}
	return opposite(sent)
}

func (g *generator) broadcast(p proto) condition {
	switch p {
	case pDefault, pLink:
		switch g.link {
		case linkARCNET, linkARCLinux:
			return g.station(0, dDst)
		case linkEthernet:
			return g.behindGeneve(g.hardware([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, dDst))
		}
		return g.fail("there is no broadcast on %s", linkName(g.link))
	case pIP:
		host := ^g.options.Netmask
		return both{g.carries(typeIPv4), either{g.masked(fromNetwork, 16, sizeW, 0, host), g.masked(fromNetwork, 16, sizeW, host, host)}}
	}
	return g.fail("\"%s broadcast\" means nothing: only ether and ip have broadcast", protoName(p))
}

func (g *generator) multicast(p proto) condition {
	switch p {
	case pDefault, pLink:
		switch g.link {
		case linkARCNET, linkARCLinux:
			return g.station(0, dDst)
		case linkEthernet:
			return g.behindGeneve(&test{g.load(fromHeader, 0, sizeB), opJset, 1})
		}
		return g.fail("there is no multicast on %s", linkName(g.link))
	case pIP:
		return both{g.carries(typeIPv4), g.atLeast(fromNetwork, 16, sizeB, 224)}
	case pIP6:
		return both{g.carries(typeIPv6), g.equal(fromNetwork, 24, sizeB, 255)}
	}
	return g.fail("\"%s multicast\" means nothing: only ether, ip and ip6 have multicast", protoName(p))
}

// logicalLink is "llc" and its kinds of frames (IEEE 802.2).
func (g *generator) logicalLink(kind string) condition {
	if g.link != linkEthernet {
		return g.fail("there is no LLC header on %s", linkName(g.link))
	}
	c := both{opposite(g.greater(fromType, 0, sizeH, maxLength)), opposite(g.equal(fromPayload, 0, sizeH, 0xffff))}
	control := func(v, mask uint32) condition { return both{c, g.masked(fromPayload, 2, sizeB, v, mask)} }
	switch strings.ToLower(kind) {
	case "":
		return c
	case "i":
		return both{c, opposite(&test{g.load(fromPayload, 2, sizeB), opJset, 1})}
	case "s":
		return control(1, 3)
	case "u":
		return control(3, 3)
	case "rr":
		return control(1, 0x0f)
	case "rnr":
		return control(5, 0x0f)
	case "rej":
		return control(9, 0x0f)
	case "ui":
		return control(0x03, 0xef)
	case "ua":
		return control(0x63, 0xef)
	case "disc":
		return control(0x43, 0xef)
	case "dm":
		return control(0x0f, 0xef)
	case "sabme":
		return control(0x6f, 0xef)
	case "test":
		return control(0xe3, 0xef)
	case "xid":
		return control(0xaf, 0xef)
	case "frmr":
		return control(0x87, 0xef)
	}
	return g.fail("%q is no kind of LLC frame", kind)
}

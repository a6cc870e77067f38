package filter

// IP protocol numbers (IANA).
const (
	numHopByHop = 0
	numICMP     = 1
	numIGMP     = 2
	numTCP      = 6
	numIGRP     = 9
	numUDP      = 17
	numRouting  = 43
	numFragment = 44
	numESP      = 50
	numAH       = 51
	numICMP6    = 58
	numNone     = 59
	numDestOpts = 60
	numPIM      = 103
	numVRRP     = 112
	numSCTP     = 132
)

// transport turns the qualifier of a port into an IP protocol, 0 for any.
func (g *generator) transport(p proto) (uint32, bool) {
	switch p {
	case pDefault:
		return 0, true
	case pTCP:
		return numTCP, true
	case pUDP:
		return numUDP, true
	case pSCTP:
		return numSCTP, true
	}
	return 0, false
}

// ports is a range of ports of one transport, or of any (0), over IPv4 and IPv6.
func (g *generator) ports(lo, hi, transport uint32, d direction) condition {
	switch d {
	case dDefault, dSrc, dDst, dOr, dAnd:
	default:
		return g.fail("\"addr1\" to \"addr4\", \"ra\" and \"ta\" are for 802.11 only")
	}
	return either{g.ports6(lo, hi, transport, d), g.ports4(lo, hi, transport, d)}
}

func (g *generator) ports4(lo, hi, transport uint32, d direction) condition {
	one := func(t uint32) condition {
		return all(g.equal(fromNetwork, 9, sizeB, t), g.unfragmented(), g.inRange(fromTransport4, lo, hi, d))
	}
	if transport != 0 {
		return both{g.carries(typeIPv4), one(transport)}
	}
	return both{g.carries(typeIPv4), some(one(numSCTP), one(numTCP), one(numUDP))}
}

func (g *generator) ports6(lo, hi, transport uint32, d direction) condition {
	one := func(t uint32) condition {
		return both{g.equal(fromNetwork, 6, sizeB, t), g.inRange(fromTransport6, lo, hi, d)}
	}
	if transport != 0 {
		return both{g.carries(typeIPv6), one(transport)}
	}
	return both{g.carries(typeIPv6), some(one(numSCTP), one(numTCP), one(numUDP))}
}

func (g *generator) inRange(from origin, lo, hi uint32, d direction) condition {
	return g.sides(d, func(dst bool) condition {
		off := uint32(0)
		if dst {
			off = 2
		}
		if lo == hi {
			return g.equal(from, off, sizeH, lo)
		}
		return both{g.atLeast(from, off, sizeH, lo), opposite(g.greater(from, off, sizeH, hi))}
	})
}

// unfragmented is true of all but the later fragments of an IPv4 packet.
func (g *generator) unfragmented() condition {
	return opposite(&test{g.load(fromNetwork, 6, sizeH), opJset, 0x1fff})
}

// ipProto is "proto": what the network or link layer says comes next.
func (g *generator) ipProto(v uint32, p proto) condition {
	switch p {
	case pDefault:
		c := g.ipProto(v, pIP)
		return either{c, g.ipProto(v, pIP6)}
	case pLink:
		return g.carries(v)
	case pIP:
		return both{g.carries(typeIPv4), g.equal(fromNetwork, 9, sizeB, v)}
	case pIP6:
		return both{g.carries(typeIPv6), either{g.equal(fromNetwork, 6, sizeB, v),
			both{g.equal(fromNetwork, 6, sizeB, numFragment), g.equal(fromNetwork, 40, sizeB, v)}}}
	case pISO:
		if g.link == linkCHDLC {
			return both{g.carries(sapISO<<8 | sapISO), g.equal(fromLLC, 1, sizeB, v)}
		}
		return both{g.carries(sapISO), g.equal(fromLLC, 0, sizeB, v)}
	case pISIS:
		return both{g.ipProto(0x83, pISO), g.equal(fromLLC, 4, sizeB, v)}
	}
	return g.fail("\"%s proto\" means nothing", protoName(p))
}

// protocol is the name of a protocol by itself.
func (g *generator) protocol(p proto) condition {
	isis := func(types ...uint32) condition {
		c := g.ipProto(types[0], pISIS)
		for _, t := range types[1:] {
			c = either{c, g.ipProto(t, pISIS)}
		}
		return c
	}
	switch p {
	case pIP:
		return g.carries(typeIPv4)
	case pIP6:
		return g.carries(typeIPv6)
	case pARP:
		return g.carries(typeARP)
	case pRARP:
		return g.carries(typeRARP)
	case pTCP:
		return g.ipProto(numTCP, pDefault)
	case pUDP:
		return g.ipProto(numUDP, pDefault)
	case pSCTP:
		return g.ipProto(numSCTP, pDefault)
	case pICMP:
		return g.ipProto(numICMP, pIP)
	case pICMP6:
		return g.ipProto(numICMP6, pIP6)
	case pIGMP:
		return g.ipProto(numIGMP, pIP)
	case pIGRP:
		return g.ipProto(numIGRP, pIP)
	case pPIM:
		return g.ipProto(numPIM, pDefault)
	case pVRRP, pCARP:
		return g.ipProto(numVRRP, pIP)
	case pAH:
		return g.ipProto(numAH, pDefault)
	case pESP:
		return g.ipProto(numESP, pDefault)
	case pATALK:
		return g.carries(typeATALK)
	case pAARP:
		return g.carries(typeAARP)
	case pDECNET:
		return g.carries(typeDECnet)
	case pSCA:
		return g.carries(typeSCA)
	case pLAT:
		return g.carries(typeLAT)
	case pMOPDL:
		return g.carries(typeMOPDL)
	case pMOPRC:
		return g.carries(typeMOPRC)
	case pSTP:
		return g.carries(sapSTP)
	case pIPX:
		return g.carries(sapIPX)
	case pNETBEUI:
		return g.carries(sapNetBEUI)
	case pISO:
		return g.carries(sapISO)
	case pESIS:
		return g.ipProto(0x82, pISO)
	case pISIS:
		return g.ipProto(0x83, pISO)
	case pCLNP:
		return g.ipProto(0x81, pISO)
	case pL1:
		return isis(26, 24, 18, 15, 17)
	case pL2:
		return isis(27, 25, 20, 16, 17)
	case pIIH:
		return isis(17, 15, 16)
	case pLSP:
		return isis(18, 20)
	case pSNP:
		return isis(27, 26, 24, 25)
	case pCSNP:
		return isis(24, 25)
	case pPSNP:
		return isis(26, 27)
	case pRADIO:
		return g.fail("\"radio\" is for 802.11 only")
	}
	return g.fail("\"link\" alone says nothing; write for instance \"ether host\" or \"ether proto\"")
}

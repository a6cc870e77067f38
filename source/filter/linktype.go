package filter

// EtherTypes, and LLC service access points, which share their numbers' space
// below 1501.
const (
	typeIPv4   = 0x0800
	typeARP    = 0x0806
	typeMOPDL  = 0x6001
	typeMOPRC  = 0x6002
	typeDECnet = 0x6003
	typeLAT    = 0x6004
	typeSCA    = 0x6007
	typeTEB    = 0x6558
	typeRARP   = 0x8035
	typeATALK  = 0x809b
	typeAARP   = 0x80f3
	typeVLAN   = 0x8100
	typeIPX    = 0x8137
	typeIPv6   = 0x86dd
	typeMPLS   = 0x8847
	typePPPoED = 0x8863
	typePPPoES = 0x8864
	typeQinQ   = 0x88a8
	typeQinQ91 = 0x9100
	typeLoop   = 0x9000

	sapIP      = 0x06
	sapSTP     = 0x42
	sapIPX     = 0xe0
	sapNetBEUI = 0xf0
	sapISO     = 0xfe

	maxLength = 1500 // of an 802.3 frame: more is an EtherType

	pppMPLS = 0x0281

	// What cooked captures put in place of an EtherType.
	cooked8023 = 1
	cooked8022 = 4
)

// carries tells whether the link layer holds typ, an EtherType or service
// access point.
func (g *generator) carries(typ uint32) condition {
	if g.labels > 0 {
		return g.labelCarries(typ)
	}
	switch g.link {
	case linkEthernet:
		return g.typed(typ, opposite(g.greater(fromType, 0, sizeH, maxLength)), fixed(false))
	case linkSLL:
		return g.typed(typ, g.equal(fromType, 0, sizeH, cooked8022), g.equal(fromType, 0, sizeH, cooked8023))
	case linkCHDLC:
		if typ == sapISO {
			typ = sapISO<<8 | sapISO
		}
	case linkPPP, linkPPPHDLC, linkPPPD, linkPPPoE:
		typ = pppType(typ)
	case linkRaw:
		switch typ {
		case typeIPv4:
			return g.masked(fromHeader, 0, sizeB, 0x40, 0xf0)
		case typeIPv6:
			return g.masked(fromHeader, 0, sizeB, 0x60, 0xf0)
		}
		return fixed(false)
	case linkIPv4:
		return fixed(typ == typeIPv4)
	case linkIPv6:
		return fixed(typ == typeIPv6)
	case linkNull, linkLoop:
		return g.familyIs(typ)
	case linkNFLOG:
		switch typ {
		case typeIPv4:
			return g.equal(fromHeader, 0, sizeB, 2)
		case typeIPv6:
			return g.equal(fromHeader, 0, sizeB, 10)
		}
		return fixed(false)
	case linkARCNET, linkARCLinux:
		return g.arcnet(typ)
	}
	return g.equal(fromType, 0, sizeH, typ)
}

// typed is carries for Ethernet and cooked frames. llc tells whether an LLC
// header follows; novell is another sign of IPX right behind the length.
func (g *generator) typed(typ uint32, llc, novell condition) condition {
	switch typ {
	case sapISO, sapIP, sapNetBEUI:
		return both{llc, g.equal(fromPayload, 0, sizeH, typ<<8|typ)}
	case sapIPX:
		inside := either{g.snap(0, typeIPX), g.equal(fromPayload, 0, sizeB, sapIPX)}
		if g.link == linkEthernet {
			raw := g.equal(fromPayload, 0, sizeH, 0xffff)
			return either{g.equal(fromType, 0, sizeH, typeIPX), both{llc, some(g.snap(0, typeIPX), g.equal(fromPayload, 0, sizeB, sapIPX), raw)}}
		}
		return some(g.equal(fromType, 0, sizeH, typeIPX), novell, both{llc, either{inside.second, inside.first}})
	case typeATALK:
		return either{g.equal(fromType, 0, sizeH, typ), both{llc, g.snap(0x080007, typ)}}
	case typeAARP:
		return either{g.equal(fromType, 0, sizeH, typ), both{llc, g.snap(0, typ)}}
	}
	if typ > maxLength {
		return g.equal(fromType, 0, sizeH, typ)
	}
	if g.link == linkSLL {
		return both{llc, g.equal(fromHeader, g.payload.base, sizeB, typ)}
	}
	return both{llc, g.equal(fromType, 2, sizeB, typ)}
}

// snap is an LLC header with SNAP: organisation and EtherType.
func (g *generator) snap(organisation, typ uint32) condition {
	return g.bytes(fromPayload, 0, []byte{0xaa, 0xaa, 3, byte(organisation >> 16), byte(organisation >> 8), byte(organisation),
		byte(typ >> 8), byte(typ)})
}

func pppType(typ uint32) uint32 {
	switch typ {
	case typeIPv4:
		return 0x21
	case typeIPv6:
		return 0x57
	case typeDECnet:
		return 0x27
	case typeATALK:
		return 0x29
	case 0x0600: // XNS
		return 0x25
	case sapISO:
		return 0x23
	case sapSTP:
		return 0x31
	case sapIPX:
		return 0x2b
	}
	return typ
}

// familyIs compares the address family of a BSD loopback header. Its numbers
// differ by system, and in linkNull its byte order is that of a host that is not
// known any more, so that either order counts.
func (g *generator) familyIs(typ uint32) condition {
	var families []uint32
	switch typ {
	case typeIPv4:
		families = []uint32{2}
	case typeIPv6:
		families = []uint32{30, 28, 24, 10} // Darwin, FreeBSD, other BSD, Linux
	}
	var c condition = fixed(false)
	for _, f := range families {
		if g.link == linkNull {
			c = either{c, g.equal(fromHeader, 0, sizeW, f<<24)}
		}
		c = either{c, g.equal(fromHeader, 0, sizeW, f)}
	}
	return c
}

func (g *generator) arcnet(typ uint32) condition {
	is := func(v uint32) condition { return g.equal(fromType, 0, sizeB, v) }
	switch typ {
	case typeIPv4:
		return either{is(212), is(240)}
	case typeIPv6:
		return is(0xc4)
	case typeARP:
		return either{is(213), is(241)}
	case typeRARP:
		return is(214)
	case typeATALK:
		return is(221)
	}
	return fixed(false)
}

// labelCarries tells what follows the last MPLS label: there is no type field,
// only the version of what looks like IP.
func (g *generator) labelCarries(typ uint32) condition {
	version := uint32(0x40)
	switch typ {
	case typeIPv4:
	case typeIPv6:
		version = 0x60
	default:
		return g.fail("after \"mpls\" only IPv4 and IPv6 can be told")
	}
	bottom := g.loadAt(g.payload, g.network-2, sizeB)
	return both{&test{append(bottom, ins{opAlu | aluAnd, 1}), opJeq, 1}, g.masked(fromNetwork, 0, sizeB, version, 0xf0)}
}

package filter

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// value is a name, number or address with its qualifiers.
func (g *generator) value(n *valueNode) condition {
	if n.bits >= 0 || n.mask != "" {
		return g.prefixed(n)
	}
	switch n.kind {
	case kName:
		return g.named(n)
	case kNumber:
		return g.numbered(n)
	case kIPv4:
		switch n.q.addr {
		case tPort, tPortrange, tProto, tProtochain:
			return g.fail("%q is an address, and no port or protocol", n.text)
		}
		return g.numbered(n)
	case kIPv6:
		a, _ := netip.ParseAddr(n.text)
		if n.q.addr != tDefault && n.q.addr != tHost && n.q.addr != tNet {
			return g.fail("an IPv6 address cannot stand here")
		}
		return g.host6(a, 128, n.q)
	case kMAC:
		if n.q.addr != tHost && n.q.addr != tDefault || n.q.proto != pLink {
			g.fail("a hardware address needs \"ether host\", \"ether src\" or \"ether dst\" before it")
			return fixed(false)
		}
		if g.link != linkEthernet {
			return g.fail("hardware addresses can be filtered on Ethernet, not on %s", linkName(g.link))
		}
		return g.behindGeneve(g.hardware(parseMAC(n.text), n.q.dir))
	}
	if g.link != linkARCNET && g.link != linkARCLinux {
		return g.fail("ARCNET addresses can be filtered on ARCNET, not on %s", linkName(g.link))
	}
	if n.q.addr != tHost && n.q.addr != tDefault || n.q.proto != pLink {
		return g.fail("an ARCNET address needs \"link host\", \"link src\" or \"link dst\" before it")
	}
	a := byte(0)
	for i := 1; i < len(n.text); i++ {
		a = a<<4 | hexValue(n.text[i])
	}
	return g.station(a, n.q.dir)
}

func parseMAC(s string) []byte {
	var out []byte
	for len(s) > 0 {
		if n := hexRun(s, 0, 2); n > 0 {
			v := hexValue(s[0])
			if n == 2 {
				v = v<<4 | hexValue(s[1])
			}
			out, s = append(out, v), s[n:]
		} else {
			s = s[1:]
		}
	}
	return out
}

// parseIPv4 reads up to four decimal numbers, which fill the address from the
// left, and returns how many bits they are.
func parseIPv4(s string) (addr uint32, bits int, ok bool) {
	for part := range strings.SplitSeq(s, ".") {
		n := uint32(0)
		for i := range len(part) {
			if !isDigit(part[i]) || n > 25 {
				return 0, 0, false
			}
			n = n*10 + uint32(part[i]-'0')
		}
		if n > 255 {
			return 0, 0, false
		}
		addr, bits = addr<<8|n, bits+8
	}
	return addr, bits, true
}

// prefixed is an address with a mask.
func (g *generator) prefixed(n *valueNode) condition {
	if n.kind == kIPv6 {
		a, _ := netip.ParseAddr(n.text)
		switch {
		case n.bits > 128:
			return g.fail("the prefix of an IPv6 network is at most 128 bits long")
		case netip.PrefixFrom(a, int(n.bits)).Masked().Addr() != a:
			return g.fail("the address has bits beyond its prefix of %d", n.bits)
		case n.q.addr == tNet, (n.q.addr == tDefault || n.q.addr == tHost) && n.bits == 128:
			return g.host6(a, int(n.bits), n.q)
		}
		return g.fail("a prefix needs \"net\" before it")
	}
	addr, bits, ok := parseIPv4(n.text)
	if !ok {
		return g.fail("%q is no IPv4 address", n.text)
	}
	addr <<= 32 - bits
	mask := uint32(0)
	switch {
	case n.mask != "":
		m, mbits, ok := parseIPv4(n.mask)
		if !ok {
			return g.fail("%q is no mask", n.mask)
		}
		mask = m << (32 - mbits)
	case n.bits > 32:
		return g.fail("the prefix of an IPv4 network is at most 32 bits long")
	default:
		mask = uint32(uint64(0xffffffff) << (32 - n.bits))
	}
	if addr&^mask != 0 {
		return g.fail("the address has bits beyond its mask")
	}
	if n.q.addr != tNet {
		return g.fail("a mask needs \"net\" before it")
	}
	return g.host(addr, mask, n.q)
}

// numbered is a plain number, or an IPv4 address or its beginning.
func (g *generator) numbered(n *valueNode) condition {
	v, bits := n.value, 32
	if n.kind == kIPv4 {
		ok := false
		if n.q.proto == pDECNET {
			v, ok = parseDECnet(n.text)
		} else {
			v, bits, ok = parseIPv4(n.text)
		}
		if !ok {
			return g.fail("%q is no address", n.text)
		}
	}
	switch n.q.addr {
	case tDefault, tHost, tNet:
		if n.q.proto == pDECNET {
			return g.decnetHost(v, n.q.dir)
		}
		if n.q.proto == pLink {
			return g.fail("%q is no hardware address", n.text)
		}
		mask := uint32(0xffffffff)
		if n.kind == kNumber && n.q.addr == tNet {
			for v != 0 && v&0xff000000 == 0 {
				v, mask = v<<8, mask<<8
			}
		} else {
			v, mask = v<<(32-bits), mask<<(32-bits)
		}
		return g.host(v, mask, n.q)
	case tPort, tPortrange:
		p, ok := g.transport(n.q.proto)
		if !ok {
			return g.fail("ports belong to tcp, udp and sctp, not to %s", protoName(n.q.proto))
		}
		if v > 65535 {
			return g.fail("%d is no port: at most 65535", v)
		}
		return g.ports(v, v, p, n.q.dir)
	case tGateway:
		return g.fail("\"gateway\" is not supported: it needs host names and hardware addresses for them")
	case tProto:
		return g.ipProto(v, n.q.proto)
	case tProtochain:
		return g.chain(v, n.q.proto)
	}
	return g.fail("nothing says what %q is", n.text)
}

func parseDECnet(s string) (uint32, bool) {
	var part [2]uint32
	for i, p := range strings.SplitN(s, ".", 3) {
		if i == 2 {
			break
		}
		for j := range len(p) {
			if !isDigit(p[j]) {
				return 0, i == 1 && j > 0
			}
			part[i] = part[i]*10 + uint32(p[j]-'0')
		}
	}
	return part[0]<<10&0xfc00 | part[1]&0x3ff, true
}

// sides joins the tests of source and destination as the direction says.
func (g *generator) sides(d direction, test func(dst bool) condition) condition {
	switch d {
	case dSrc:
		return test(false)
	case dDst:
		return test(true)
	case dAnd:
		return both{test(false), test(true)}
	case dDefault, dOr:
		return either{test(false), test(true)}
	}
	return g.fail("\"addr1\" to \"addr4\", \"ra\" and \"ta\" are for 802.11 only")
}

func (g *generator) host(addr, mask uint32, q qualifiers) condition {
	in := func(typ, src, dst uint32) condition {
		return g.sides(q.dir, func(d bool) condition {
			off := src
			if d {
				off = dst
			}
			return both{g.carries(typ), g.masked(fromNetwork, off, sizeW, addr, mask)}
		})
	}
	switch q.proto {
	case pDefault:
		c := in(typeIPv4, 12, 16)
		if g.labels == 0 {
			c = some(c, in(typeARP, 14, 24), in(typeRARP, 14, 24))
		}
		return c
	case pIP:
		return in(typeIPv4, 12, 16)
	case pARP:
		return in(typeARP, 14, 24)
	case pRARP:
		return in(typeRARP, 14, 24)
	case pDECNET:
		return g.decnetHost(addr, q.dir)
	case pUndefined:
		return g.fail("nothing says what this address is")
	}
	return g.fail("%q does not go with an IPv4 address", protoName(q.proto))
}

func (g *generator) host6(a netip.Addr, bits int, q qualifiers) condition {
	if q.proto != pDefault && q.proto != pIP6 {
		return g.fail("%q does not go with an IPv6 address", protoName(q.proto))
	}
	raw := a.As16()
	return g.sides(q.dir, func(dst bool) condition {
		off := uint32(8)
		if dst {
			off = 24
		}
		c := g.carries(typeIPv6)
		for i := range uint32(4) {
			mask := uint32(uint64(0xffffffff) << (32 - min(max(bits-int(i)*32, 0), 32)))
			c = both{c, g.masked(fromNetwork, off+4*i, sizeW, binary.BigEndian.Uint32(raw[4*i:]), mask)}
		}
		return c
	})
}

func (g *generator) hardware(mac []byte, d direction) condition {
	return g.sides(d, func(dst bool) condition {
		if dst {
			return g.bytes(fromHeader, 0, mac)
		}
		return g.bytes(fromHeader, 6, mac)
	})
}

// station is an ARCNET address.
func (g *generator) station(a byte, d direction) condition {
	return g.sides(d, func(dst bool) condition {
		off := uint32(0)
		if dst {
			off = 1
		}
		return g.equal(fromHeader, off, sizeB, uint32(a))
	})
}

// decnetHost is a node of DECnet phase IV, whose header is long or short, with
// or without a byte of padding; its numbers are little-endian.
func (g *generator) decnetHost(addr uint32, d direction) condition {
	addr = addr&0xff<<8 | addr>>8&0xff
	return g.sides(d, func(dst bool) condition {
		long, short := uint32(15), uint32(3)
		if dst {
			long, short = 7, 1
		}
		form := func(size uint16, flags, mask, off uint32) condition {
			return both{g.masked(fromNetwork, 2, size, flags, mask), g.equal(fromNetwork, off, sizeH, addr)}
		}
		return both{g.carries(typeDECnet), some(
			form(sizeB, 2, 7, 2+short), form(sizeH, 0x8102, 0xff07, 3+short),
			form(sizeB, 6, 7, 2+long), form(sizeH, 0x8106, 0xff07, 3+long))}
	})
}

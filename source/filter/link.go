package filter

import "fmt"

// Link types by their LINKTYPE_ value (https://www.tcpdump.org/linktypes.html).
const (
	linkNull     = 0
	linkEthernet = 1
	linkARCNET   = 7
	linkPPP      = 9
	linkPPPHDLC  = 50
	linkPPPoE    = 51
	linkRaw      = 101
	linkCHDLC    = 104
	linkLoop     = 108
	linkSLL      = 113
	linkARCLinux = 129
	linkPPPD     = 166
	linkIPv4     = 228
	linkIPv6     = 229
	linkNFLOG    = 239
	linkSLL2     = 276
)

// unset marks an offset that a link type does not have.
const unset = 0xffffffff

// offset is a place in the frame: a constant, plus a scratch word where
// something of variable length stands before.
type offset struct {
	base     uint32
	variable bool
	word     uint32
}

// layout says where the parts of a frame are. Primitives such as "vlan" change
// it for what follows them in the text.
type layout struct {
	link     uint32
	header   offset // of the link layer
	typ      offset // of the field that says what is inside
	payload  offset
	network  uint32 // from payload to the network layer, with an EtherType before
	llc      uint32 // the same, behind an LLC header without SNAP
	labels   int    // MPLS labels passed
	tags     int    // VLAN tags passed
	inGeneve bool
}

func layoutOf(link uint32) (layout, error) {
	l := layout{link: link}
	set := func(typ, payload uint32) { l.typ.base, l.payload.base = typ, payload }
	switch link {
	case linkEthernet:
		set(12, 14)
		l.llc = 3
	case linkNull, linkLoop:
		set(0, 4)
	case linkARCNET:
		set(2, 6)
	case linkARCLinux:
		set(4, 8)
	case linkPPP, linkPPPHDLC, linkPPPD, linkCHDLC:
		set(2, 4)
	case linkPPPoE:
		set(6, 8)
	case linkRaw, linkIPv4, linkIPv6:
		set(unset, 0)
	case linkSLL:
		set(14, 16)
	case linkSLL2:
		set(0, 20)
	case linkNFLOG:
		set(unset, 0)
	default:
		return l, fmt.Errorf("frames of link type %d cannot be filtered", link)
	}
	return l, nil
}

func linkName(link uint32) string {
	switch link {
	case linkEthernet:
		return "Ethernet"
	case linkNull, linkLoop:
		return "BSD loopback"
	case linkARCNET, linkARCLinux:
		return "ARCNET"
	case linkPPP, linkPPPHDLC, linkPPPD:
		return "PPP"
	case linkCHDLC:
		return "Cisco HDLC"
	case linkPPPoE:
		return "PPPoE"
	case linkRaw, linkIPv4, linkIPv6:
		return "raw IP"
	case linkSLL, linkSLL2:
		return "Linux cooked capture"
	case linkNFLOG:
		return "NFLOG"
	}
	return fmt.Sprintf("link type %d", link)
}

package pcapng

import (
	"encoding/binary"
	"strconv"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// lead is what a frame begins with in the file where that is not what was
// captured: up to and with its VLAN tag.
type lead struct {
	bytes [26]byte
	n     int // of bytes
	used  int // bytes of the frame as captured that are in there
}

// tag puts a VLAN tag that came beside a frame back to where the wire had it:
// behind the addresses of Ethernet, before the protocol of a cooked header.
func tag(p *packet.Packet) (lead, bool) {
	var l lead
	if p.TagType == 0 {
		return l, false
	}
	switch p.Link {
	case packet.LinkEthernet:
		l.used = 12
	case packet.LinkSLL:
		l.used = 14
	case packet.LinkSLL2:
		// The protocol stands first and names the tag; the tag's value and the
		// protocol below it follow the header.
		if len(p.Data) < 20 {
			return l, false
		}
		l.n, l.used = 24, 20
		copy(l.bytes[:], p.Data[:20])
		binary.BigEndian.PutUint16(l.bytes[0:], p.TagType)
		binary.BigEndian.PutUint16(l.bytes[20:], p.Tag)
		copy(l.bytes[22:], p.Data[:2])
		return l, true
	default:
		return l, false
	}
	if len(p.Data) < l.used+2 {
		return l, false
	}
	l.n = l.used + 4
	copy(l.bytes[:], p.Data[:l.used])
	binary.BigEndian.PutUint16(l.bytes[l.used:], p.TagType)
	binary.BigEndian.PutUint16(l.bytes[l.used+2:], p.Tag)
	return l, true
}

// bare gives IP by itself an Ethernet header without addresses, where the interface
// is one of Ethernet: a tunnel carries both, and libpcap reads no file that has
// two kinds of links.
func bare(p *packet.Packet, at *source.Interface) (lead, bool) {
	l := lead{n: 14}
	if at.Link != packet.LinkEthernet {
		return lead{}, false
	}
	switch p.Link {
	case packet.LinkIPv4:
		binary.BigEndian.PutUint16(l.bytes[12:], 0x0800)
	case packet.LinkIPv6:
		binary.BigEndian.PutUint16(l.bytes[12:], 0x86dd)
	default:
		return lead{}, false
	}
	return l, true
}

// appendComment names the tunnel, as "vxlan 42".
func appendComment(dst []byte, t packet.Tunnel, alone bool) []byte {
	at := len(dst)
	dst = append(dst, optComment, 0, 0, 0)
	dst = append(dst, t.Kind.String()...)
	dst = append(dst, ' ')
	dst = strconv.AppendUint(dst, uint64(t.ID), 10)
	if alone {
		dst = append(dst, ", no Ethernet inside"...)
	}
	size := len(dst) - at - 4
	binary.LittleEndian.PutUint16(dst[at+2:], uint16(size))
	return appendU32(pad(dst, size), 0)
}

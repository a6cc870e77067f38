package pcapng

import (
	"encoding/binary"
	"strconv"

	"github.com/passiflow/passiflow/packet"
)

// lead is what stands in a frame up to and with its VLAN tag.
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

// appendComment names the tunnel, as "vxlan 42".
func appendComment(dst []byte, t packet.Tunnel) []byte {
	at := len(dst)
	dst = append(dst, optComment, 0, 0, 0)
	dst = append(dst, t.Kind.String()...)
	dst = append(dst, ' ')
	dst = strconv.AppendUint(dst, uint64(t.ID), 10)
	size := len(dst) - at - 4
	binary.LittleEndian.PutUint16(dst[at+2:], uint16(size))
	return appendU32(pad(dst, size), 0)
}

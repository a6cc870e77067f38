package packettest

import "encoding/binary"

// MACs of every frame built here: locally administered, and not such that the
// first nibble looks like an IP version.
var srcMAC, dstMAC = [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{2, 0, 0, 0, 0, 2}

// Ether returns an Ethernet II frame, unpadded.
func Ether(in Piece) Piece {
	return Piece{Type: 0x6558, Proto: 143, Bytes: be(dstMAC[:], srcMAC[:], in.Type, in.Bytes)}
}

// Pad returns the frame with zeros up to n bytes.
func Pad(n int, in Piece) Piece {
	b := append([]byte(nil), in.Bytes...)
	for len(b) < n {
		b = append(b, 0)
	}
	in.Bytes = b
	return in
}

// SNAP returns an 802.3 frame with LLC and SNAP headers.
func SNAP(in Piece) Piece {
	b := be([]byte{0xaa, 0xaa, 3, 0, 0, 0}, in.Type, in.Bytes)
	return Piece{Type: 0x6558, Bytes: be(dstMAC[:], srcMAC[:], uint16(len(b)), b)}
}

// VLAN returns what goes behind the MAC addresses: an 802.1Q tag.
func VLAN(id uint16, in Piece) Piece { return Tag(0x8100, id, in) }

// Tag is VLAN with a tag type of choice.
func Tag(tpid, tci uint16, in Piece) Piece {
	return Piece{Type: tpid, Bytes: be(tci, in.Type, in.Bytes)}
}

// MPLS returns a label stack over what it carries, the last label innermost.
func MPLS(in Piece, labels ...uint32) Piece {
	var b []byte
	for i, l := range labels {
		e := l<<12 | 64
		if i == len(labels)-1 {
			e |= 0x100
		}
		b = binary.BigEndian.AppendUint32(b, e)
	}
	return Piece{Type: 0x8847, Proto: 137, Bytes: append(b, in.Bytes...)}
}

// ControlWord returns a pseudowire control word before an Ethernet frame.
func ControlWord(seq uint16, in Piece) Piece {
	in.Bytes = be(uint16(0), seq, in.Bytes)
	return in
}

// PPP returns a PPP protocol field of two bytes before an IP packet.
func PPP(in Piece) Piece {
	return Piece{Type: 0x880b, Bytes: be(pppProto(in), in.Bytes)}
}

func pppProto(in Piece) uint16 {
	switch in.Type {
	case 0x86dd:
		return 0x57
	case 0x8847:
		return 0x281
	case 0x6558:
		return 0x31
	}
	return 0x21
}

// PPPoE returns a session packet (RFC 2516) around an IP packet.
func PPPoE(session uint16, in Piece) Piece {
	return Piece{Type: 0x8864, Bytes: be(uint8(0x11), uint8(0), session, uint16(2+len(in.Bytes)), pppProto(in), in.Bytes)}
}

// CHDLC returns a Cisco HDLC frame.
func CHDLC(in Piece) Piece {
	return Piece{Bytes: be(uint8(0x0f), uint8(0), in.Type, in.Bytes)}
}

// SLL returns a Linux cooked frame, version 1.
func SLL(in Piece) Piece {
	return Piece{Bytes: be(uint16(0), uint16(1), uint16(6), srcMAC[:], uint16(0), in.Type, in.Bytes)}
}

// SLL2 returns a Linux cooked frame, version 2.
func SLL2(in Piece) Piece {
	return Piece{Bytes: be(in.Type, uint16(0), uint32(1), uint16(1), uint8(0), uint8(6), srcMAC[:], uint16(0), in.Bytes)}
}

// Null returns a BSD loopback frame with the family in the given byte order.
func Null(order binary.ByteOrder, family uint32, in Piece) Piece {
	var b [4]byte
	order.PutUint32(b[:], family)
	return Piece{Bytes: append(b[:], in.Bytes...)}
}

// Package packettest builds frames for tests and generators, from the inside
// out: each function takes what it carries and returns it with one more header
// in front, lengths and checksums right.
//
//	f := packettest.Ether(packettest.VLAN(7, packettest.IPv4("10.0.0.1", "10.0.0.2",
//		packettest.TCP(40000, 80, packettest.Seg{Seq: 1, Flags: packet.SYN}))))
//
// Nothing here is fast, and wrong arguments panic.
package packettest

import (
	"encoding/binary"
	"net/netip"

	"github.com/passiflow/passiflow/packet"
)

// A Piece is bytes that know what they are: the EtherType and the IP protocol
// number that announces them.
type Piece struct {
	Bytes []byte
	Type  uint16       // EtherType, 0 where there is none
	Proto packet.Proto // IP protocol number, for what an IP header carries
	sum   int          // 1+offset of a checksum over a pseudo header, 0: none
	over  packet.Proto // what that pseudo header names
	head  int          // bytes of extension headers in front of the transport
}

// Raw returns bytes without a header.
func Raw(b []byte) Piece { return Piece{Bytes: b} }

// Text returns the bytes of s.
func Text(s string) Piece { return Piece{Bytes: []byte(s)} }

// As returns the piece announced by other numbers.
func (p Piece) As(etherType uint16, proto packet.Proto) Piece {
	p.Type, p.Proto = etherType, proto
	return p
}

func be(vs ...any) []byte {
	var b []byte
	for _, v := range vs {
		switch v := v.(type) {
		case uint8:
			b = append(b, v)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, v)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, v)
		case []byte:
			b = append(b, v...)
		default:
			panic("packettest: be takes uint8, uint16, uint32 and []byte")
		}
	}
	return b
}

// Checksum is the Internet checksum of the parts one after the other (RFC
// 1071); all but the last must have an even length.
func Checksum(parts ...[]byte) uint16 {
	var s uint32
	for _, b := range parts {
		for i := 0; i+1 < len(b); i += 2 {
			s += uint32(b[i])<<8 | uint32(b[i+1])
		}
		if len(b)%2 == 1 {
			s += uint32(b[len(b)-1]) << 8
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// Packet returns a Packet as a source hands it on, of an Ethernet frame that
// was captured whole.
func Packet(at packet.Time, frame Piece) packet.Packet {
	return packet.Packet{Time: at, Data: frame.Bytes, Length: len(frame.Bytes), Link: packet.LinkEthernet}
}

// Seg is what a TCP header says beside the ports.
type Seg struct {
	Seq, Ack uint32
	Flags    packet.Flags
	Window   uint16 // 0 stands for 65535
	Urgent   uint16
	Options  []byte // padded to four bytes with zeros
	Data     []byte
}

// TCP returns a segment.
func TCP(sport, dport uint16, s Seg) Piece {
	if s.Window == 0 {
		s.Window = 65535
	}
	opt := append([]byte(nil), s.Options...)
	for len(opt)%4 != 0 {
		opt = append(opt, 0)
	}
	if len(opt) > 40 {
		panic("packettest: more than 40 bytes of TCP options")
	}
	head := uint8(5+len(opt)/4) << 4
	return Piece{Proto: packet.TCP, over: packet.TCP, sum: 1 + 16,
		Bytes: be(sport, dport, s.Seq, s.Ack, head, uint8(s.Flags), s.Window, uint16(0), s.Urgent, opt, s.Data)}
}

// UDP returns a datagram.
func UDP(sport, dport uint16, in Piece) Piece {
	return Piece{Proto: packet.UDP, over: packet.UDP, sum: 1 + 6, Bytes: be(sport, dport, uint16(8+len(in.Bytes)), uint16(0), in.Bytes)}
}

// SCTP returns a packet with one common header, its checksum left zero.
func SCTP(sport, dport uint16, in Piece) Piece {
	return Piece{Proto: packet.SCTP, Bytes: be(sport, dport, uint32(1), uint32(0), in.Bytes)}
}

// withSum returns the bytes of in with the checksum over the pseudo header.
func withSum(in Piece, src, dst netip.Addr) []byte {
	b := append([]byte(nil), in.Bytes...)
	if in.sum == 0 {
		return b
	}
	pseudo := be(src.AsSlice(), dst.AsSlice(), uint32(len(b)-in.head), uint32(in.over))
	c := Checksum(pseudo, b[in.head:])
	if c == 0 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(b[in.sum-1:], c)
	return b
}

// IP4 is what an IPv4 header says beside the addresses.
type IP4 struct {
	ID      uint16
	TOS     uint8
	TTL     uint8 // 0 stands for 64
	Options []byte
}

// IPv4 returns a packet that must not be fragmented.
func IPv4(src, dst string, in Piece) Piece { return IP4{}.Wrap(src, dst, in) }

// Wrap returns a packet with the fields of h.
func (h IP4) Wrap(src, dst string, in Piece) Piece {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	return Piece{Type: 0x0800, Proto: 4, Bytes: h.header(s, d, in.Proto, 0x4000, withSum(in, s, d))}
}

// Fragments returns the packet cut into fragments of at most size bytes of
// payload each; size is rounded down to a multiple of 8.
func (h IP4) Fragments(src, dst string, size int, in Piece) []Piece {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	b := withSum(in, s, d)
	var out []Piece
	for off := 0; off < len(b); off += size &^ 7 {
		end, f := off+size&^7, uint16(off/8)|0x2000
		if end >= len(b) {
			end, f = len(b), f&^0x2000
		}
		out = append(out, Piece{Type: 0x0800, Proto: 4, Bytes: h.header(s, d, in.Proto, f, b[off:end])})
	}
	return out
}

// Fragment returns one fragment with the bytes of in at an offset that is a
// multiple of 8.
func (h IP4) Fragment(src, dst string, off int, more bool, in Piece) Piece {
	f := uint16(off / 8)
	if more {
		f |= 0x2000
	}
	return Piece{Type: 0x0800, Proto: 4, Bytes: h.header(netip.MustParseAddr(src), netip.MustParseAddr(dst), in.Proto, f, in.Bytes)}
}

func (h IP4) header(s, d netip.Addr, proto packet.Proto, frag uint16, b []byte) []byte {
	if h.TTL == 0 {
		h.TTL = 64
	}
	opt := append([]byte(nil), h.Options...)
	for len(opt)%4 != 0 {
		opt = append(opt, 0)
	}
	if len(opt) > 40 || 20+len(opt)+len(b) > 65535 {
		panic("packettest: an IPv4 packet of that size cannot be")
	}
	head := be(uint8(0x45+len(opt)/4), h.TOS, uint16(20+len(opt)+len(b)), h.ID, frag, h.TTL, uint8(proto), uint16(0), s.AsSlice(), d.AsSlice(), opt)
	binary.BigEndian.PutUint16(head[10:], Checksum(head))
	return append(head, b...)
}

// IPv6 returns a packet.
func IPv6(src, dst string, in Piece) Piece {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	b := withSum(in, s, d)
	return Piece{Type: 0x86dd, Proto: 41, Bytes: be(uint32(6<<28), uint16(len(b)), uint8(in.Proto), uint8(64), s.AsSlice(), d.AsSlice(), b)}
}

// Extension returns an extension header of 8 bytes (of type 0, 43, 60, 135,
// 139 or 140) before what IPv6 carries.
func Extension(kind uint8, in Piece) Piece {
	p := Piece{Proto: packet.Proto(kind), over: in.over, head: in.head + 8, Bytes: be(uint8(in.Proto), uint8(0), []byte{1, 4, 0, 0, 0, 0}, in.Bytes)}
	if in.sum != 0 {
		p.sum = in.sum + 8
	}
	return p
}

// Fragments6 returns an IPv6 packet cut into fragments of at most size bytes.
func Fragments6(src, dst string, id uint32, size int, in Piece) []Piece {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	b := withSum(in, s, d)
	var out []Piece
	for off := 0; off < len(b); off += size &^ 7 {
		end, f := off+size&^7, uint16(off)|1
		if end >= len(b) {
			end, f = len(b), f&^1
		}
		out = append(out, IPv6(src, dst, Piece{Proto: 44, Bytes: be(uint8(in.Proto), uint8(0), f, id, b[off:end])}))
	}
	return out
}

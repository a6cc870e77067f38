package packettest

// VXLAN returns what UDP port 4789 carries (RFC 7348).
func VXLAN(vni uint32, in Piece) Piece {
	return Piece{Bytes: be(uint32(0x08000000), vni<<8, in.Bytes)}
}

// GENEVE returns what UDP port 6081 carries (RFC 8926), with options whose
// length is a multiple of 4.
func GENEVE(vni uint32, options []byte, in Piece) Piece {
	return Piece{Bytes: be(uint8(len(options)/4), uint8(0), in.Type, vni<<8, options, in.Bytes)}
}

// GREFields are the optional parts of a GRE header.
type GREFields struct {
	Checksum bool
	Key      *uint32
	Seq      *uint32
	Route    []byte // source route entries (RFC 1701), without the closing null entry
}

// GRE returns a version 0 packet (RFC 2784 and 2890, RFC 1701 with a route).
func GRE(in Piece) Piece { return GREFields{}.Wrap(in) }

// Wrap returns a packet with the fields of g.
func (g GREFields) Wrap(in Piece) Piece {
	var flags uint16
	var b []byte
	if g.Checksum || g.Route != nil {
		b = be(uint16(0), uint16(0))
	}
	if g.Checksum {
		flags |= 0x8000
	}
	if g.Key != nil {
		flags |= 0x2000
		b = be(b, *g.Key)
	}
	if g.Seq != nil {
		flags |= 0x1000
		b = be(b, *g.Seq)
	}
	if g.Route != nil {
		flags |= 0x4000
		b = be(b, g.Route, uint32(0))
	}
	b = be(flags, in.Type, b, in.Bytes)
	if g.Checksum {
		c := Checksum(b)
		b[4], b[5] = byte(c>>8), byte(c)
	}
	return Piece{Proto: 47, Bytes: b}
}

// ERSPAN returns GRE with an Ethernet frame of type I, II or III
// (draft-foschiano-erspan); session is not used by type I.
func ERSPAN(version int, session uint16, in Piece) Piece {
	seq := uint32(1)
	switch version {
	case 1:
		return GRE(in.As(0x88be, 0))
	case 2:
		return GREFields{Seq: &seq}.Wrap(Piece{Type: 0x88be, Bytes: be(uint16(0x1001), session&0x3ff, uint32(0), in.Bytes)})
	case 3:
		return GREFields{Seq: &seq}.Wrap(Piece{Type: 0x22eb, Bytes: be(uint16(0x2001), session&0x3ff, uint32(0), uint32(0), in.Bytes)})
	}
	panic("packettest: ERSPAN is 1, 2 or 3")
}

// GTPU returns a G-PDU (3GPP TS 29.281) as UDP port 2152 carries it.
func GTPU(teid uint32, in Piece) Piece {
	return Piece{Bytes: be(uint8(0x30), uint8(255), uint16(len(in.Bytes)), teid, in.Bytes)}
}

// L2TP returns a data message (RFC 2661) around PPP, as UDP port 1701 carries it.
func L2TP(tunnel, session uint16, in Piece) Piece {
	return Piece{Bytes: be(uint16(0x4002), uint16(len(in.Bytes)+8+4), tunnel, session, uint8(0xff), uint8(3), pppProto(in), in.Bytes)}
}

// Teredo returns what UDP port 3544 carries (RFC 4380) with an origin indication.
func Teredo(in Piece) Piece {
	return Piece{Bytes: be(uint16(0), ^uint16(4000), ^uint32(0xc0000201), in.Bytes)}
}

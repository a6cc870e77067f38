package packettest

import (
	"encoding/binary"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// The checksums must be those that a receiver would accept: over the data with
// the checksum in place the sum is zero.
func TestChecksums(t *testing.T) {
	for _, in := range []Piece{
		TCP(1, 2, Seg{Seq: 3, Flags: packet.SYN, Options: []byte{2, 4, 5, 180}, Data: []byte("odd")}),
		UDP(1, 2, Text("even")),
		UDP(9, 8, Text("")),
	} {
		b := IP4{Options: []byte{1, 1, 1}}.Wrap("192.0.2.1", "198.51.100.7", in).Bytes
		head := int(b[0]&15) * 4
		if c := Checksum(b[:head]); c != 0 {
			t.Errorf("IPv4 header: %x", c)
		}
		pseudo := be(b[12:20], uint8(0), b[9], uint16(len(b)-head))
		if c := Checksum(pseudo, b[head:]); c != 0 {
			t.Errorf("protocol %d over IPv4: %x", b[9], c)
		}
		if n := int(binary.BigEndian.Uint16(b[2:])); n != len(b) {
			t.Errorf("total length %d of %d", n, len(b))
		}
		six := IPv6("2001:db8::1", "2001:db8::2", Extension(60, in)).Bytes
		pseudo = be(six[8:40], uint32(len(six)-48), uint32(in.Proto))
		if c := Checksum(pseudo, six[48:]); c != 0 {
			t.Errorf("protocol %d over IPv6: %x", in.Proto, c)
		}
	}
}

// Fragments put together are the packet.
func TestFragmentsAreThePacket(t *testing.T) {
	in := UDP(1, 2, Raw(make([]byte, 1000)))
	whole := IPv4("192.0.2.1", "192.0.2.2", in).Bytes[20:]
	var got []byte
	for _, f := range (IP4{ID: 4}).Fragments("192.0.2.1", "192.0.2.2", 301, in) {
		if off := int(binary.BigEndian.Uint16(f.Bytes[6:])&0x1fff) * 8; off != len(got) {
			t.Fatalf("offset %d after %d bytes", off, len(got))
		}
		got = append(got, f.Bytes[20:]...)
	}
	if string(got) != string(whole) {
		t.Error("the fragments hold something else")
	}
}

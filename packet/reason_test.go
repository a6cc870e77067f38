package packet_test

import (
	"testing"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

// edit returns the frame with one byte changed.
func edit(f pt.Piece, at int, v ...byte) pt.Piece {
	b := append([]byte(nil), f.Bytes...)
	copy(b[at:], v)
	return pt.Raw(b)
}

func TestReasons(t *testing.T) {
	whole := pt.Ether(inner4())
	const ip, tcp = 14, 14 + 20
	six := pt.Ether(inner6())
	cut := func(f pt.Piece, n int) pt.Piece { return pt.Raw(f.Bytes[:n]) }
	for _, c := range []struct {
		name  string
		frame pt.Piece
		wire  int // bytes on the wire, 0: as captured
		want  packet.Reason
	}{
		{"nothing", pt.Raw(nil), 0, packet.Malformed},
		{"nothing captured", pt.Raw(nil), 60, packet.Truncated},
		{"MACs alone", cut(whole, 13), 0, packet.Malformed},
		{"MACs alone, cut", cut(whole, 13), 70, packet.Truncated},
		{"IP header cut", cut(whole, ip+19), 70, packet.Truncated},
		{"TCP header cut", cut(whole, tcp+19), 91, packet.Truncated},
		{"TCP header not there", cut(whole, tcp+19), 0, packet.Malformed},
		{"IPv6 header cut", cut(six, ip+39), 200, packet.Truncated},
		{"ARP", pt.Ether(pt.Raw(make([]byte, 28)).As(0x0806, 0)), 0, packet.NotIP},
		{"spanning tree", pt.Raw(append(append([]byte{1, 0x80, 0xc2, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 38}, 0x42, 0x42, 3), make([]byte, 40)...)), 0, packet.NotIP},
		{"version 5", edit(whole, ip, 0x55), 0, packet.Malformed},
		{"header of 4 words", edit(whole, ip, 0x44), 0, packet.Malformed},
		{"length below the header", edit(whole, ip+2, 0, 19), 0, packet.Malformed},
		{"data offset below the header", edit(whole, tcp+12, 0x40), 0, packet.Malformed},
		{"data offset behind the packet", edit(whole, tcp+12, 0xf0), 0, packet.Malformed},
		{"UDP length below the header", edit(pt.Ether(pt.IPv4(host4, peer4, pt.UDP(1, 2, pt.Text("x")))), tcp+4, 0, 7), 0, packet.Malformed},
		{"ICMP", pt.Ether(pt.IPv4(host4, peer4, pt.Raw(make([]byte, 8)).As(0, 1))), 0, packet.Unsupported},
		{"endless tags", pt.Raw(append(make([]byte, 12), repeat([]byte{0x81, 0, 0, 1}, 40)...)), 0, packet.Malformed},
		{"endless labels", pt.Raw(append(make([]byte, 12), append([]byte{0x88, 0x47}, make([]byte, 400)...)...)), 0, packet.Malformed},
		{"endless extensions", pt.Ether(pt.IPv6(host6, peer6, pt.Raw(repeat([]byte{60, 0, 1, 4, 0, 0, 0, 0}, 50)).As(0, 60))), 0, packet.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := packet.Packet{Data: c.frame.Bytes, Length: max(c.wire, len(c.frame.Bytes)), Link: packet.LinkEthernet}
			if r := packet.NewParser(packet.Config{}).Parse(&p); r != c.want {
				t.Errorf("%v, want %v", r, c.want)
			}
		})
	}
	p := packet.Packet{Data: whole.Bytes, Length: 99, Link: 9999}
	if r := packet.NewParser(packet.Config{}).Parse(&p); r != packet.Unsupported {
		t.Errorf("unknown link type: %v", r)
	}
}

func repeat(b []byte, n int) (out []byte) {
	for range n {
		out = append(out, b...)
	}
	return out
}

// What the capture cut is counted, and what it kept is given.
func TestMissing(t *testing.T) {
	f := pt.Ether(pt.IPv4(host4, peer4, pt.TCP(1, 2, pt.Seg{Options: make([]byte, 12), Data: pattern(1000)}))).Bytes
	u := pt.Ether(pt.IPv4(host4, peer4, pt.UDP(1, 2, pt.Raw(pattern(1000))))).Bytes
	v := overUDP(4789, pt.VXLAN(3, pt.Raw(f))).Bytes
	for _, c := range []struct {
		name           string
		b              []byte
		keep           int
		wire           int
		payload, short int
	}{
		{"TCP", f, 14 + 20 + 32 + 100, 0, 100, 900},
		{"TCP, cut in the options", f, 14 + 20 + 24, 0, 0, 1000},
		{"UDP", u, 14 + 20 + 8 + 7, 0, 7, 993},
		{"VXLAN", v, len(v) - 10, 0, 990, 10},
		{"shortened by a tool", f, 14 + 20 + 32 + 100, 14 + 20 + 32 + 100, 100, 0},
		{"shortened, then cut", f, 14 + 20 + 32 + 100, 14 + 20 + 32 + 300, 100, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := packet.Packet{Data: c.b[:c.keep], Length: len(c.b), Link: packet.LinkEthernet}
			if c.wire > 0 {
				p.Length = c.wire
			}
			if r := packet.NewParser(packet.Config{}).Parse(&p); r != packet.OK || len(p.Payload) != c.payload || p.Missing != c.short {
				t.Errorf("%v payload %d missing %d, want %d and %d", r, len(p.Payload), p.Missing, c.payload, c.short)
			}
		})
	}
}

// A frame handed to a card that segments it has no length in the IP header.
func TestSegmentationOffload(t *testing.T) {
	for _, f := range []pt.Piece{edit(pt.Ether(inner4()), 16, 0, 0), edit(pt.Ether(inner6()), 18, 0, 0)} {
		p, r := parse(t, packet.LinkEthernet, f.Bytes)
		wantInner(t, &p, r)
	}
	f := edit(pt.Ether(inner4()), 16, 0, 0)
	p := packet.Packet{Data: f.Bytes, Length: len(f.Bytes) + 30, Link: packet.LinkEthernet}
	if r := packet.NewParser(packet.Config{}).Parse(&p); r != packet.OK || p.Missing != 30 {
		t.Errorf("%v missing %d", r, p.Missing)
	}
}

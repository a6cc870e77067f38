package packet_test

import (
	"encoding/binary"
	"testing"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

const (
	host4, peer4 = "10.0.0.1", "192.0.2.200"
	host6, peer6 = "2001:db8::1", "2001:db8:ffff::2"
)

func segment(data string) pt.Piece {
	return pt.TCP(40000, 80, pt.Seg{Seq: 100, Ack: 200, Flags: packet.PSH | packet.ACK, Options: make([]byte, 12), Data: []byte(data)})
}

// inner4 and inner6 are the packets that every table below wraps.
func inner4() pt.Piece { return pt.IPv4(host4, peer4, segment("hello")) }
func inner6() pt.Piece { return pt.IPv6(host6, peer6, segment("hello")) }

func parse(t testing.TB, link packet.Link, b []byte) (packet.Packet, packet.Reason) {
	t.Helper()
	p := packet.Packet{Data: b, Length: len(b), Link: link}
	r := packet.NewParser(packet.Config{}).Parse(&p)
	return p, r
}

// wantInner checks that p is what inner4 or inner6 hold.
func wantInner(t *testing.T, p *packet.Packet, r packet.Reason) {
	t.Helper()
	if r != packet.OK {
		t.Fatalf("reason %v", r)
	}
	src, dst := "10.0.0.1:40000", "192.0.2.200:80"
	if p.Src.Addr().Is6() {
		src, dst = "[2001:db8::1]:40000", "[2001:db8:ffff::2]:80"
	}
	if p.Src.String() != src || p.Dst.String() != dst || p.Proto != packet.TCP {
		t.Errorf("%v > %v %v, want %s > %s tcp", p.Src, p.Dst, p.Proto, src, dst)
	}
	if want := (packet.TCPHeader{Seq: 100, Ack: 200, Flags: packet.PSH | packet.ACK}); p.TCP != want {
		t.Errorf("tcp %+v, want %+v", p.TCP, want)
	}
	if string(p.Payload) != "hello" || p.Missing != 0 {
		t.Errorf("payload %q missing %d, want \"hello\" and 0", p.Payload, p.Missing)
	}
}

func TestLinks(t *testing.T) {
	for _, c := range []struct {
		name string
		link packet.Link
		b    pt.Piece
		vlan uint16
	}{
		{"ethernet", packet.LinkEthernet, pt.Ether(inner4()), 0},
		{"ethernet, IPv6", packet.LinkEthernet, pt.Ether(inner6()), 0},
		{"padded", packet.LinkEthernet, pt.Pad(200, pt.Ether(inner4())), 0},
		{"padded, IPv6", packet.LinkEthernet, pt.Pad(200, pt.Ether(inner6())), 0},
		{"802.1Q", packet.LinkEthernet, pt.Ether(pt.VLAN(7, inner4())), 7},
		{"802.1Q with priority", packet.LinkEthernet, pt.Ether(pt.VLAN(7|5<<13, inner4())), 7},
		{"QinQ 88a8", packet.LinkEthernet, pt.Ether(pt.Tag(0x88a8, 9, pt.VLAN(7, inner6()))), 7},
		{"QinQ 9100", packet.LinkEthernet, pt.Ether(pt.Tag(0x9100, 9, pt.VLAN(7, inner4()))), 7},
		{"SNAP", packet.LinkEthernet, pt.SNAP(inner4()), 0},
		{"SLL", packet.LinkSLL, pt.SLL(inner4()), 0},
		{"SLL, VLAN", packet.LinkSLL, pt.SLL(pt.VLAN(3, inner4())), 3},
		{"SLL2", packet.LinkSLL2, pt.SLL2(inner6()), 0},
		{"SLL2, inner tag of two as Linux shows it", packet.LinkSLL2, pt.SLL2(pt.Tag(0x0800, 7, inner4())), 7},
		{"the same, IPv6", packet.LinkSLL2, pt.SLL2(pt.Tag(0x86dd, 7, inner6())), 7},
		{"the same, the outer tag put back", packet.LinkSLL2, pt.SLL2(pt.Tag(0x88a8, 5, pt.Tag(0x0800, 7, inner4()))), 7},
		{"raw", packet.LinkRaw, inner4(), 0},
		{"raw, IPv6", packet.LinkRaw, inner6(), 0},
		{"IPv4", packet.LinkIPv4, inner4(), 0},
		{"IPv6", packet.LinkIPv6, inner6(), 0},
		{"null, little", packet.LinkNull, pt.Null(binary.LittleEndian, 2, inner4()), 0},
		{"null, big", packet.LinkNull, pt.Null(binary.BigEndian, 2, inner4()), 0},
		{"null, Linux 6", packet.LinkNull, pt.Null(binary.LittleEndian, 10, inner6()), 0},
		{"null, NetBSD 6", packet.LinkNull, pt.Null(binary.LittleEndian, 24, inner6()), 0},
		{"null, FreeBSD 6", packet.LinkNull, pt.Null(binary.BigEndian, 28, inner6()), 0},
		{"loop, Darwin 6", packet.LinkLoop, pt.Null(binary.BigEndian, 30, inner6()), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, r := parse(t, c.link, c.b.Bytes)
			wantInner(t, &p, r)
			if p.VLAN != c.vlan {
				t.Errorf("VLAN %d, want %d", p.VLAN, c.vlan)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct {
		name  string
		frame pt.Piece
	}{
		{"ipv4", pt.Ether(inner4())},
		{"ipv6", pt.Ether(inner6())},
		{"vlan", pt.Ether(pt.VLAN(7, inner4()))},
		{"vxlan", pt.Ether(pt.IPv4("10.9.0.1", "10.9.0.2", pt.UDP(5555, 4789, pt.VXLAN(42, pt.Ether(inner4())))))},
		{"gre", pt.Ether(pt.IPv4("10.9.0.1", "10.9.0.2", pt.GRE(inner4())))},
	} {
		b.Run(c.name, func(b *testing.B) {
			ps := packet.NewParser(packet.DefaultConfig())
			p := pt.Packet(0, c.frame)
			b.ReportAllocs()
			for b.Loop() {
				ps.Parse(&p)
			}
		})
	}
	b.Run("fragments", func(b *testing.B) {
		ps := packet.NewParser(packet.DefaultConfig())
		var ring [64]packet.Packet
		for i := 0; i < len(ring); i += 4 {
			for j, f := range ethers(pt.IP4{ID: uint16(i)}.Fragments(host4, peer4, 1480, bigSegment(5000))) {
				ring[i+j] = pt.Packet(0, f)
			}
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			p := &ring[i&63]
			p.Time = packet.Time(i) * 20_000_000 // an id comes back after 1.3 s
			ps.Parse(p)
			i++
		}
	})
	b.Run("partition", func(b *testing.B) {
		k := packet.NewPartitioner(packet.DefaultConfig())
		p := pt.Packet(0, pt.Ether(inner4()))
		b.ReportAllocs()
		for b.Loop() {
			k.Key(&p)
		}
	})
}

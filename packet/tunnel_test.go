package packet_test

import (
	"testing"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

const t1, t2 = "172.16.0.1", "172.16.0.2"

func over(in pt.Piece) pt.Piece                 { return pt.Ether(pt.IPv4(t1, t2, in)) }
func overUDP(port uint16, in pt.Piece) pt.Piece { return over(pt.UDP(51000, port, in)) }
func overUDP6(port uint16, in pt.Piece) pt.Piece {
	return pt.Ether(pt.IPv6("fd00::1", "fd00::2", pt.UDP(51000, port, in)))
}
func ptr(n uint32) *uint32 { return &n }

// fourMAC is an Ethernet frame whose destination looks like the first byte of
// an IPv4 header.
func fourMAC(in pt.Piece) pt.Piece {
	f := pt.Ether(in)
	f.Bytes[0], f.Bytes[1] = 0x45, 0x11
	return f
}

func TestEncapsulations(t *testing.T) {
	ethTEB := pt.Ether(inner4())
	for _, c := range []struct {
		name   string
		link   packet.Link
		b      pt.Piece
		tunnel packet.Tunnel
		vlan   uint16
	}{
		{name: "MPLS", b: pt.Ether(pt.MPLS(inner4(), 16))},
		{name: "MPLS, three labels, IPv6", b: pt.Ether(pt.MPLS(inner6(), 16, 17, 18))},
		{name: "MPLS in VLAN", b: pt.Ether(pt.VLAN(5, pt.MPLS(inner4(), 16))), vlan: 5},
		{name: "pseudowire", b: pt.Ether(pt.MPLS(pt.Ether(inner4()), 16))},
		{name: "pseudowire, control word", b: pt.Ether(pt.MPLS(pt.ControlWord(0, pt.Ether(inner4())), 16))},
		{name: "pseudowire, control word with a number", b: pt.Ether(pt.MPLS(pt.ControlWord(77, pt.Ether(pt.VLAN(8, inner6()))), 16, 17)), vlan: 8},
		{name: "pseudowire, MAC like IPv4", b: pt.Ether(pt.MPLS(fourMAC(inner4()), 16))},
		{name: "PPPoE", b: pt.Ether(pt.PPPoE(1, inner4()))},
		{name: "PPPoE over QinQ", b: pt.Ether(pt.Tag(0x88a8, 2, pt.VLAN(3, pt.PPPoE(1, inner6())))), vlan: 3},
		{name: "PPPoE, padded", b: pt.Pad(300, pt.Ether(pt.PPPoE(1, inner4())))},
		{name: "PBB", b: pt.Ether(pt.Raw(append([]byte{0, 0, 0, 9}, ethTEB.Bytes...)).As(0x88e7, 0))},
		{name: "VN-tag", b: pt.Ether(pt.Raw(append([]byte{0, 1, 0, 2, 8, 0}, inner4().Bytes...)).As(0x8926, 0))},
		{name: "E-tag", b: pt.Ether(pt.Raw(append([]byte{0, 1, 0, 2, 0, 0, 8, 0}, inner4().Bytes...)).As(0x893f, 0))},
		{name: "MACsec in the clear", b: pt.Pad(300, pt.Ether(pt.Raw(append([]byte{0, 0, 0, 0, 0, 1, 8, 0}, inner4().Bytes...)).As(0x88e5, 0)))},
		{name: "MACsec with SCI", b: pt.Ether(pt.Raw(append([]byte{0x20, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 0}, inner4().Bytes...)).As(0x88e5, 0))},
		{name: "FabricPath", b: pt.Ether(pt.Raw(append([]byte{0, 1}, ethTEB.Bytes...)).As(0x8903, 0))},
		{name: "TRILL", b: pt.Ether(pt.Raw(append([]byte{0, 0x41, 0, 1, 0, 2, 9, 9, 9, 9}, ethTEB.Bytes...)).As(0x22f3, 0))},
		{name: "DSA", link: 283, b: pt.Raw(append(append(append([]byte{}, ethTEB.Bytes[:12]...), 0xc0, 1, 2, 3), ethTEB.Bytes[12:]...))},
		{name: "EDSA", link: 284, b: pt.Raw(append(append(append([]byte{}, ethTEB.Bytes[:12]...), 0xda, 0xda, 0, 0, 0xc0, 1, 2, 3), ethTEB.Bytes[12:]...))},
		{name: "IP over FC", link: 122, b: pt.Raw(append(append(make([]byte, 16), 0xaa, 0xaa, 3, 0, 0, 0, 8, 0), inner4().Bytes...))},
		{name: "IPoIB", link: 242, b: pt.Raw(append(append(make([]byte, 40), 0x86, 0xdd, 0, 0), inner6().Bytes...))},
		{name: "ERF", link: 197, b: pt.Raw(append(append(make([]byte, 8), 0x82, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0), ethTEB.Bytes...))},
		{name: "ATM, bridged", link: 100, b: pt.Raw(append([]byte{0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, 0, 0}, ethTEB.Bytes...))},
		{name: "NSH", b: pt.Ether(pt.Raw(append([]byte{0, 2, 1, 1, 0, 0, 1, 255}, inner4().Bytes...)).As(0x894f, 0))},

		{name: "PPP", link: packet.LinkPPP, b: pt.PPP(inner4())},
		{name: "PPP, framed", link: packet.LinkPPPHDLC, b: pt.Raw(append([]byte{0xff, 3}, pt.PPP(inner6()).Bytes...))},
		{name: "PPP, compressed protocol", link: packet.LinkPPP, b: pt.Raw(append([]byte{0x21}, inner4().Bytes...))},
		{name: "PPP, multilink", link: packet.LinkPPP, b: pt.Raw(append([]byte{0, 0x3d, 0xc0, 0, 0, 1, 0x21}, inner4().Bytes...))},
		{name: "PPP, bridging", link: packet.LinkPPP, b: pt.Raw(append([]byte{0, 0x31, 0, 1}, ethTEB.Bytes...))},
		{name: "PPPoE link", link: packet.LinkPPPoE, b: pt.PPPoE(4, inner4())},
		{name: "Cisco HDLC", link: packet.LinkCHDLC, b: pt.CHDLC(inner4())},
		{name: "Cisco HDLC as PPP", link: packet.LinkPPPHDLC, b: pt.CHDLC(inner6())},
		{name: "ARCNET", link: packet.LinkARCNET, b: pt.Raw(append([]byte{1, 2, 212, 0, 0, 1}, inner4().Bytes...))},
		{name: "ARCNET, RFC 1051", link: packet.LinkARCNET, b: pt.Raw(append([]byte{1, 2, 240}, inner4().Bytes...))},
		{name: "ARCNET, exception", link: packet.LinkARCNET, b: pt.Raw(append([]byte{1, 2, 212, 255, 255, 255, 0, 0, 0, 1}, inner4().Bytes...)), vlan: 0},
		{name: "ARCNET on Linux", link: packet.LinkARCLinux, b: pt.Raw(append([]byte{1, 2, 0, 0, 212, 0, 0, 1}, inner4().Bytes...))},
		{name: "NFLOG", link: packet.LinkNFLOG, b: pt.Raw(append([]byte{2, 0, 0, 1, 8, 0, 1, 0, 8, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0, byte(len(inner4().Bytes) + 4), 0, 9, 0}, inner4().Bytes...))},
		{name: "Frame Relay", link: 107, b: pt.Raw(append([]byte{0x18, 0x41, 3, 0xcc}, inner4().Bytes...))},
		{name: "Frame Relay, Cisco", link: 107, b: pt.Raw(append([]byte{0x18, 0x41, 8, 0}, inner4().Bytes...))},
		{name: "Frame Relay, SNAP", link: 107, b: pt.Raw(append([]byte{0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 0x86, 0xdd}, inner6().Bytes...))},
		{name: "FDDI", link: 10, b: pt.Raw(append([]byte{0x50, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, inner4().Bytes...))},
		{name: "802.11 with radiotap", link: 127, b: pt.Raw(append([]byte{0, 0, 9, 0, 2, 0, 0, 0, 0x20,
			0x88, 1, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, inner4().Bytes...))},
		{name: "PPI", link: 192, b: pt.Raw(append([]byte{0, 0, 8, 0, 1, 0, 0, 0}, ethTEB.Bytes...))},
		{name: "PKTAP", link: 258, b: pt.Raw(append([]byte{12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, ethTEB.Bytes...))},

		{name: "IP in IP", b: over(inner4()), tunnel: packet.Tunnel{Kind: packet.IPIP}},
		{name: "6in4", b: over(inner6()), tunnel: packet.Tunnel{Kind: packet.IPIP}},
		{name: "4in6", b: pt.Ether(pt.IPv6("fd00::1", "fd00::2", inner4())), tunnel: packet.Tunnel{Kind: packet.IPIP}},
		{name: "EtherIP", b: over(pt.Raw(append([]byte{0x30, 0}, ethTEB.Bytes...)).As(0, 97)), tunnel: packet.Tunnel{Kind: packet.IPIP}},
		{name: "MPLS over IP", b: over(pt.MPLS(inner4(), 99)), tunnel: packet.Tunnel{Kind: packet.IPIP}},
		{name: "MPLS over UDP", b: overUDP(6635, pt.MPLS(inner4(), 99)), tunnel: packet.Tunnel{Kind: packet.IPIP}},
		{name: "AH", b: pt.Ether(pt.IPv6(host6, peer6, pt.Raw(append([]byte{6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, segment("hello").Bytes...)).As(0, 51)))},
		{name: "AH, IPv4", b: pt.Ether(pt.IPv4(host4, peer4, pt.Raw(append([]byte{6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, segment("hello").Bytes...)).As(0, 51)))},
		{name: "IPv4 options", b: pt.Ether(pt.IP4{Options: []byte{7, 7, 4, 0, 0, 0, 0, 0}}.Wrap(host4, peer4, segment("hello")))},
		{name: "IPv6 extensions", b: pt.Ether(pt.IPv6(host6, peer6, pt.Extension(0, pt.Extension(60, pt.Extension(43, segment("hello"))))))},
		{name: "atomic fragment", b: pt.Ether(pt.Fragments6(host6, peer6, 5, 2000, segment("hello"))[0])},

		{name: "GRE", b: over(pt.GRE(inner4())), tunnel: packet.Tunnel{Kind: packet.GRE}},
		{name: "GRE over IPv6", b: pt.Ether(pt.IPv6("fd00::1", "fd00::2", pt.GRE(inner6()))), tunnel: packet.Tunnel{Kind: packet.GRE}},
		{name: "GRE, all fields", b: over(pt.GREFields{Checksum: true, Key: ptr(9), Seq: ptr(1), Route: []byte{8, 0, 0, 4, 10, 0, 0, 1}}.Wrap(inner4())), tunnel: packet.Tunnel{Kind: packet.GRE, ID: 9}},
		{name: "GRE, bridged", b: over(pt.GREFields{Key: ptr(7)}.Wrap(pt.Ether(pt.VLAN(4, inner4())))), tunnel: packet.Tunnel{Kind: packet.GRE, ID: 7}, vlan: 4},
		{name: "GRE, MPLS", b: over(pt.GRE(pt.MPLS(inner4(), 3, 4))), tunnel: packet.Tunnel{Kind: packet.GRE}},
		{name: "GRE, WCCP", b: over(pt.GRE(pt.Raw(append([]byte{0, 0, 0, 0}, inner4().Bytes...)).As(0x883e, 0))), tunnel: packet.Tunnel{Kind: packet.GRE}},
		{name: "PPTP", b: over(pt.Raw(append([]byte{0x30, 0x81, 0x88, 0x0b, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 3, 0, 0x21}, inner4().Bytes...)).As(0, 47)), tunnel: packet.Tunnel{Kind: packet.GRE}},
		{name: "ERSPAN I", b: over(pt.ERSPAN(1, 0, ethTEB)), tunnel: packet.Tunnel{Kind: packet.ERSPAN}},
		{name: "ERSPAN II", b: over(pt.ERSPAN(2, 3, ethTEB)), tunnel: packet.Tunnel{Kind: packet.ERSPAN}, vlan: 1},
		{name: "ERSPAN III", b: over(pt.ERSPAN(3, 3, ethTEB)), tunnel: packet.Tunnel{Kind: packet.ERSPAN}, vlan: 1},

		{name: "VXLAN", b: overUDP(4789, pt.VXLAN(42, ethTEB)), tunnel: packet.Tunnel{Kind: packet.VXLAN, ID: 42}},
		{name: "VXLAN, old port, IPv6", b: overUDP6(8472, pt.VXLAN(42, pt.Ether(inner6()))), tunnel: packet.Tunnel{Kind: packet.VXLAN, ID: 42}},
		{name: "VXLAN, reserved bits", b: overUDP(4789, pt.Raw(append([]byte{0x88, 0x80, 1, 2, 0, 0, 42, 9}, ethTEB.Bytes...))), tunnel: packet.Tunnel{Kind: packet.VXLAN, ID: 42}},
		{name: "VXLAN, generic protocol", b: overUDP(4790, pt.Raw(append([]byte{0x0c, 0, 0, 1, 0, 0, 42, 0}, inner4().Bytes...))), tunnel: packet.Tunnel{Kind: packet.VXLAN, ID: 42}},
		{name: "GENEVE", b: overUDP(6081, pt.GENEVE(43, nil, ethTEB)), tunnel: packet.Tunnel{Kind: packet.GENEVE, ID: 43}},
		{name: "GENEVE, options", b: overUDP(6081, pt.GENEVE(43, make([]byte, 12), inner6())), tunnel: packet.Tunnel{Kind: packet.GENEVE, ID: 43}},
		{name: "GTP-U", b: overUDP(2152, pt.GTPU(1234, inner4())), tunnel: packet.Tunnel{Kind: packet.GTPU}},
		{name: "GTP-U, extension", b: overUDP(2152, pt.Raw(append([]byte{0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0x10, 1, 0}, inner4().Bytes...))), tunnel: packet.Tunnel{Kind: packet.GTPU}},
		{name: "Teredo", b: overUDP(3544, inner6()), tunnel: packet.Tunnel{Kind: packet.Teredo}},
		{name: "Teredo, origin", b: overUDP(3544, pt.Teredo(inner6())), tunnel: packet.Tunnel{Kind: packet.Teredo}},
		{name: "Teredo, authentication", b: overUDP(3544, pt.Raw(append([]byte{0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0}, pt.Teredo(inner6()).Bytes...))), tunnel: packet.Tunnel{Kind: packet.Teredo}},
		{name: "L2TP", b: overUDP(1701, pt.L2TP(1, 2, inner4())), tunnel: packet.Tunnel{Kind: packet.L2TP}},
		{name: "L2TP version 3", b: overUDP(1701, pt.Raw(append([]byte{0, 3, 0, 0, 0, 0, 0, 9}, ethTEB.Bytes...))), tunnel: packet.Tunnel{Kind: packet.L2TP}},
		{name: "L2TP version 3 over IP, cookie and sublayer", b: over(pt.Raw(append([]byte{0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 0x40, 0, 0, 1}, ethTEB.Bytes...)).As(0, 115)), tunnel: packet.Tunnel{Kind: packet.L2TP}},
		{name: "AYIYA", b: overUDP(5072, pt.Raw(append(append([]byte{0x41, 0x52, 0x11, 41, 0, 0, 0, 1}, make([]byte, 36)...), inner6().Bytes...))), tunnel: packet.Tunnel{Kind: packet.AYIYA}},
		{name: "GTP version 0", b: overUDP(3386, pt.Raw(append([]byte{0x1e, 255, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, inner4().Bytes...))), tunnel: packet.Tunnel{Kind: packet.GTPU}},
		{name: "GRE over UDP", b: overUDP(4754, pt.GREFields{Key: ptr(6)}.Wrap(inner6())), tunnel: packet.Tunnel{Kind: packet.GRE, ID: 6}},
		{name: "TZSP", b: overUDP(37008, pt.Raw(append([]byte{1, 0, 0, 1, 0, 10, 1, 7, 1}, ethTEB.Bytes...))), tunnel: packet.Tunnel{Kind: packet.TZSP}},
		{name: "PIM register", b: over(pt.Raw(append([]byte{0x21, 0, 0, 0, 0, 0, 0, 0}, inner4().Bytes...)).As(0, 103)), tunnel: packet.Tunnel{Kind: packet.IPIP}},
		{name: "Ethernet over IPv6", b: pt.Ether(pt.IPv6("fd00::1", "fd00::2", ethTEB)), tunnel: packet.Tunnel{Kind: packet.IPIP}},
		{name: "CAPWAP, frame control exchanged", b: overUDP(5247, pt.Raw(append(append([]byte{0, 0x20, 3, 0x20, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0x11, 8}, make([]byte, 22)...), append([]byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, inner4().Bytes...)...))), tunnel: packet.Tunnel{Kind: packet.CAPWAP}},
		{name: "LISP", b: overUDP(4341, pt.Raw(append(make([]byte, 8), inner4().Bytes...))), tunnel: packet.Tunnel{Kind: packet.LISP}},

		{name: "GRE in IP in LISP", b: overUDP(4341, pt.Raw(append(make([]byte, 8), pt.IPv4("1.1.1.1", "2.2.2.2", pt.GRE(inner4())).Bytes...))), tunnel: packet.Tunnel{Kind: packet.GRE}},
		{name: "VXLAN in GRE in IP", b: over(pt.GRE(pt.IPv4("1.1.1.1", "2.2.2.2", pt.IPv4("3.3.3.3", "4.4.4.4", pt.UDP(1, 4789, pt.VXLAN(5, ethTEB)))))), tunnel: packet.Tunnel{Kind: packet.VXLAN, ID: 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.link == 0 {
				c.link = packet.LinkEthernet
			}
			p, r := parse(t, c.link, c.b.Bytes)
			wantInner(t, &p, r)
			if p.Tunnel != c.tunnel || p.VLAN != c.vlan {
				t.Errorf("tunnel %v VLAN %d, want %v and %d", p.Tunnel, p.VLAN, c.tunnel, c.vlan)
			}
		})
	}
}

// Nothing of a datagram is lost because its port is that of a tunnel.
func TestTunnelPortsWithOtherContent(t *testing.T) {
	arp := pt.Ether(pt.Raw(make([]byte, 28)).As(0x0806, 0))
	echo := pt.Ether(pt.IPv4(host4, peer4, pt.Raw([]byte{8, 0, 0, 0, 0, 1, 0, 1}).As(0, 1)))
	long := pt.Ether(inner4())
	long.Bytes[16], long.Bytes[17] = 5, 220 // the inner packet claims 1500 bytes
	for _, c := range []struct {
		name string
		port uint16
		in   pt.Piece
	}{
		{"text", 4789, pt.Text("hello over a port that VXLAN uses too")},
		{"empty", 4789, pt.Text("")},
		{"ARP in VXLAN", 4789, pt.VXLAN(1, arp)},
		{"ICMP in VXLAN", 4789, pt.VXLAN(1, echo)},
		{"no VNI", 4789, pt.Raw(append(make([]byte, 8), pt.Ether(inner4()).Bytes...))},
		{"too long inside", 4341, pt.Raw(append(make([]byte, 8), long.Bytes[14:]...))},
		{"GENEVE version 1", 6081, pt.Raw(append([]byte{0x40, 0, 0x65, 0x58, 0, 0, 0, 0}, pt.Ether(inner4()).Bytes...))},
		{"GTP echo", 2152, pt.Raw([]byte{0x32, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0})},
		{"L2TP control", 1701, pt.Raw([]byte{0xc8, 2, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0})},
		{"Teredo bubble", 3544, pt.IPv6(host6, peer6, pt.Raw(nil).As(0, 59))},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, r := parse(t, packet.LinkEthernet, overUDP(c.port, c.in).Bytes)
			if r != packet.OK || p.Proto != packet.UDP || p.Tunnel != (packet.Tunnel{}) || string(p.Payload) != string(c.in.Bytes) {
				t.Fatalf("%v %v %v payload %d, want the datagram of %d bytes", r, p.Proto, p.Tunnel, len(p.Payload), len(c.in.Bytes))
			}
			if p.Src.Addr().String() != t1 || p.Dst.Port() != c.port {
				t.Errorf("%v > %v", p.Src, p.Dst)
			}
			q := pt.Packet(0, over(pt.UDP(51000, 53, pt.Text("x"))))
			packet.NewParser(packet.Config{}).Parse(&q)
			q2 := pt.Packet(0, overUDP(c.port, c.in))
			if k := packet.NewPartitioner(packet.Config{}); k.Key(&q) != k.Key(&q2) {
				t.Error("the partition key is not that of the outer addresses")
			}
		})
	}
}

// A plain datagram on a tunnel's port is read inside of a tunnel too, whatever
// its content claims.
func TestPlainDatagramInsideTunnel(t *testing.T) {
	long := inner4()
	long.Bytes[2], long.Bytes[3] = 5, 220
	data := append(make([]byte, 8), long.Bytes...)
	in := pt.IPv4(host4, peer4, pt.UDP(9, 4341, pt.Raw(data)))
	p, r := parse(t, packet.LinkEthernet, overUDP(4341, pt.Raw(append(make([]byte, 8), in.Bytes...))).Bytes)
	if r != packet.OK || p.Proto != packet.UDP || p.Src.String() != "10.0.0.1:9" || p.Tunnel.Kind != packet.LISP || string(p.Payload) != string(data) {
		t.Errorf("%v %v > %v %v %v payload %d", r, p.Src, p.Dst, p.Proto, p.Tunnel, len(p.Payload))
	}
}

func TestDepth(t *testing.T) {
	in := inner4()
	for n := range packet.MaxDepth {
		in = pt.IPv4(t1, t2, pt.GREFields{Key: ptr(uint32(n))}.Wrap(in))
	}
	p, r := parse(t, packet.LinkRaw, in.Bytes)
	wantInner(t, &p, r)
	if p.Tunnel != (packet.Tunnel{Kind: packet.GRE}) {
		t.Errorf("tunnel %v", p.Tunnel)
	}
	in = pt.IPv4(t1, t2, in)
	if _, r := parse(t, packet.LinkRaw, in.Bytes); r != packet.TooDeep {
		t.Errorf("five deep: %v", r)
	}
	q := packet.Packet{Data: in.Bytes, Length: len(in.Bytes), Link: packet.LinkRaw}
	if k := packet.NewPartitioner(packet.Config{}).Key(&q); k != 0 {
		t.Errorf("five deep: partition key %x, want 0", k)
	}
}

func TestConfiguredPortsAndOuterTunnel(t *testing.T) {
	ps := packet.NewParser(packet.Config{VXLANPorts: []uint16{7777}, GENEVEPorts: []uint16{7778}})
	p := pt.Packet(0, overUDP(7777, pt.VXLAN(3, pt.Ether(inner4()))))
	wantInner(t, &p, ps.Parse(&p))
	if p.Tunnel != (packet.Tunnel{Kind: packet.VXLAN, ID: 3}) {
		t.Errorf("tunnel %v", p.Tunnel)
	}
	p = pt.Packet(0, overUDP(7778, pt.GENEVE(4, nil, pt.Ether(inner4()))))
	wantInner(t, &p, ps.Parse(&p))
	if p.Tunnel != (packet.Tunnel{Kind: packet.GENEVE, ID: 4}) {
		t.Errorf("tunnel %v", p.Tunnel)
	}
	p = pt.Packet(0, pt.Ether(inner4()))
	p.Outer = packet.Tunnel{Kind: packet.VXLAN, ID: 8}
	p.TagType, p.Tag = 0x8100, 5<<13|6
	wantInner(t, &p, ps.Parse(&p))
	if p.Tunnel != p.Outer || p.VLAN != 6 {
		t.Errorf("tunnel %v VLAN %d", p.Tunnel, p.VLAN)
	}
	p = pt.Packet(0, over(pt.GRE(inner4())))
	p.Outer = packet.Tunnel{Kind: packet.VXLAN, ID: 8}
	wantInner(t, &p, ps.Parse(&p))
	if p.Tunnel != (packet.Tunnel{Kind: packet.GRE}) {
		t.Errorf("tunnel %v, want the deeper one", p.Tunnel)
	}
}

package packet_test

import (
	"math/bits"
	"testing"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

func both(src, dst string, in func(back bool) pt.Piece) (there, back pt.Piece) {
	ip := pt.IPv4
	if len(src) > 3 && src[3] != '.' && src[2] != '.' {
		ip = pt.IPv6
	}
	return pt.Ether(ip(src, dst, in(false))), pt.Ether(ip(dst, src, in(true)))
}

func tcpPorts(a, b uint16) func(bool) pt.Piece {
	return func(back bool) pt.Piece {
		if back {
			return pt.TCP(b, a, pt.Seg{})
		}
		return pt.TCP(a, b, pt.Seg{})
	}
}

func TestHashIsSymmetric(t *testing.T) {
	seen := make(map[uint64]string)
	ps, keyed := packet.NewParser(packet.Config{}), packet.NewParser(packet.Config{Seed: 1})
	again := packet.NewParser(packet.Config{})
	for _, ends := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"10.0.0.3", "10.0.0.0"}, {"10.0.0.2", "10.0.0.2"}, {"2001:db8::1", "2001:db8::2"}, {"2001:db8::3", "2001:db8::"}, {"2001:db8::2", "2001:db8::2"}} {
		for _, ports := range [][2]uint16{{80, 40000}, {40000, 80}, {80, 80}, {0, 0}, {1, 65535}} {
			a, b := both(ends[0], ends[1], tcpPorts(ports[0], ports[1]))
			p, q := pt.Packet(0, a), pt.Packet(0, b)
			ps.Parse(&p)
			ps.Parse(&q)
			if p.Hash != q.Hash {
				t.Errorf("%v %v: %x there and %x back", ends, ports, p.Hash, q.Hash)
			}
			was := p.Hash
			if keyed.Parse(&p); p.Hash == was {
				t.Error("the seed changes nothing")
			}
			if again.Parse(&p); p.Hash != was {
				t.Error("another Parser of the same seed hashes otherwise")
			}
			if ends[0] == ends[1] && ports[0] > ports[1] {
				continue // the same conversation as the one before
			}
			name := ends[0] + " " + ends[1] + " " + string(rune(ports[0])) + string(rune(ports[1]))
			if old, ok := seen[was]; ok {
				t.Errorf("%q and %q have the same hash", old, name)
			}
			seen[was] = name
		}
	}
	u := pt.Packet(0, pt.Ether(pt.IPv4("10.0.0.1", "10.0.0.2", pt.UDP(80, 40000, pt.Text("")))))
	if ps.Parse(&u); seen[u.Hash] != "" {
		t.Error("the transport does not matter")
	}
}

// Neighbouring conversations must not share buckets: a table takes low bits.
func TestHashSpreads(t *testing.T) {
	ps := packet.NewParser(packet.Config{})
	const n = 1 << 14
	var low, high [n]uint8
	for i := range n {
		b := pt.Ether(inner4())
		b.Bytes[14+20], b.Bytes[14+21] = byte(i>>8), byte(i) // the source port
		p := pt.Packet(0, b)
		ps.Parse(&p)
		low[p.Hash%n]++
		high[p.Hash>>(64-bits.Len(n-1))]++
	}
	for _, table := range []*[n]uint8{&low, &high} {
		most, empty := uint8(0), 0
		for _, c := range table {
			most = max(most, c)
			if c == 0 {
				empty++
			}
		}
		if most > 9 || empty > n*2/5 { // e^-1 of the buckets are empty by chance
			t.Errorf("%d in one bucket, %d of %d empty", most, empty, n)
		}
	}
}

func TestPartitionKey(t *testing.T) {
	k := packet.NewPartitioner(packet.Config{})
	key := func(f pt.Piece) uint64 {
		p := pt.Packet(0, f)
		return k.Key(&p)
	}
	want := key(pt.Ether(inner4()))
	if want == 0 {
		t.Fatal("no key")
	}
	back := pt.IPv4(peer4, host4, pt.TCP(80, 50000, pt.Seg{}))
	same := []pt.Piece{pt.Ether(back), pt.Ether(pt.VLAN(4, back)), over(pt.GRE(inner4())), over(back), overUDP6(4789, pt.VXLAN(1, pt.Ether(back))),
		pt.Ether(pt.IPv4(peer4, host4, pt.UDP(1, 2, pt.Text("")))), pt.Ether(pt.IPv4(peer4, host4, pt.Raw(make([]byte, 8)).As(0, 1))),
		pt.Ether(pt.IPv4(peer4, host4, pt.GRE(pt.Raw(make([]byte, 40)).As(0x0806, 0))))}
	same = append(same, ethers(pt.IP4{ID: 1}.Fragments(host4, peer4, 400, bigSegment(1000)))...)
	for i, f := range pt.Fragments6(host6, peer6, 9, 400, bigSegment(1000)) {
		if key(pt.Ether(f)) != key(pt.Ether(inner6())) {
			t.Errorf("fragment %d of IPv6 has a key of its own", i)
		}
	}
	for i, f := range same {
		if got := key(f); got != want {
			t.Errorf("frame %d: %x, want %x", i, got, want)
		}
	}
	big := pt.IPv4(host4, peer4, bigSegment(3000))
	for name, frags := range map[string][]pt.Piece{
		"VXLAN": pt.IP4{ID: 5}.Fragments(t1, t2, 1400, pt.UDP(1, 4789, pt.VXLAN(9, pt.Ether(big)))),
		"GRE":   pt.IP4{ID: 6}.Fragments(t1, t2, 1400, pt.GRE(big)),
		"LISP":  pt.IP4{ID: 7}.Fragments(t1, t2, 1400, pt.UDP(1, 4341, pt.Raw(append(make([]byte, 8), big.Bytes...)))),
		"4in6":  pt.Fragments6("fd00::1", "fd00::2", 8, 1400, big),
	} {
		for i, f := range frags {
			if got := key(pt.Ether(f)); got != want {
				t.Errorf("fragment %d around %s: %x, want %x", i, name, got, want)
			}
		}
	}
	plain := pt.IP4{ID: 5}.Fragments(t1, t2, 400, pt.UDP(1, 4789, pt.Raw(pattern(1000))))
	for i, f := range plain {
		if key(pt.Ether(f)) != key(pt.Ether(pt.IPv4(t2, t1, pt.UDP(1, 2, pt.Text(""))))) {
			t.Errorf("fragment %d of a plain datagram has a key of its own", i)
		}
	}
	if key(over(pt.GRE(inner6()))) == want || key(over(pt.GRE(inner6()))) != key(pt.Ether(inner6())) {
		t.Error("inner addresses do not decide")
	}
	if key(pt.Ether(pt.Raw(make([]byte, 28)).As(0x0806, 0))) != 0 {
		t.Error("ARP has a key")
	}
}

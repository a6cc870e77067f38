package afpacket

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/net/bpf"
)

func place(t testing.TB) []bpf.RawInstruction {
	t.Helper()
	prog, err := placement([]uint16{7777, 1, 3, 4, 5, 6, 8, 9}, []uint16{7778, 11, 13, 14, 15, 16, 18, 19})
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

// in is how the kernel shows a frame that came in: from the network header on,
// an outer tag put beside. out is how it shows one that goes out.
func in(frame []byte) machine {
	kind := uint16(frame[12])<<8 | uint16(frame[13])
	if kind < 1536 {
		kind = 4
	}
	data := frame[14:]
	if kind == 0x8100 || kind == 0x88a8 {
		kind = uint16(data[2])<<8 | uint16(data[3])
		data = data[4:]
	}
	return machine{data: data, length: uint32(len(data)), protocol: kind, hardware: 1}
}

func out(frame []byte) machine {
	return machine{data: frame, length: uint32(len(frame)), protocol: 0x0800, hardware: 1, kind: packetOutgoing}
}

func hashOf(t testing.TB, prog []bpf.RawInstruction, m machine) uint32 {
	t.Helper()
	v, err := m.run(prog)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const (
	a4, b4 = "10.1.2.3", "192.168.7.9"
	a6, b6 = "2001:db8::1", "2001:db8:1:2:3:4:5:6"
	x4, y4 = "172.16.0.1", "172.16.0.2" // ends of tunnels
	x6, y6 = "fd00::1", "fd00::2"
)

func repeat(n int, wrap func([]byte) []byte, b []byte) []byte {
	for range n {
		b = wrap(b)
	}
	return b
}

// Each frame must be placed by the pair a, b, whatever it is wrapped in,
// whichever way it goes, and whether it comes in or goes out.
func TestPlaceByInnermostPair(t *testing.T) {
	prog := place(t)
	t.Logf("%d instructions", len(prog))
	want4 := hashOf(t, prog, in(ether(0x0800, ip4(a4, b4, 6, tcp(1, 2, nil)))))
	want6 := hashOf(t, prog, in(ether(0x86dd, ip6(a6, b6, 6, tcp(1, 2, nil)))))
	if want4 == want6 || want4 == 0 || want6 == 0 {
		t.Fatalf("hashes %#x and %#x", want4, want6)
	}
	snap := func(kind uint16, b []byte) []byte {
		return cat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, bytes16(uint16(8+len(b))), []byte{0xaa, 0xaa, 3, 0, 0, 0}, bytes16(kind), b)
	}
	wraps := map[string]func(ip []byte, kind uint16, x, y string, proto byte) []byte{
		"plain": func(ip []byte, k uint16, x, y string, _ byte) []byte { return ether(k, ip) },
		"vlan":  func(ip []byte, k uint16, x, y string, _ byte) []byte { return tagged(0x8100, 7, k, ip) },
		"qinq": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return tagged(0x88a8, 7, 0x8100, cat(bytes16(9, k), ip))
		},
		"four tags": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return tagged(0x8100, 7, 0x8100, cat(bytes16(8, 0x9100, 9, k), ip))
		},
		"snap": func(ip []byte, k uint16, x, y string, _ byte) []byte { return snap(k, ip) },
		"mpls": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x8847, cat([]byte{0, 1, 0, 64, 0, 2, 1, 64}, ip))
		},
		"pseudowire": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x8847, cat([]byte{0, 2, 1, 64, 0, 0, 0, 0}, ether(k, ip)))
		},
		"pppoe": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x8864, cat(bytes16(0x1100, 5, uint16(len(ip)+2), map[uint16]uint16{0x0800: 0x21, 0x86dd: 0x57}[k]), ip))
		},
		"ipip": func(ip []byte, k uint16, x, y string, p byte) []byte { return ether(0x0800, ip4(x, y, p, ip)) },
		"ipip options": func(ip []byte, k uint16, x, y string, p byte) []byte {
			return ether(0x0800, ip4frag(x, y, p, 0, 0x4000, []byte{1, 1, 1, 1}, ip))
		},
		"in ipv6": func(ip []byte, k uint16, x, y string, p byte) []byte { return ether(0x86dd, ip6(x6, y6, p, ip)) },
		"in ipv6 options": func(ip []byte, k uint16, x, y string, p byte) []byte {
			return ether(0x86dd, ip6(x6, y6, 0, cat([]byte{60, 1}, make([]byte, 14), []byte{p, 0}, make([]byte, 6), ip)))
		},
		"atomic fragment": func(ip []byte, k uint16, x, y string, p byte) []byte {
			return ether(0x86dd, ip6(x6, y6, 44, cat([]byte{p, 0, 0, 0, 1, 2, 3, 4}, ip)))
		},
		"ah": func(ip []byte, k uint16, x, y string, p byte) []byte {
			return ether(0x86dd, ip6(x6, y6, 51, cat([]byte{p, 4}, make([]byte, 22), ip)))
		},
		"vxlan": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 17, vxlan(uint16(rand.N(60000)), ether(k, ip))))
		},
		"vxlan port": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 17, udp(9, 7777, cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, ether(k, ip)))))
		},
		"gpe": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 17, udp(9, 4790, cat([]byte{12, 0, 0, map[uint16]byte{0x0800: 1, 0x86dd: 2}[k], 0, 0, 1, 0}, ip))))
		},
		"gpe ethernet": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 17, udp(9, 4790, cat([]byte{12, 0, 0, 3, 0, 0, 1, 0}, ether(k, ip)))))
		},
		"gpe plain": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 17, udp(9, 4790, cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, ether(k, ip)))))
		},
		"geneve port": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 17, udp(9, 7778, cat([]byte{0, 0}, bytes16(k), make([]byte, 4), ip))))
		},
		"vxlan vlan": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 17, vxlan(1, tagged(0x8100, 5, k, ip))))
		},
		"vxlan in ipv6": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x86dd, ip6(x6, y6, 17, vxlan(1, ether(k, ip))))
		},
		"geneve": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 17, geneve(uint16(rand.N(60000)), make([]byte, 4*rand.N(60)), 0x6558, ether(k, ip))))
		},
		"geneve ip": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 17, geneve(9, nil, k, ip)))
		},
		"gre": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 47, gre(0, k, nil, ip)))
		},
		"gre key": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 47, gre(0x2000, k, make([]byte, 4), ip)))
		},
		"gre all": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 47, gre(0xb000, k, make([]byte, 12), ip)))
		},
		"gre ethernet": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 47, gre(0x2000, 0x6558, make([]byte, 4), ether(k, ip))))
		},
		"erspan 1": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 47, gre(0, 0x88be, nil, ether(k, ip))))
		},
		"erspan 2": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 47, gre(0x1000, 0x88be, make([]byte, 12), ether(k, ip))))
		},
		"erspan 3": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 47, gre(0x1000, 0x22eb, make([]byte, 16), ether(k, ip))))
		},
		"erspan 3 more": func(ip []byte, k uint16, x, y string, _ byte) []byte {
			return ether(0x0800, ip4(x, y, 47, gre(0x1000, 0x22eb, cat(make([]byte, 15), []byte{1}, make([]byte, 8)), ether(k, ip))))
		},
		"four deep": func(ip []byte, k uint16, x, y string, p byte) []byte {
			return ether(0x0800, ip4(y, x, 17, vxlan(3, ether(0x0800, ip4(x, y, 47, gre(0, 0x0800, nil, ip4(x, y, 4, ip4(x, y, p, ip))))))))
		},
	}
	for name, wrap := range wraps {
		for _, v := range []struct {
			a, b  string
			kind  uint16
			proto byte
			want  uint32
			ip    func(src, dst string, proto byte, payload []byte) []byte
		}{{a4, b4, 0x0800, 4, want4, ip4}, {a6, b6, 0x86dd, 41, want6, ip6}} {
			frames := map[string][]byte{
				"there": wrap(v.ip(v.a, v.b, 6, tcp(1000, 80, []byte("GET"))), v.kind, x4, y4, v.proto),
				"back":  wrap(v.ip(v.b, v.a, 6, tcp(80, 1000, []byte("HTTP"))), v.kind, y4, x4, v.proto),
				"udp":   wrap(v.ip(v.b, v.a, 17, udp(53, 1000, make([]byte, 40))), v.kind, y4, x4, v.proto),
				"icmp":  wrap(v.ip(v.a, v.b, 1, []byte{8, 0, 0, 0}), v.kind, y4, x4, v.proto),
			}
			for way, frame := range frames {
				for side, view := range map[string]func([]byte) machine{"in": in, "out": out} {
					if name == "four tags" && side == "out" {
						continue // one more than the program looks behind
					}
					if got := hashOf(t, prog, view(frame)); got != v.want {
						t.Errorf("%s, ethertype %#x, %s, %s: %#x, want %#x", name, v.kind, way, side, got, v.want)
					}
				}
			}
		}
	}
	t.Run("bare IP device", func(t *testing.T) {
		for _, kind := range []uint32{0, packetOutgoing} {
			m := machine{data: ip4(b4, a4, 6, tcp(1, 2, nil)), length: 40, protocol: 0x0800, hardware: 65534, kind: kind}
			if got := hashOf(t, prog, m); got != want4 {
				t.Errorf("%#x, want %#x", got, want4)
			}
		}
	})
}

// All fragments go by the pair of the fragmented header, also the first, which
// would show what is inside.
func TestPlaceFragments(t *testing.T) {
	prog := place(t)
	inner := ether(0x0800, ip4(a4, b4, 6, tcp(1, 2, make([]byte, 100))))
	whole := vxlan(77, inner)
	outer := hashOf(t, prog, in(ether(0x0800, ip4(x4, y4, 99, nil))))
	outer6 := hashOf(t, prog, in(ether(0x86dd, ip6(x6, y6, 99, nil))))
	for name, c := range map[string]struct {
		frame []byte
		want  uint32
	}{
		"first":          {ether(0x0800, ip4frag(x4, y4, 17, 1, 0x2000, nil, whole[:80])), outer},
		"last":           {ether(0x0800, ip4frag(y4, x4, 17, 1, 10, nil, whole[80:])), outer},
		"first of v6":    {ether(0x86dd, ip6(x6, y6, 44, cat([]byte{17, 0, 0, 1, 0, 0, 0, 9}, whole[:80]))), outer6},
		"last of v6":     {ether(0x86dd, ip6(y6, x6, 44, cat([]byte{17, 0, 0, 80, 0, 0, 0, 9}, whole[80:]))), outer6},
		"inner fragment": {ether(0x0800, ip4(y4, x4, 17, vxlan(5, ether(0x0800, ip4frag(b4, a4, 6, 9, 5, nil, []byte("data behind")))))), hashOf(t, prog, in(inner))},
	} {
		if got := hashOf(t, prog, in(c.frame)); got != c.want {
			t.Errorf("%s: %#x, want %#x", name, got, c.want)
		}
	}
}

// What only looks like a tunnel goes by the pair that is certain.
func TestPlaceFallsBack(t *testing.T) {
	prog := place(t)
	want := hashOf(t, prog, in(ether(0x0800, ip4(x4, y4, 99, nil))))
	for name, proto := range map[string]struct {
		number  byte
		payload []byte
	}{
		"vxlan without its flag": {17, udp(1, 4789, make([]byte, 60))},
		"short vxlan":            {17, udp(1, 4789, []byte{8, 0, 0})},
		"vxlan of something":     {17, vxlan(1, ether(0x1234, make([]byte, 40)))},
		"vxlan of arp":           {17, vxlan(1, ether(0x0806, make([]byte, 28)))},
		"vxlan of nonsense":      {17, vxlan(1, ether(0x0800, make([]byte, 40)))},
		"vxlan of a short ihl":   {17, vxlan(1, ether(0x0800, cat([]byte{0x44}, make([]byte, 40))))},
		"answer from 4789":       {17, udp(4789, 999, make([]byte, 60))},
		"geneve version 1":       {17, udp(1, 6081, cat([]byte{0x40}, make([]byte, 60)))},
		"geneve options beyond":  {17, udp(1, 6081, cat([]byte{0x3f, 0, 0x65, 0x58}, make([]byte, 60)))},
		"gre with routing":       {47, gre(0x4000, 0x0800, nil, ip4(a4, b4, 6, nil))},
		"pptp":                   {47, gre(0x3001, 0x880b, make([]byte, 8), ip4(a4, b4, 6, nil))},
		"short gre":              {47, []byte{0, 0}},
		"ipip cut":               {4, ip4(a4, b4, 6, nil)[:12]},
		"ipip of version 6":      {4, ip6(a6, b6, 6, nil)},
	} {
		if got := hashOf(t, prog, in(ether(0x0800, ip4(x4, y4, proto.number, proto.payload)))); got != want {
			t.Errorf("%s: %#x, want %#x", name, got, want)
		}
	}
	for name, frame := range map[string][]byte{
		"arp":       ether(0x0806, make([]byte, 28)),
		"too deep":  ether(0x0800, repeat(5, func(b []byte) []byte { return ip4(x4, y4, 4, b) }, ip4(a4, b4, 6, tcp(1, 2, nil)))),
		"llc":       cat(make([]byte, 12), bytes16(40, 0x4242), make([]byte, 40)),
		"five tags": tagged(0x8100, 7, 0x8100, cat(bytes16(8, 0x9100, 9, 0x8100, 1, 0x8100, 1, 0x800), ip4(a4, b4, 6, tcp(1, 2, nil)))),
	} {
		if got := hashOf(t, prog, in(frame)); got != 0 {
			t.Errorf("%s: %#x, want the first worker", name, got)
		}
	}
}

// Pairs spread evenly over workers, also when they count up.
func TestPlaceSpreads(t *testing.T) {
	prog := place(t)
	plain := tcp(1, 2, nil)
	frames := map[string]func(i int) []byte{
		"clients": func(i int) []byte { return ether(0x0800, ip4(fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), b4, 6, plain)) },
		"pairs": func(i int) []byte {
			return ether(0x0800, ip4(fmt.Sprintf("10.0.%d.1", i/50), fmt.Sprintf("10.0.0.%d", i%50+2), 6, plain))
		},
		"clients6": func(i int) []byte { return ether(0x86dd, ip6(fmt.Sprintf("2001:db8::%x", i), b6, 6, plain)) },
		"prefix6":  func(i int) []byte { return ether(0x86dd, ip6(fmt.Sprintf("2001:db8:%x::1", i), b6, 6, plain)) },
	}
	for _, workers := range []uint32{2, 3, 4, 8} {
		for name, frame := range frames {
			const n = 2000
			counts := make([]int, workers)
			for i := range n {
				counts[hashOf(t, prog, in(frame(i)))%workers]++
			}
			for w, c := range counts {
				if mean := n / int(workers); c < mean*8/10 || c > mean*12/10 {
					t.Errorf("%s over %d workers: worker %d has %d of %d", name, workers, w, c, n)
				}
			}
		}
	}
}

// Whatever the bytes, the program ends, and a frame and its mirror (addresses
// exchanged) that are plain IP meet.
func FuzzPlace(f *testing.F) {
	prog := place(f)
	f.Add(ether(0x0800, ip4(x4, y4, 17, vxlan(1, ether(0x86dd, ip6(a6, b6, 6, tcp(1, 2, nil)))))))
	f.Add(ether(0x8847, cat([]byte{0, 1, 1, 64}, ip4(x4, y4, 47, gre(0xb000, 0x6558, make([]byte, 12), ether(0x800, ip4(a4, b4, 4, nil)))))))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) < 18 {
			return
		}
		for _, m := range []machine{in(frame), out(frame)} {
			if _, err := m.run(prog); err != nil || m.steps > len(prog) {
				t.Fatalf("%d steps of %d: %v", m.steps, len(prog), err)
			}
		}
		back := cat(frame)
		if frame[12] == 8 && frame[13] == 0 && len(frame) >= 34 && frame[23] == 6 {
			copy(back[26:30], frame[30:34])
			copy(back[30:34], frame[26:30])
			if a, b := hashOf(t, prog, in(frame)), hashOf(t, prog, in(back)); a != b {
				t.Fatalf("%#x and %#x", a, b)
			}
		}
	})
}

package afpacket

import (
	"bytes"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// tunnelled are frames that the program looks into, and some that it does not.
func tunnelled() [][]byte {
	inner := ether(0x86dd, ip6(a6, b6, 6, tcp(1, 2, []byte("GET"))))
	return [][]byte{
		ether(0x0800, ip4(a4, b4, 6, tcp(1, 2, nil))),
		ether(0x86dd, ip6(a6, b6, 6, tcp(1, 2, nil))),
		ether(0x0800, ip4(x4, y4, 17, vxlan(1, inner))),
		ether(0x86dd, ip6(x6, y6, 17, vxlan(1, inner))),
		ether(0x86dd, ip6(x6, y6, 44, cat([]byte{17, 0, 0, 0, 1, 2, 3, 4}, vxlan(1, inner)))),
		ether(0x86dd, ip6(x6, y6, 17, geneve(9, make([]byte, 8), 0x6558, inner))),
		ether(0x86dd, ip6(x6, y6, 47, gre(0x2000, 0x6558, make([]byte, 4), inner))),
		ether(0x86dd, ip6(x6, y6, 0, cat([]byte{60, 1}, make([]byte, 14), []byte{4, 0}, make([]byte, 6), ip4(a4, b4, 6, tcp(1, 2, nil))))),
		ether(0x0800, ip4(x4, y4, 17, udp(9, 7777, cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, inner)))),
		ether(0x0800, ip4(x4, y4, 17, udp(9, 2152, cat([]byte{0x30, 0xff, 0, 40, 0, 0, 0, 1}, ip4(a4, b4, 6, tcp(1, 2, nil)))))),
		ether(0x0800, ip4(x4, y4, 47, gre(0x1000, 0x22eb, cat(make([]byte, 15), []byte{1}, make([]byte, 8)), inner))),
		ether(0x8847, cat([]byte{0, 1, 0, 64, 0, 2, 1, 64}, ip4(x4, y4, 4, ip4(a4, b4, 6, tcp(1, 2, nil))))),
		ether(0x8864, cat(bytes16(0x1100, 5, 42, 0x21), ip4(a4, b4, 6, tcp(1, 2, nil)))),
		ether(0x0800, repeat(5, func(b []byte) []byte { return ip4(x4, y4, 4, b) }, ip4(a4, b4, 6, tcp(1, 2, nil)))),
		ether(0x0806, make([]byte, 28)),
	}
}

// views returns a frame as Read gives it by its links, and as the kernel shows
// it to the program.
func views(frame []byte) map[packet.Link]struct {
	frame  []byte
	kernel machine
} {
	type view = struct {
		frame  []byte
		kernel machine
	}
	m := in(frame)
	plain := frame
	if k := uint16(frame[12])<<8 | uint16(frame[13]); k == 0x8100 || k == 0x88a8 {
		plain = cat(frame[:12], frame[16:]) // the tag stands beside it
	}
	all := map[packet.Link]view{
		packet.LinkEthernet: {plain, m},
		packet.LinkSLL2:     {cat(bytes16(m.protocol), make([]byte, cookedHeader-2), m.data), m},
	}
	if m.protocol == 0x0800 && len(m.data) > 0 && m.data[0]>>4 == 4 || m.protocol == 0x86dd && len(m.data) > 0 && m.data[0]>>4 == 6 {
		all[packet.LinkRaw] = view{m.data, m}
	}
	return all
}

func placeConfig() *Config {
	c := DefaultConfig()
	c.VXLANPorts, c.GENEVEPorts, c.Workers = []uint16{7777, 1, 3, 4, 5, 6, 8, 9}, []uint16{7778, 11, 13, 14, 15, 16, 18, 19}, 4
	return &c
}

// A frame that was put together goes where the kernel sends one that came whole.
func TestHomes(t *testing.T) {
	prog, h := place(t), homes{}
	seen := map[uint32]bool{}
	for i, frame := range append(tunnelled(), tagged(0x8100, 7, 0x8100, cat(bytes16(9, 0x0800), ip4(a4, b4, 6, tcp(1, 2, nil))))) {
		for link, v := range views(frame) {
			want := hashOf(t, prog, v.kernel)
			seen[want] = true
			if got := h.hash(placeConfig(), link, v.frame); got != want {
				t.Errorf("frame %d, link %d: %#x, the kernel %#x", i, link, got, want)
			}
		}
	}
	if len(seen) < 4 {
		t.Errorf("the frames show nothing: %v", seen)
	}
	cfg, frame := placeConfig(), tunnelled()[3]
	if n := testing.AllocsPerRun(100, func() { h.hash(cfg, packet.LinkEthernet, frame) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzHomes(f *testing.F) {
	prog, h, cfg := place(f), homes{}, placeConfig()
	for _, frame := range tunnelled() {
		f.Add(frame, []byte{}, uint16(0))
	}
	f.Fuzz(func(t *testing.T, frame, more []byte, at uint16) {
		if frame = bytes.Clone(frame); len(frame) > 14 {
			copy(frame[14+int(at)%(len(frame)-14):], more)
		}
		if len(frame) < 18 {
			return
		}
		for link, v := range views(frame) {
			if want, got := hashOf(t, prog, v.kernel), h.hash(cfg, link, v.frame); got != want {
				t.Fatalf("link %d: %#x, the kernel %#x", link, got, want)
			}
		}
	})
}

func BenchmarkHomes(b *testing.B) {
	h, cfg := homes{}, placeConfig()
	for name, frame := range map[string][]byte{"plain": tunnelled()[0], "vxlan6": tunnelled()[3]} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h.hash(cfg, packet.LinkEthernet, frame)
			}
		})
	}
}

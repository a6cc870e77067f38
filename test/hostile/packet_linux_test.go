package hostile

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"
)

// Fragments: never completed, overlapping, tiny, and all at once.
func TestFragments(t *testing.T) {
	piece := make([]byte, 1480)
	for name, next := range map[string]func(i int, r *rand.Rand) (id uint16, off, n int, more bool){
		"never whole": func(i int, r *rand.Rand) (uint16, int, int, bool) { return uint16(i), 64000, 1480, true },
		"first only":  func(i int, r *rand.Rand) (uint16, int, int, bool) { return uint16(i), 0, 1480, true },
		"tiny":        func(i int, r *rand.Rand) (uint16, int, int, bool) { return uint16(i / 8000), i % 8000 * 8, 8, true },
		"tiny, with holes": func(i int, r *rand.Rand) (uint16, int, int, bool) {
			return uint16(i / 4000), i % 4000 * 16, 8, true
		},
		"overlapping": func(i int, r *rand.Rand) (uint16, int, int, bool) {
			return uint16(i / 1000), r.IntN(8000) * 8, 8 * (1 + r.IntN(180)), true
		},
		"anything": func(i int, r *rand.Rand) (uint16, int, int, bool) {
			return uint16(r.IntN(64)), r.IntN(8192) * 8, r.IntN(1480), r.IntN(4) > 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := record(t)
			r := rand.New(rand.NewPCG(1, 2))
			for i := range 300_000 {
				id, off, n, more := next(i, r)
				frag := uint16(off / 8)
				if more {
					frag |= 0x2000
				}
				ip := ip4(0x0a000001+uint32(i>>16), server.ip, []byte{6, 17}[i&1], id, frag, n)
				c.frame(c.ether(append(ip, piece[:n]...)))
			}
			run(t, bound{10 * time.Second, 100}, c.done())
		})
	}
}

// Tunnels in tunnels, deeper than is looked, and each layer in fragments.
func TestNestedTunnels(t *testing.T) {
	c := record(t)
	be := binary.BigEndian
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		ip := c.segment(client(i%100), server, uint32(i)*10, 1, ack, "GET / HTTP/")
		for depth := range i % 11 {
			switch r.IntN(4) {
			case 0:
				ip = append(ip4(1, 2, 4, 0, 0, len(ip)), ip...)
			case 1:
				ip = append(append(ip4(1, 2, 47, 0, 0, 4+len(ip)), 0, 0, 8, 0), ip...)
			case 2: // VXLAN
				frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, ip...)
				b := be.AppendUint16(ip4(1, 2, 17, 0, 0, 16+len(frame)), 1000)
				b = be.AppendUint16(b, 4789)
				b = be.AppendUint16(b, uint16(16+len(frame)))
				b = append(b, 0, 0, 8, 0, 0, 0, byte(depth), 1, 1, 0)
				ip = append(b, frame...)
			case 3:
				half := len(ip) / 2 &^ 7
				b := ip4(1, 2, 4, uint16(i), 0x2000, half)
				c.frame(c.ether(append(b, ip[:half]...)))
				ip = append(ip4(1, 2, 4, uint16(i), uint16(half/8), len(ip)-half), ip[half:]...)
			}
		}
		c.frame(c.ether(ip))
	}
	run(t, bound{10 * time.Second, 180}, c.done())
}

// Frames that are nothing but what a die says, on every link type.
func TestNoise(t *testing.T) {
	for _, link := range []byte{1, 101, 113, 12} {
		c := record(t)
		c.w.Flush()
		c.f.WriteAt([]byte{link}, 20)
		r := rand.New(rand.NewPCG(uint64(link), 2))
		for range 200_000 {
			b := make([]byte, r.IntN(120))
			for i := range b {
				if b[i] = byte(r.Uint32()); r.IntN(3) == 0 {
					b[i] = []byte{0, 1, 8, 0x45, 0x60, 6, 17, 47, 0x81, 0x88, 0x86, 0xdd, 0xff}[r.IntN(13)]
				}
			}
			c.frame(b)
		}
		run(t, bound{10 * time.Second, 80}, c.done())
	}
}

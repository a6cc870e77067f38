package packet_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

// torn returns frames of tunnels whose own packets come in fragments, and the
// frame as it would have been without.
func torn() map[string]struct {
	frames []pt.Piece
	whole  pt.Piece
} {
	in := pt.Ether(pt.IPv4(host4, peer4, pt.TCP(1000, 80, pt.Seg{Seq: 7, Flags: packet.ACK, Data: pattern(300)})))
	in6 := pt.Ether(pt.IPv6(host6, peer6, pt.TCP(1000, 80, pt.Seg{Seq: 7, Flags: packet.ACK, Data: pattern(300)})))
	vxlan, geneve := pt.UDP(50000, 4789, pt.VXLAN(7, in)), pt.UDP(50000, 6081, pt.GENEVE(9, make([]byte, 8), in6))
	gre := pt.GRE(pt.IPv4(host4, peer4, pt.TCP(1000, 80, pt.Seg{Flags: packet.ACK, Data: pattern(300)})))
	v4 := func(in pt.Piece) ([]pt.Piece, pt.Piece) {
		return pt.IP4{ID: 5}.Fragments(t1, t2, 120, in), pt.IPv4(t1, t2, in)
	}
	v6 := func(in pt.Piece) ([]pt.Piece, pt.Piece) {
		atomic := pt.Fragments6("fd00::1", "fd00::2", 5, 2000, in)
		return pt.Fragments6("fd00::1", "fd00::2", 5, 120, in), atomic[0]
	}
	all := map[string]struct {
		frames []pt.Piece
		whole  pt.Piece
	}{}
	for inner, in := range map[string]pt.Piece{"vxlan": vxlan, "geneve": geneve, "gre": gre} {
		for outer, cut := range map[string]func(pt.Piece) ([]pt.Piece, pt.Piece){"v4": v4, "v6": v6} {
			for link, on := range map[string]func(pt.Piece) pt.Piece{"ether": pt.Ether, "vlan": func(in pt.Piece) pt.Piece { return pt.Ether(pt.VLAN(3, in)) },
				"tunnel": func(in pt.Piece) pt.Piece {
					return pt.Ether(pt.IPv4("198.51.100.1", "198.51.100.2", pt.UDP(1, 4789, pt.VXLAN(1, pt.Ether(in)))))
				}} {
				frames, whole := cut(in)
				for i := range frames {
					frames[i] = on(frames[i])
				}
				all[inner+" "+outer+" "+link] = struct {
					frames []pt.Piece
					whole  pt.Piece
				}{frames, on(whole)}
			}
		}
	}
	return all
}

// spoil is what becomes of memory that was only lent.
func spoil(b []byte) {
	for i := range b {
		b[i] = 0xdd
	}
}

// What one parser put together another reads as one that has it all would, also
// when the last fragment is not the last of the datagram.
func TestRoute(t *testing.T) {
	for name, c := range torn() {
		for last := range c.frames {
			frames := append(append([]pt.Piece{}, c.frames[:last]...), c.frames[last+1:]...)
			frames = append(frames, c.frames[last])
			alone, here, there := packet.NewParser(packet.DefaultConfig()), packet.NewParser(packet.Config{Seed: 1}), packet.NewParser(packet.DefaultConfig())
			asked := 0
			here.Route(func(l packet.Link, frame []byte) bool {
				asked++
				if l != packet.LinkEthernet || len(frame) != len(c.whole.Bytes) {
					t.Fatalf("%s: link %d, %d bytes, want %d", name, l, len(frame), len(c.whole.Bytes))
				}
				// Lengths and checksums apart.
				if d := cmp.Diff(c.whole.Bytes[len(frame)-300:], frame[len(frame)-300:]); d != "" {
					t.Fatalf("%s: %s", name, d)
				}
				return false
			})
			var want, got packet.Packet
			for i, f := range frames {
				want, got = pt.Packet(packet.Time(i), f), pt.Packet(packet.Time(i), f)
				r, q := alone.Parse(&want), here.Parse(&got)
				if final := i == len(frames)-1; !final && (r != packet.Held || q != r) || final && (r != packet.OK || q != packet.Elsewhere) {
					t.Fatalf("%s: fragment %d: %v and %v", name, i, r, q)
				}
			}
			rest := here.Rest()
			lent := rest.Frame
			rest.Frame = bytes.Clone(lent)
			spoil(lent)
			if r := there.Resume(&got, rest); r != packet.OK || asked != 1 {
				t.Fatalf("%s: %v, asked %d times", name, r, asked)
			}
			if d := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)); d != "" {
				t.Errorf("%s: %s", name, d)
			}
			// What comes next is nothing special to either.
			for _, ps := range []*packet.Parser{here, there} {
				p := pt.Packet(99, pt.Ether(inner4()))
				if r := ps.Parse(&p); r != packet.OK {
					t.Fatalf("%s: then %v", name, r)
				}
				wantInner(t, &p, packet.OK)
			}
		}
	}
}

// A fragment within what came in fragments: each is asked about.
func TestRouteNested(t *testing.T) {
	inner := pt.UDP(1, 4789, pt.VXLAN(7, pt.Ether(pt.IPv4(host4, peer4, pt.TCP(1000, 80, pt.Seg{Flags: packet.ACK, Data: pattern(200)})))))
	here, there := packet.NewParser(packet.DefaultConfig()), packet.NewParser(packet.DefaultConfig())
	var asked []int
	here.Route(func(_ packet.Link, frame []byte) bool { asked = append(asked, len(frame)); return false })
	there.Route(func(_ packet.Link, frame []byte) bool { asked = append(asked, len(frame)); return false })
	var rs []packet.Reason
	var p packet.Packet
	for i, f := range pt.Fragments6(host6, peer6, 3, 160, inner) {
		for _, o := range (pt.IP4{ID: uint16(i + 1)}).Fragments(t1, t2, 64, pt.UDP(9, 4789, pt.VXLAN(8, pt.Ether(f)))) {
			p = pt.Packet(packet.Time(i), pt.Ether(o))
			r := here.Parse(&p)
			if r == packet.Elsewhere {
				r = there.Resume(&p, here.Rest())
				rs = append(rs, r)
			}
		}
	}
	if want := []packet.Reason{packet.Held, packet.Elsewhere}; len(rs) < 2 || rs[len(rs)-1] != want[1] || rs[0] != want[0] || len(asked) != len(rs)+1 {
		t.Fatalf("%v, asked about %v", rs, asked)
	}
	if r := packet.NewParser(packet.DefaultConfig()).Resume(&p, there.Rest()); r != packet.OK || len(p.Payload) != 200 || p.Tunnel.ID != 7 {
		t.Errorf("%v, %d bytes in %v", r, len(p.Payload), p.Tunnel)
	}
}

// A parser that keeps a datagram reads on as if nobody had asked, and what holds
// no tunnel is not asked about.
func TestRouteKeeps(t *testing.T) {
	for name, c := range torn() {
		alone, here := packet.NewParser(packet.DefaultConfig()), packet.NewParser(packet.DefaultConfig())
		here.Route(func(packet.Link, []byte) bool { return true })
		for i, f := range c.frames {
			want, got := pt.Packet(packet.Time(i), f), pt.Packet(packet.Time(i), f)
			if r, q := alone.Parse(&want), here.Parse(&got); r != q {
				t.Fatalf("%s: %v and %v", name, r, q)
			}
			if d := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
	ps := packet.NewParser(packet.DefaultConfig())
	ps.Route(func(packet.Link, []byte) bool { t.Error("asked about TCP"); return false })
	rs, _ := feed(ps, 0, ethers(pt.IP4{ID: 1}.Fragments(host4, peer4, 120, bigSegment(400)))...)
	if rs[len(rs)-1] != packet.OK {
		t.Errorf("%v", rs)
	}
}

func TestRouteAllocatesNothing(t *testing.T) {
	c := torn()["vxlan v6 ether"]
	here, there := packet.NewParser(packet.DefaultConfig()), packet.NewParser(packet.DefaultConfig())
	here.Route(func(packet.Link, []byte) bool { return false })
	at := packet.Time(0)
	pass := func() {
		at += 1e9
		for _, f := range c.frames {
			p := pt.Packet(at, f)
			if here.Parse(&p) == packet.Elsewhere && there.Resume(&p, here.Rest()) != packet.OK {
				t.Fatal("not read")
			}
		}
	}
	pass()
	if n := testing.AllocsPerRun(100, pass); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzRoute holds that what is handed over is read as if it had not been.
func FuzzRoute(f *testing.F) {
	for _, c := range torn() {
		a, b := c.frames[0].Bytes, c.frames[1].Bytes
		f.Add(a, b, c.frames[len(c.frames)-1].Bytes, uint16(0), byte(0))
	}
	f.Fuzz(func(t *testing.T, a, b, c []byte, at uint16, with byte) {
		alone, here, there := packet.NewParser(packet.Config{Seed: 3}), packet.NewParser(packet.Config{Seed: 3}), packet.NewParser(packet.Config{Seed: 3})
		here.Route(func(packet.Link, []byte) bool { return false })
		for i, frame := range [][]byte{a, b, c, a} {
			frame = bytes.Clone(frame)
			if len(frame) > 0 && i == 1 {
				frame[int(at)%len(frame)] ^= with
			}
			want, got := pt.Packet(packet.Time(i), pt.Raw(frame)), pt.Packet(packet.Time(i), pt.Raw(frame))
			want.Link, got.Link = packet.LinkEthernet, packet.LinkEthernet
			r, q := alone.Parse(&want), here.Parse(&got)
			if q == packet.Elsewhere {
				rest := here.Rest()
				rest.Frame = bytes.Clone(rest.Frame)
				if q = there.Resume(&got, rest); q == packet.Held || r == packet.Held {
					return // a fragment within
				}
			}
			if r != q {
				t.Fatalf("frame %d: %v and %v", i, r, q)
			}
			if r == packet.OK {
				if x, y := fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got); x != y {
					t.Fatalf("frame %d:\n%s\n%s", i, x, y)
				}
			}
		}
	})
}

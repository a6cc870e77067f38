package packet_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func bigSegment(n int) pt.Piece {
	return pt.TCP(40000, 80, pt.Seg{Seq: 1, Flags: packet.ACK, Data: pattern(n)})
}

// feed parses frames one after the other, 1 ms apart, and returns the reasons.
func feed(ps *packet.Parser, at packet.Time, frames ...pt.Piece) (rs []packet.Reason, last packet.Packet) {
	for i, f := range frames {
		last = pt.Packet(at.Add(time.Duration(i)*time.Millisecond), f)
		rs = append(rs, ps.Parse(&last))
	}
	return rs, last
}

func ethers(ps []pt.Piece) []pt.Piece {
	for i := range ps {
		ps[i] = pt.Ether(ps[i])
	}
	return ps
}

func TestFragments(t *testing.T) {
	for _, c := range []struct {
		name string
		frag []pt.Piece
	}{
		{"IPv4", ethers(pt.IP4{ID: 7}.Fragments(host4, peer4, 1000, bigSegment(5000)))},
		{"IPv4, small", ethers(pt.IP4{ID: 7}.Fragments(host4, peer4, 8, bigSegment(300)))},
		{"IPv6", ethers(pt.Fragments6(host6, peer6, 0xffffffff, 1200, bigSegment(5000)))},
		{"largest", ethers(pt.IP4{ID: 7}.Fragments(host4, peer4, 1480, bigSegment(65535-20-20)))},
		{"inside GRE", func() (out []pt.Piece) {
			for _, f := range (pt.IP4{ID: 7}).Fragments(host4, peer4, 1000, bigSegment(5000)) {
				out = append(out, over(pt.GRE(f)))
			}
			return out
		}()},
		{"around VXLAN", ethers(pt.IP4{ID: 7}.Fragments(t1, t2, 1000, pt.UDP(1, 4789, pt.VXLAN(3, pt.Ether(pt.IPv4(host4, peer4, bigSegment(5000)))))))},
	} {
		for _, order := range []string{"forward", "backward", "shuffled", "twice"} {
			t.Run(c.name+", "+order, func(t *testing.T) {
				frames := append([]pt.Piece(nil), c.frag...)
				n, twice := len(frames), 0
				switch order {
				case "backward":
					for i := range n / 2 {
						frames[i], frames[n-1-i] = frames[n-1-i], frames[i]
					}
				case "shuffled":
					if n > 45 {
						t.Skip("more pieces than the ranges may hold")
					}
					rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
				case "twice":
					frames = nil
					for _, f := range c.frag {
						frames = append(frames, f, f)
					}
					twice = 1
				}
				ps := packet.NewParser(packet.DefaultConfig())
				var done int
				for i, f := range frames {
					p := pt.Packet(packet.Time(i), f)
					switch r := ps.Parse(&p); {
					case r == packet.OK:
						done++
						if i != len(frames)-1-twice {
							t.Fatalf("complete after %d of %d", i+1, len(frames))
						}
						size := len(p.Payload)
						if !bytes.Equal(p.Payload, pattern(size)) || size < 300-1 || p.Missing != 0 || p.Dst.Port() != 80 {
							t.Fatalf("payload of %d bytes differs, missing %d, to %v", size, p.Missing, p.Dst)
						}
					case r != packet.Held && (r != packet.FragmentDuplicate || twice == 0):
						t.Fatalf("fragment %d: %v", i, r)
					}
				}
				s := ps.FragmentStats()
				if done != 1 || s.Datagrams != 1 || s.Completed != uint64(n-1) || s.Pending != 0 {
					t.Errorf("%d done, %+v", done, s)
				}
			})
		}
	}
}

func TestFragmentsThatContradict(t *testing.T) {
	h := pt.IP4{ID: 3}
	data := pattern(64)
	frag := func(off int, more bool, b []byte) pt.Piece {
		return pt.Ether(h.Fragment(host4, peer4, off, more, pt.Raw(b).As(0, packet.UDP)))
	}
	head := append([]byte{0x9c, 0x40, 0, 53, 0, 72, 0, 0}, data...) // a datagram of 72 bytes
	other := bytes.Repeat([]byte{'!'}, 72)
	ok, held, bad, dup := packet.OK, packet.Held, packet.FragmentBad, packet.FragmentDuplicate
	for _, c := range []struct {
		name   string
		frames []pt.Piece
		want   []packet.Reason
	}{
		{"plain", []pt.Piece{frag(0, true, head[:32]), frag(32, false, head[32:])}, []packet.Reason{held, ok}},
		{"same bytes again", []pt.Piece{frag(0, true, head[:32]), frag(16, true, head[16:48]), frag(40, false, head[40:])}, []packet.Reason{held, held, ok}},
		{"other bytes, first wins", []pt.Piece{frag(0, true, head[:32]), frag(16, true, append(append([]byte{}, other[:16]...), head[32:48]...)), frag(48, false, head[48:])}, []packet.Reason{held, bad, ok}},
		{"other bytes, completing", []pt.Piece{frag(0, true, head[:32]), frag(48, false, head[48:]), frag(16, true, append(append([]byte{}, other[:16]...), head[32:48]...))}, []packet.Reason{held, held, ok}},
		{"other bytes and nothing new", []pt.Piece{frag(0, true, head[:32]), frag(8, true, other[:16]), frag(32, false, head[32:])}, []packet.Reason{held, bad, ok}},
		{"repeated", []pt.Piece{frag(0, true, head[:32]), frag(0, true, head[:32]), frag(32, false, head[32:]), frag(32, false, head[32:])}, []packet.Reason{held, dup, ok, dup}},
		{"a hole filled", []pt.Piece{frag(0, true, head[:16]), frag(32, true, head[32:48]), frag(0, true, head[:48]), frag(48, false, head[48:])}, []packet.Reason{held, held, held, ok}},
		{"two ends", []pt.Piece{frag(64, false, head[64:]), frag(48, false, head[48:56]), frag(0, true, head[:64])}, []packet.Reason{held, bad, ok}},
		{"behind the end", []pt.Piece{frag(64, false, head[64:]), frag(72, true, other[:8]), frag(0, true, head[:64])}, []packet.Reason{held, bad, ok}},
		{"end before what is held", []pt.Piece{frag(0, true, head[:64]), frag(48, false, head[48:56]), frag(64, false, head[64:])}, []packet.Reason{held, bad, ok}},
		{"length not of eights", []pt.Piece{frag(0, true, head[:31])}, []packet.Reason{bad}},
		{"empty", []pt.Piece{frag(8, true, nil)}, []packet.Reason{bad}},
		{"behind 65535", []pt.Piece{frag(65528, false, head[:16])}, []packet.Reason{bad}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ps := packet.NewParser(packet.DefaultConfig())
			rs, p := feed(ps, 0, c.frames...)
			if fmt.Sprint(rs) != fmt.Sprint(c.want) {
				t.Fatalf("%v, want %v", rs, c.want)
			}
			if rs[len(rs)-1] == packet.OK && (p.Src.Port() != 40000 || !bytes.Equal(p.Payload, data)) {
				t.Errorf("%v, payload %q", p.Src, p.Payload)
			}
		})
	}
}

func TestFragmentsCutBySnaplen(t *testing.T) {
	ps := packet.NewParser(packet.DefaultConfig())
	frames := ethers(pt.IP4{ID: 7}.Fragments(host4, peer4, 1000, bigSegment(2500)))
	var p packet.Packet
	var r packet.Reason
	for i, f := range frames {
		p = pt.Packet(packet.Time(i), f)
		if i == 1 {
			p.Data = p.Data[:len(p.Data)-100]
		}
		r = ps.Parse(&p)
	}
	if r != packet.OK || len(p.Payload) != 2000-20-100 || p.Missing != 2500-(2000-20-100) || !bytes.Equal(p.Payload, pattern(len(p.Payload))) {
		t.Errorf("%v payload %d missing %d", r, len(p.Payload), p.Missing)
	}
}

func TestFragmentTimeAndReuse(t *testing.T) {
	ps := packet.NewParser(packet.Config{FragmentTimeout: 10 * time.Second})
	one := ethers(pt.IP4{ID: 7}.Fragments(host4, peer4, 1000, bigSegment(1500)))
	two := ethers(pt.IP4{ID: 7}.Fragments(host4, peer4, 1000, pt.TCP(40000, 80, pt.Seg{Data: bytes.Repeat([]byte{'x'}, 1500)})))
	at := func(sec int) packet.Time { return packet.Time(sec) * packet.Time(time.Second) }
	expect := func(now packet.Time, f pt.Piece, want packet.Reason) packet.Packet {
		t.Helper()
		p := pt.Packet(now, f)
		if r := ps.Parse(&p); r != want {
			t.Errorf("%v, want %v", r, want)
		}
		return p
	}
	expect(at(0), one[0], packet.Held)
	expect(at(11), one[1], packet.Held) // the first is too old
	expect(at(12), one[0], packet.OK)
	expect(at(13), one[0], packet.Held) // and is no copy any more
	expect(at(15), two[0], packet.Held)
	p := expect(at(15), two[1], packet.OK)
	if p.Payload[0] != 'x' || p.Payload[1499] != 'x' {
		t.Error("bytes of two datagrams are mixed")
	}
	s := ps.FragmentStats()
	if s.Expired != 1 || s.Replaced != 1 || s.Completed != 2 || s.Pending != 0 {
		t.Errorf("%+v", s)
	}
}

// However many fragments come, the bounds hold and the counts add up.
func TestFragmentBounds(t *testing.T) {
	cfg := packet.Config{FragmentBytes: 256 << 10, FragmentDatagrams: 100}
	ps := packet.NewParser(cfg)
	rng := rand.New(rand.NewPCG(3, 4))
	var count [packet.Reasons]uint64
	for i := range 20000 {
		off, size := rng.IntN(8190)*8, 8+rng.IntN(180)*8
		size = min(size, 65528-off)
		f := pt.IP4{ID: uint16(rng.IntN(400))}.Fragment(host4, peer4, off, rng.IntN(4) > 0, pt.Raw(make([]byte, max(size, 8))).As(0, packet.UDP))
		if rng.IntN(3) == 0 {
			f = pt.IPv6(host6, peer6, pt.Raw(append([]byte{17, 0, byte(off >> 8), byte(off) | 1, 0, 0, byte(i >> 8), byte(i)}, make([]byte, 16)...)).As(0, 44))
		}
		p := pt.Packet(packet.Time(i)*packet.Time(time.Millisecond), pt.Ether(f))
		count[ps.Parse(&p)]++
		s := ps.FragmentStats()
		if s.Bytes > cfg.FragmentBytes {
			t.Fatalf("%d bytes held, the bound is %d", s.Bytes, cfg.FragmentBytes)
		}
		if got := s.Completed + s.Expired + s.Shed + s.Replaced + s.Pending; got != count[packet.Held] {
			t.Fatalf("frame %d: %d frames accounted for, %d held: %+v", i, got, count[packet.Held], s)
		}
	}
	if s := ps.FragmentStats(); s.Shed == 0 || s.Pending == 0 {
		t.Errorf("the bounds were never hit: %+v", s)
	}
}

func TestAllocations(t *testing.T) {
	ps := packet.NewParser(packet.DefaultConfig())
	part := packet.NewPartitioner(packet.DefaultConfig())
	frames := []pt.Piece{pt.Ether(inner4()), pt.Ether(pt.VLAN(3, inner6())), overUDP(4789, pt.VXLAN(9, pt.Ether(inner4()))),
		overUDP(4789, pt.Text("no VXLAN at all")), over(pt.GRE(inner4())), pt.Ether(pt.MPLS(pt.Ether(inner4()), 5)), overUDP(1701, pt.L2TP(1, 2, inner6()))}
	frames = append(frames, ethers(pt.IP4{ID: 7}.Fragments(host4, peer4, 1000, bigSegment(5000)))...)
	frames = append(frames, ethers(pt.IP4{ID: 8}.Fragments(t1, t2, 1000, pt.UDP(1, 4789, pt.VXLAN(3, pt.Ether(pt.IPv4(host4, peer4, bigSegment(5000)))))))...)
	now := packet.Time(0)
	run := func() {
		for _, f := range frames {
			p := pt.Packet(now, f)
			if r := ps.Parse(&p); r != packet.OK && r != packet.Held {
				t.Fatal(r)
			}
			part.Key(&p)
		}
		now += packet.Time(time.Second)
	}
	for range 10 {
		run()
	}
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations for %d frames, want none", n, len(frames))
	}
}

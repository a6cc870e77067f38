package packet_test

import (
	"bytes"
	"testing"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

// within tells whether part is a piece of whole.
func within(whole, part []byte) bool {
	if len(part) == 0 {
		return true
	}
	for i := range whole {
		if &whole[i] == &part[0] {
			return i+len(part) <= len(whole)
		}
	}
	return false
}

func FuzzParse(f *testing.F) {
	for _, in := range []pt.Piece{inner4(), inner6(), pt.MPLS(pt.ControlWord(1, pt.Ether(inner4())), 3), pt.PPPoE(1, inner6()), pt.VLAN(3, inner4()),
		pt.IPv4(t1, t2, pt.GRE(inner4())), pt.IPv4(t1, t2, pt.ERSPAN(3, 1, pt.Ether(inner4()))), pt.IPv4(t1, t2, pt.UDP(1, 4789, pt.VXLAN(1, pt.Ether(inner4())))),
		pt.IPv4(t1, t2, pt.UDP(1, 1701, pt.L2TP(1, 2, inner4()))), pt.IPv4(t1, t2, pt.UDP(1, 2152, pt.GTPU(1, inner4()))),
		pt.IPv4(t1, t2, pt.UDP(1, 6081, pt.GENEVE(1, make([]byte, 8), inner4()))), pt.IPv4(t1, t2, pt.UDP(1, 3544, pt.Teredo(inner6())))} {
		f.Add(uint16(1), pt.Ether(in).Bytes, uint16(0))
		f.Add(uint16(113), pt.SLL(in).Bytes, uint16(9))
	}
	for _, link := range []uint16{0, 7, 8, 9, 10, 50, 51, 100, 101, 104, 105, 107, 117, 119, 123, 127, 129, 137, 163, 192, 239, 258, 276} {
		f.Add(link, append([]byte{0x0f, 0, 8, 0}, inner4().Bytes...), uint16(0))
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte, more uint16) {
		ps := packet.NewParser(packet.Config{FragmentBytes: 128 << 10})
		p := packet.Packet{Data: data, Length: len(data) + int(more), Link: packet.Link(link)}
		r := ps.Parse(&p)
		if r == packet.OK {
			if !p.Src.IsValid() || !p.Dst.IsValid() || p.Src.Addr().Is4() != p.Dst.Addr().Is4() {
				t.Fatalf("%v > %v", p.Src, p.Dst)
			}
			if p.Proto != packet.TCP && p.Proto != packet.UDP && p.Proto != packet.SCTP {
				t.Fatalf("protocol %v", p.Proto)
			}
			if p.Missing < 0 || p.Missing > int(more) || !within(data, p.Payload) {
				t.Fatalf("payload %d missing %d of %d+%d", len(p.Payload), p.Missing, len(data), more)
			}
		}
		q := p
		switch again := ps.Parse(&q); {
		case r == packet.OK && (again != r || q.Src != p.Src || q.Dst != p.Dst || q.Hash != p.Hash || q.Tunnel != p.Tunnel || !bytes.Equal(q.Payload, p.Payload)):
			t.Fatalf("parsed twice: %v %+v, then %v %+v", r, p, again, q)
		case r != packet.OK && r != packet.Held && again != r:
			t.Fatalf("parsed twice: %v, then %v", r, again)
		}
		packet.NewPartitioner(packet.Config{}).Key(&q)
	})
}

// model reassembles one datagram in the plainest way: a byte belongs to the
// first fragment that brought it.
type model struct {
	data  [1024]byte
	have  [1024]bool
	total int
}

// add returns the datagram where it is complete.
func (m *model) add(off int, more bool, b []byte) ([]byte, packet.Reason) {
	end := off + len(b)
	if len(b) == 0 || more && len(b)%8 != 0 || end > 65535 {
		return nil, packet.FragmentBad
	}
	last := 0
	for i := range m.have {
		if m.have[i] {
			last = i + 1
		}
	}
	if m.total >= 0 && (end > m.total || !more && end != m.total || more && end == m.total) || !more && last > end {
		return nil, packet.FragmentBad
	}
	r, fresh := packet.FragmentDuplicate, 0
	for i, c := range b {
		switch {
		case !m.have[off+i]:
			m.have[off+i], m.data[off+i] = true, c
			fresh++
		case m.data[off+i] != c:
			r = packet.FragmentBad
		}
	}
	if (fresh > 0 || !more && m.total < 0) && r == packet.FragmentDuplicate {
		r = packet.Held
	}
	if !more {
		m.total = end
	}
	if m.total < 0 {
		return nil, r
	}
	for i := range m.total {
		if !m.have[i] {
			return nil, r
		}
	}
	return m.data[:m.total], packet.OK
}

// FuzzFragments compares reassembly with the model: pairs of bytes in the
// input say where a fragment lies, how long it is, and what it holds.
func FuzzFragments(f *testing.F) {
	f.Add([]byte{0x00, 0x84, 0x04, 0x04})
	f.Add([]byte{0x04, 0x04, 0x00, 0x84, 0x02, 0xa3})
	f.Add([]byte{0x01, 0x81, 0x03, 0x82, 0x02, 0x81, 0x05, 0x01, 0x00, 0x81})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 120 {
			return
		}
		ps := packet.NewParser(packet.DefaultConfig())
		m := &model{total: -1}
		for n := 0; n+1 < len(script); n += 2 {
			off, size, more := int(script[n]&63)*8, int(script[n+1]&31)*8, script[n+1]&0x80 != 0
			if !more {
				size += int(script[n] >> 6)
			}
			b := bytes.Repeat([]byte{'a'}, size)
			if script[n+1]&0x40 != 0 && size > 0 {
				b[size/2] = 'b'
			}
			if off == 0 && size >= 8 {
				copy(b, []byte{0, 1, 0, 2, 0, 0, 0, 0}) // UDP without a length
			}
			p := pt.Packet(packet.Time(n), pt.Ether(pt.IP4{ID: 1}.Fragment(host4, peer4, off, more, pt.Raw(b).As(0, packet.UDP))))
			if off == 0 && !more {
				return // no fragment
			}
			r := ps.Parse(&p)
			want, reason := m.add(off, more, b)
			if want != nil {
				if len(want) < 8 || r == packet.Malformed {
					return
				}
				if r != packet.OK || !bytes.Equal(p.Payload, want[8:]) {
					t.Fatalf("fragment %d: %v, want the datagram\n%q\n%q", n/2, r, p.Payload, want[8:])
				}
				return
			}
			if r != reason {
				t.Fatalf("fragment %d (%d+%d %v): %v, want %v", n/2, off, size, more, r, reason)
			}
		}
	})
}

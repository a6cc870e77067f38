// Package oracle compares the project's decoders with those of other projects.
// It is a module of its own, so that the product does not depend on them.
package oracle

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

func address(r *rand.Rand, six bool) string {
	var b [16]byte
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	if six {
		b[0] = 0x20
		return netip.AddrFrom16(b).String()
	}
	return netip.AddrFrom4([4]byte(b[:4])).String()
}

// port avoids those that name a tunnel or that gopacket decodes further.
func port(r *rand.Rand) uint16 { return uint16(20000 + r.IntN(40000)) }

func ip(r *rand.Rand, in pt.Piece) pt.Piece {
	six := r.IntN(2) == 0
	src, dst := address(r, six), address(r, six)
	switch {
	case six && r.IntN(4) == 0:
		return pt.IPv6(src, dst, pt.Extension(0, pt.Extension(60, in)))
	case six:
		return pt.IPv6(src, dst, in)
	case r.IntN(4) == 0:
		return pt.IP4{Options: make([]byte, 4*r.IntN(4))}.Wrap(src, dst, in)
	}
	return pt.IPv4(src, dst, in)
}

func transport(r *rand.Rand) pt.Piece {
	data := make([]byte, r.IntN(200))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	switch r.IntN(3) {
	case 0:
		return pt.UDP(port(r), port(r), pt.Raw(data))
	default:
		opt := bytes.Repeat([]byte{1}, 4*r.IntN(10))
		return pt.TCP(port(r), port(r), pt.Seg{Seq: r.Uint32(), Ack: r.Uint32(), Flags: packet.Flags(r.Uint32()), Options: opt, Data: data})
	}
}

// wrap puts one random tunnel around an IP packet.
func wrap(r *rand.Rand, in pt.Piece) pt.Piece {
	key, seq := r.Uint32(), r.Uint32()
	switch r.IntN(9) {
	case 0:
		return ip(r, in)
	case 1:
		return ip(r, pt.GRE(in))
	case 2:
		return ip(r, pt.GREFields{Key: &key, Seq: &seq, Checksum: r.IntN(2) == 0}.Wrap(in))
	case 3:
		return ip(r, pt.GREFields{Key: &key}.Wrap(frame(r, in)))
	case 4:
		return ip(r, pt.UDP(port(r), 4789, pt.VXLAN(r.Uint32()>>8, frame(r, in))))
	case 5:
		return ip(r, pt.UDP(port(r), 6081, pt.GENEVE(r.Uint32()>>8, nil, frame(r, in))))
	case 6:
		return ip(r, pt.UDP(port(r), 2152, pt.GTPU(r.Uint32(), in)))
	case 7:
		return ip(r, pt.ERSPAN(2, 5, frame(r, in)))
	}
	return in
}

func frame(r *rand.Rand, in pt.Piece) pt.Piece {
	switch r.IntN(8) {
	case 0:
		in = pt.VLAN(uint16(r.IntN(4096)), in)
	case 1:
		in = pt.Tag(0x88a8, uint16(r.IntN(4096)), pt.VLAN(uint16(r.IntN(4096)), in))
	case 2:
		in = pt.PPPoE(uint16(r.Uint32()), in)
	case 3:
		in = pt.MPLS(in, 16+r.Uint32()>>14, 16+r.Uint32()>>14)
	case 4:
		return pt.SNAP(in)
	}
	if r.IntN(4) == 0 {
		return pt.Pad(100+r.IntN(400), pt.Ether(in))
	}
	return pt.Ether(in)
}

// innermost returns what gopacket found last.
func innermost(b []byte, link gopacket.Decoder) (src, dst netip.AddrPort, proto packet.Proto, payload []byte, ok bool) {
	pk := gopacket.NewPacket(b, link, gopacket.DecodeOptions{NoCopy: true, Lazy: false})
	var a, z netip.Addr
	for _, l := range pk.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			a, _ = netip.AddrFromSlice(l.SrcIP)
			z, _ = netip.AddrFromSlice(l.DstIP)
			proto = 0
		case *layers.IPv6:
			a, _ = netip.AddrFromSlice(l.SrcIP)
			z, _ = netip.AddrFromSlice(l.DstIP)
			proto = 0
		case *layers.TCP:
			src, dst = netip.AddrPortFrom(a, uint16(l.SrcPort)), netip.AddrPortFrom(z, uint16(l.DstPort))
			proto, payload = packet.TCP, l.Payload
		case *layers.UDP:
			src, dst = netip.AddrPortFrom(a, uint16(l.SrcPort)), netip.AddrPortFrom(z, uint16(l.DstPort))
			proto, payload = packet.UDP, l.Payload
		}
	}
	return src, dst, proto, payload, proto != 0 && pk.ErrorLayer() == nil
}

// TestFrames builds random frames of up to four encapsulations and asks both.
func TestFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	ps := packet.NewParser(packet.DefaultConfig())
	compared := 0
	for n := range 20000 {
		in := ip(r, transport(r))
		for range r.IntN(packet.MaxDepth + 1) {
			if len(in.Bytes) < 1000 {
				in = wrap(r, in)
			}
		}
		f, link, decoder := frame(r, in), packet.LinkEthernet, gopacket.Decoder(layers.LinkTypeEthernet)
		switch r.IntN(5) {
		case 0:
			f, link, decoder = pt.SLL(in), packet.LinkSLL, layers.LinkTypeLinuxSLL
		case 1:
			f, link, decoder = in, packet.LinkRaw, layers.LinkTypeRaw
		}
		p := packet.Packet{Data: f.Bytes, Length: len(f.Bytes), Link: link}
		reason := ps.Parse(&p)
		src, dst, proto, payload, ok := innermost(f.Bytes, decoder)
		if reason != packet.OK {
			t.Fatalf("frame %d: %v\n%x", n, reason, f.Bytes)
		}
		if !ok {
			continue
		}
		compared++
		if p.Src != src || p.Dst != dst || p.Proto != proto || !bytes.Equal(p.Payload, payload) {
			t.Fatalf("frame %d: %v > %v %v %d bytes, gopacket has %v > %v %v %d bytes\n%x", n, p.Src, p.Dst, p.Proto, len(p.Payload), src, dst, proto, len(payload), f.Bytes)
		}
	}
	if compared < 15000 {
		t.Errorf("gopacket read %d of 20000 frames", compared)
	}
}

// TestDamagedFrames changes bytes: where both still read a frame to its end,
// they must read the same. Three differences are meant. A datagram whose tunnel
// header is damaged stays a plain one here; gopacket goes on. And gopacket does
// not look at the version of IPv6, the organization in a SNAP header or a
// length shorter than a UDP header.
func TestDamagedFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	both, plain, alone := 0, 0, 0
	for n := range 40000 {
		in := ip(r, transport(r))
		if r.IntN(2) == 0 {
			in = wrap(r, in)
		}
		b := bytes.Clone(frame(r, in).Bytes)
		for range 1 + r.IntN(2) {
			b[r.IntN(min(len(b), 80))] = byte(r.Uint32())
		}
		p := packet.Packet{Data: b, Length: len(b), Link: packet.LinkEthernet}
		reason := packet.NewParser(packet.DefaultConfig()).Parse(&p)
		src, dst, proto, payload, ok := innermost(b, layers.LinkTypeEthernet)
		switch {
		case reason == packet.OK && ok:
			both++
			if p.Src == src && p.Dst == dst && p.Proto == proto && bytes.Equal(p.Payload, payload) {
				continue
			}
			if port := p.Dst.Port(); p.Proto == packet.UDP && p.Tunnel.Kind == packet.NoTunnel && (port == 4789 || port == 6081 || port == 2152) {
				plain++
				continue
			}
			t.Errorf("frame %d: %v > %v %v %v %d bytes, gopacket has %v > %v %v %d bytes\n%x", n, p.Src, p.Dst, p.Proto, p.Tunnel, len(p.Payload), src, dst, proto, len(payload), b)
		case ok:
			alone++
		}
	}
	if both < 30000 || plain > 200 || alone > 1500 {
		t.Errorf("%d read by both, %d stayed plain datagrams, %d read by gopacket alone", both, plain, alone)
	}
}

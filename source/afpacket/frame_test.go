package afpacket

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Frames are put together inside out: ether(0x0800, ip4(a, b, 17, udp(1, 2, data))).

func bytes16(v ...uint16) []byte {
	var b []byte
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return b
}

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func ether(kind uint16, payload []byte) []byte {
	return cat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, bytes16(kind), payload)
}

func tagged(tpid, vlan, kind uint16, payload []byte) []byte {
	return cat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, bytes16(tpid, vlan, kind), payload)
}

func ip4(src, dst string, proto byte, payload []byte) []byte {
	return ip4frag(src, dst, proto, 0, 0, nil, payload)
}

func ip4frag(src, dst string, proto byte, id, fragment uint16, options, payload []byte) []byte {
	h := make([]byte, 20, 20+len(options)+len(payload))
	h[0] = 0x45 + byte(len(options)/4)
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(options)+len(payload)))
	binary.BigEndian.PutUint16(h[4:], id)
	binary.BigEndian.PutUint16(h[6:], fragment)
	h[8], h[9] = 64, proto
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(h[12:], s[:])
	copy(h[16:], d[:])
	h = append(h, options...)
	sum := uint32(0)
	for i := 0; i < len(h); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(h[10:], ^uint16(sum))
	return append(h, payload...)
}

func ip6(src, dst string, next byte, payload []byte) []byte {
	h := make([]byte, 40, 40+len(payload))
	h[0] = 0x60
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	h[6], h[7] = next, 64
	s, d := netip.MustParseAddr(src).As16(), netip.MustParseAddr(dst).As16()
	copy(h[8:], s[:])
	copy(h[24:], d[:])
	return append(h, payload...)
}

func udp(src, dst uint16, payload []byte) []byte {
	return cat(bytes16(src, dst, uint16(8+len(payload)), 0), payload)
}

func tcp(src, dst uint16, payload []byte) []byte {
	return cat(bytes16(src, dst, 0, 1, 0, 1, 0x5018, 1000, 0, 0), payload)
}

func vxlan(src uint16, inner []byte) []byte {
	return udp(src, 4789, cat([]byte{8, 0, 0, 0, 0, 0, 42, 0}, inner))
}

func geneve(src uint16, options []byte, kind uint16, inner []byte) []byte {
	return udp(src, 6081, cat([]byte{byte(len(options) / 4), 0}, bytes16(kind), []byte{0, 0, 42, 0}, options, inner))
}

func gre(flags, kind uint16, extra, inner []byte) []byte {
	return cat(bytes16(flags, kind), extra, inner)
}

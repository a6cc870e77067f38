package mirror

import (
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/passiflow/passiflow/packet"
)

// convert sets what the flow table needs of x: its first TCP header, the IP
// header before it, and what they carry. It reports whether there are any.
func (s *session) convert(x gopacket.Packet, p *packet.Packet) bool {
	var src, dst netip.Addr
	missing := 0 // of the IP payload: the snaplen cut it
	for _, l := range x.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			src, _ = netip.AddrFromSlice(l.SrcIP)
			dst, _ = netip.AddrFromSlice(l.DstIP)
			missing = int(l.Length) - 4*int(l.IHL) - len(l.Payload)
		case *layers.IPv6:
			src, _ = netip.AddrFromSlice(l.SrcIP)
			dst, _ = netip.AddrFromSlice(l.DstIP)
			missing = int(l.Length) - len(l.Payload)
		case *layers.TCP:
			if !src.IsValid() || !dst.IsValid() {
				return false
			}
			m := x.Metadata()
			at := m.Timestamp
			if at.IsZero() {
				at = time.Now()
			}
			p.Time = packet.Time(at.UnixNano())
			p.Src, p.Dst = netip.AddrPortFrom(src.Unmap(), uint16(l.SrcPort)), netip.AddrPortFrom(dst.Unmap(), uint16(l.DstPort))
			p.Proto = packet.TCP
			p.Hash = maphash.Comparable(s.seed, p.Src) + maphash.Comparable(s.seed, p.Dst)
			p.TCP = packet.TCPHeader{Seq: l.Seq, Ack: l.Ack, Flags: flags(l)}
			p.Payload = l.Payload
			// What was captured whole and announces more lies.
			p.Missing = max(min(missing, m.Length-m.CaptureLength), 0)
			return true
		}
	}
	return false
}

func flags(l *layers.TCP) (f packet.Flags) {
	for _, b := range [...]struct {
		set bool
		bit packet.Flags
	}{{l.FIN, packet.FIN}, {l.SYN, packet.SYN}, {l.RST, packet.RST}, {l.PSH, packet.PSH}, {l.ACK, packet.ACK}, {l.URG, packet.URG}, {l.ECE, packet.ECE}, {l.CWR, packet.CWR}} {
		if b.set {
			f |= b.bit
		}
	}
	return f
}

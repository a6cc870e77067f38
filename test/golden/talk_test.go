package golden

import (
	"net/netip"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

// talk is a TCP connection on a tape, of which anything can go wrong. Sides are
// 0, who asks, and 1, who answers.
type talk struct {
	*pt.Tape
	at   [2]netip.AddrPort
	next [2]uint32
	ack  [2]uint32 // what a side has received
	size int       // of a segment, at most
	wrap func(pt.Piece) pt.Piece
	ip   func(src, dst string, in pt.Piece) pt.Piece
}

func begin(t *pt.Tape, client, server string) *talk {
	k := &talk{Tape: t, next: [2]uint32{1000, 900_000}, ack: [2]uint32{900_000, 1000}, size: 1400, wrap: pt.Ether, ip: pt.IPv4}
	k.at = [2]netip.AddrPort{netip.MustParseAddrPort(client), netip.MustParseAddrPort(server)}
	if k.at[0].Addr().Is6() {
		k.ip = pt.IPv6
	}
	return k
}

// open begins a connection with its handshake.
func open(t *pt.Tape) *talk { return begin(t, "10.0.0.1:40000", "10.0.0.2:80").shake() }

func (k *talk) shake() *talk {
	k.send(0, packet.SYN, "")
	k.send(1, packet.SYN|packet.ACK, "")
	k.send(0, packet.ACK, "")
	return k
}

// send adds one segment.
func (k *talk) send(from int, flags packet.Flags, data string) {
	k.put(from, k.next[from], flags, data)
	k.next[from] += uint32(len(data))
	if flags&(packet.SYN|packet.FIN) != 0 {
		k.next[from]++
	}
	k.ack[1-from] = k.next[from]
}

// put adds one segment that stands anywhere.
func (k *talk) put(from int, seq uint32, flags packet.Flags, data string) {
	s := pt.Seg{Seq: seq, Flags: flags, Data: []byte(data)}
	if flags&packet.ACK != 0 {
		s.Ack = k.ack[from]
	}
	src, dst := k.at[from], k.at[1-from]
	k.Frame(k.wrap(k.ip(src.Addr().String(), dst.Addr().String(), pt.TCP(src.Port(), dst.Port(), s))))
}

// say sends data in segments; the other side acknowledges it.
func (k *talk) say(from int, data string) *talk {
	for data != "" {
		n := min(len(data), k.size)
		k.send(from, packet.ACK|packet.PSH, data[:n])
		data = data[n:]
	}
	k.send(1-from, packet.ACK, "")
	return k
}

// ask and answer are what the two sides say.
func (k *talk) ask(data string) *talk    { return k.say(0, data) }
func (k *talk) answer(data string) *talk { return k.say(1, data) }

// lose is what a side said, and the other received, and the capture missed.
func (k *talk) lose(from int, data string) *talk {
	k.next[from] += uint32(len(data))
	k.ack[1-from] = k.next[from]
	return k
}

func (k *talk) close() {
	k.send(0, packet.FIN|packet.ACK, "")
	k.send(1, packet.FIN|packet.ACK, "")
	k.send(0, packet.ACK, "")
}

package flow

import (
	"net/netip"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// quiet is a stream that does nothing.
type quiet struct{}

func (quiet) Chunk(*Chunk) packet.Time     { return 0 }
func (quiet) Tick(packet.Time) packet.Time { return 0 }
func (quiet) Close(Reason)                 {}

// pair returns the two ends of the i-th conversation of a benchmark.
func pair(i int) (client, server netip.AddrPort) {
	a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	return netip.AddrPortFrom(a, uint16(20000+i%40000)), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 200, 0, 1}), 80)
}

// scramble stands for the hash that the parser computes.
func scramble(i int) uint64 {
	h := uint64(i+1) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return h ^ h>>32
}

// BenchmarkInOrder is one packet of 3,000 conversations that take turns.
func BenchmarkInOrder(b *testing.B) {
	const flows = 3000
	t := NewTable(DefaultConfig(), func(*Flow) Stream { return quiet{} }, nil)
	payload := make([]byte, 1200)
	packets := make([]packet.Packet, flows)
	now := packet.Time(1e18)
	for i := range packets {
		c, s := pair(i)
		packets[i] = packet.Packet{Time: now, Src: c, Dst: s, Proto: packet.TCP, Hash: scramble(i),
			TCP: packet.TCPHeader{Seq: uint32(i), Flags: packet.SYN}}
		t.Packet(&packets[i])
		packets[i].Src, packets[i].Dst = s, c
		packets[i].TCP = packet.TCPHeader{Seq: 77, Ack: uint32(i) + 1, Flags: packet.SYN | packet.ACK}
		t.Packet(&packets[i])
		packets[i].Src, packets[i].Dst = c, s
		packets[i].TCP = packet.TCPHeader{Seq: uint32(i) + 1, Ack: 78, Flags: packet.ACK}
		packets[i].Payload = payload
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		p := &packets[i]
		now += 1000
		p.Time = now
		t.Packet(p)
		p.TCP.Seq += uint32(len(payload))
		if i++; i == flows {
			i = 0
		}
	}
}

// BenchmarkBurst is the same with eight packets of a conversation in a row, as
// a capture has them.
func BenchmarkBurst(b *testing.B) {
	const flows = 3000
	t := NewTable(DefaultConfig(), func(*Flow) Stream { return quiet{} }, nil)
	payload := make([]byte, 1200)
	packets := make([]packet.Packet, flows)
	now := packet.Time(1e18)
	for i := range packets {
		c, s := pair(i)
		packets[i] = packet.Packet{Time: now, Src: c, Dst: s, Proto: packet.TCP, Hash: scramble(i),
			TCP: packet.TCPHeader{Seq: uint32(i), Flags: packet.SYN}}
		t.Packet(&packets[i])
		packets[i].TCP = packet.TCPHeader{Seq: uint32(i) + 1, Ack: 78, Flags: packet.ACK}
		packets[i].Payload = payload
	}
	b.ReportAllocs()
	i, n := 0, 0
	for b.Loop() {
		p := &packets[i]
		now += 1000
		p.Time = now
		t.Packet(p)
		p.TCP.Seq += uint32(len(payload))
		if n++; n == 8 {
			n = 0
			if i++; i == flows {
				i = 0
			}
		}
	}
}

// BenchmarkChurn is one whole conversation: handshake, request, answer, close.
func BenchmarkChurn(b *testing.B) {
	t := NewTable(DefaultConfig(), func(*Flow) Stream { return quiet{} }, nil)
	payload := make([]byte, 300)
	now := packet.Time(1e18)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c, s := pair(i)
		i++
		h := scramble(i)
		send := func(from, to netip.AddrPort, seq, ack uint32, f packet.Flags, data []byte) {
			now += 2000
			t.Packet(&packet.Packet{Time: now, Src: from, Dst: to, Proto: packet.TCP, Hash: h, Payload: data,
				TCP: packet.TCPHeader{Seq: seq, Ack: ack, Flags: f}})
		}
		send(c, s, 100, 0, packet.SYN, nil)
		send(s, c, 500, 101, packet.SYN|packet.ACK, nil)
		send(c, s, 101, 501, packet.ACK, nil)
		send(c, s, 101, 501, packet.ACK, payload)
		send(s, c, 501, 401, packet.ACK, payload)
		send(c, s, 401, 801, packet.ACK|packet.FIN, nil)
		send(s, c, 801, 402, packet.ACK|packet.FIN, nil)
		send(c, s, 402, 802, packet.ACK, nil)
	}
}

// BenchmarkAckFirst is one segment whose acknowledgement, with data of the other
// side, was captured before it.
func BenchmarkAckFirst(b *testing.B) {
	t := NewTable(DefaultConfig(), func(*Flow) Stream { return quiet{} }, nil)
	payload := make([]byte, 500)
	c, s := pair(1)
	p := packet.Packet{Time: 1e18, Src: c, Dst: s, Proto: packet.TCP, Hash: 1, TCP: packet.TCPHeader{Seq: 100, Flags: packet.SYN}}
	t.Packet(&p)
	q := packet.Packet{Time: 1e18, Src: s, Dst: c, Proto: packet.TCP, Hash: 1, TCP: packet.TCPHeader{Seq: 500, Ack: 101, Flags: packet.SYN | packet.ACK}}
	t.Packet(&q)
	p.TCP = packet.TCPHeader{Seq: 101, Ack: 501, Flags: packet.ACK}
	q.TCP = packet.TCPHeader{Seq: 501, Ack: 101, Flags: packet.ACK}
	p.Payload, q.Payload = payload, payload
	b.ReportAllocs()
	for b.Loop() {
		q.Time += 1000
		q.TCP.Ack += 500
		t.Packet(&q)
		p.Time = q.Time + 10
		t.Packet(&p)
		p.TCP.Seq += 500
		q.TCP.Seq += 500
		p.TCP.Ack = q.TCP.Seq
	}
}

package packettest

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/passiflow/passiflow/packet"
)

// Tape is a capture in the making. Its clock starts at a fixed moment, so that
// the same calls give the same bytes.
type Tape struct {
	now   packet.Time
	bytes []byte
}

// NewTape returns an empty tape of Ethernet frames.
func NewTape() *Tape {
	t := &Tape{now: packet.Time(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())}
	le := binary.LittleEndian
	t.bytes = le.AppendUint32(t.bytes, 0xa1b23c4d) // pcap with nanoseconds
	t.bytes = le.AppendUint16(t.bytes, 2)
	t.bytes = le.AppendUint16(t.bytes, 4)
	t.bytes = le.AppendUint64(t.bytes, 0)
	t.bytes = le.AppendUint32(t.bytes, 1<<18)
	t.bytes = le.AppendUint32(t.bytes, uint32(packet.LinkEthernet))
	return t
}

// Bytes returns the capture as a pcap file.
func (t *Tape) Bytes() []byte { return t.bytes }

// Wait lets time pass before the next frame.
func (t *Tape) Wait(d time.Duration) { t.now = t.now.Add(d) }

// Frame adds one frame, a millisecond after the one before.
func (t *Tape) Frame(f Piece) {
	t.Wait(time.Millisecond)
	le := binary.LittleEndian
	t.bytes = le.AppendUint32(t.bytes, uint32(t.now/1e9))
	t.bytes = le.AppendUint32(t.bytes, uint32(t.now%1e9))
	t.bytes = le.AppendUint32(t.bytes, uint32(len(f.Bytes)))
	t.bytes = le.AppendUint32(t.bytes, uint32(len(f.Bytes)))
	t.bytes = append(t.bytes, f.Bytes...)
}

// Conversation is a TCP connection on a tape.
type Conversation struct {
	tape *Tape
	at   [2]netip.AddrPort
	next [2]uint32
	wrap func(Piece) Piece
}

// Open adds the handshake of a connection between two addresses such as
// 10.0.0.1:40000. wrap, if not nil, puts what carries IP around each packet;
// nil stands for Ethernet.
func (t *Tape) Open(client, server string, wrap func(Piece) Piece) *Conversation {
	if wrap == nil {
		wrap = Ether
	}
	c := &Conversation{tape: t, wrap: wrap, next: [2]uint32{1000, 900000}}
	c.at[0], c.at[1] = netip.MustParseAddrPort(client), netip.MustParseAddrPort(server)
	c.segment(0, packet.SYN, "")
	c.segment(1, packet.SYN|packet.ACK, "")
	c.segment(0, packet.ACK, "")
	return c
}

// Client lets the client send data, in segments of at most 1400 bytes.
func (c *Conversation) Client(data string) { c.say(0, data) }

// Server lets the server send data.
func (c *Conversation) Server(data string) { c.say(1, data) }

// Lose takes n bytes of the server's data that the capture never saw.
func (c *Conversation) Lose(n int) { c.next[1] += uint32(n) }

// Close adds the end of both sides.
func (c *Conversation) Close() {
	c.segment(0, packet.FIN|packet.ACK, "")
	c.segment(1, packet.FIN|packet.ACK, "")
	c.segment(0, packet.ACK, "")
}

func (c *Conversation) say(from int, data string) {
	for data != "" {
		n := min(len(data), 1400)
		c.segment(from, packet.ACK|packet.PSH, data[:n])
		data = data[n:]
	}
	c.segment(1-from, packet.ACK, "")
}

func (c *Conversation) segment(from int, flags packet.Flags, data string) {
	src, dst := c.at[from], c.at[1-from]
	s := Seg{Seq: c.next[from], Flags: flags, Data: []byte(data)}
	if flags&packet.ACK != 0 {
		s.Ack = c.next[1-from]
	}
	ip := IPv4
	if src.Addr().Is6() {
		ip = IPv6
	}
	c.tape.Frame(c.wrap(ip(src.Addr().String(), dst.Addr().String(), TCP(src.Port(), dst.Port(), s))))
	c.next[from] += uint32(len(data))
	if flags&(packet.SYN|packet.FIN) != 0 {
		c.next[from]++
	}
}

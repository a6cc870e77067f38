// Package packet turns a captured frame into addresses, ports and payload.
//
// It is the ground floor: it knows bytes, links and headers, and nothing of
// conversations or protocols above the transport.
package packet

import (
	"net/netip"
	"time"
)

// Time is a moment in nanoseconds since 1970-01-01 UTC, as the capture gave it.
// It is an integer and not a time.Time because the walk compares it for every
// packet.
type Time int64

// Time returns t as a time.Time in UTC.
func (t Time) Time() time.Time { return time.Unix(0, int64(t)).UTC() }

// Sub returns the duration t-u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Add returns t+d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Proto is an IP protocol number (IANA "Assigned Internet Protocol Numbers").
type Proto uint8

// The transports that Parse reads.
const (
	TCP  Proto = 6
	UDP  Proto = 17
	SCTP Proto = 132
)

// String returns the lower-case name of the transport, or its number.
func (p Proto) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return "proto-" + itoa(uint64(p))
}

func itoa(n uint64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}

// Flags are the control bits of a TCP header (RFC 9293 section 3.1).
type Flags uint8

// The control bits.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// TCPHeader holds what reassembly needs of a TCP header.
type TCPHeader struct {
	Seq, Ack uint32
	Flags    Flags
}

// Packet is one captured frame and, after Parser.Parse, what it carries.
type Packet struct {
	// Set by the source.
	Time      Time   // when the frame was captured
	Data      []byte // the frame as captured; borrowed from the source until its next Read
	Length    int    // bytes on the wire, at least len(Data)
	Link      Link   // how Data begins
	Interface int    // index of the interface within its source
	TagType   uint16 // EtherType (TPID) of an outer VLAN tag that came beside Data; 0: none
	Tag       uint16 // its TCI, valid when TagType is not 0
	Outer     Tunnel // tunnel the frame came in whose headers the source took off; zero: none

	// Set by Parser.Parse, valid where it returned OK.
	Src, Dst netip.AddrPort // innermost; the port is 0 where the transport has none
	Proto    Proto          // innermost transport
	Hash     uint64         // of Src, Dst and Proto, the same for both directions; see Config.Seed
	Tunnel   Tunnel         // innermost tunnel, part of a flow's identity; Outer where Data holds none
	VLAN     uint16         // id of the innermost VLAN tag, 0: none; not part of a flow's identity
	TCP      TCPHeader      // for Proto TCP
	Payload  []byte         // transport payload; part of Data, or of the Parser's memory until its next Parse
	Missing  int            // payload bytes that the wire had and the capture cut (snaplen)
}

package flow

import (
	"net/netip"

	"github.com/passiflow/passiflow/packet"
)

// midBias is where offsets of a side begin whose beginning was not seen, so
// that an earlier segment that comes late still has a place.
const midBias = 1 << 20

// none stands for an offset that is not known.
const none = ^uint64(0)

type state uint8

const (
	halfOpen state = iota // only one side was seen
	live
	dying  // a RST came; ends after Linger unless more data proves the RST wrong
	closed // the stream was closed; kept for Linger to absorb late packets
	states
)

// half is one side of a conversation.
type half struct {
	next   uint64 // offset up to which bytes were delivered or told as lost
	acked  uint64 // highest offset the peer acknowledged
	top    uint64 // highest end of a segment seen
	fin    uint64 // offset behind the last byte, by a FIN; none
	lost   uint64 // bytes to be told as lost with the next chunk
	pages  *page  // early segments by offset, none overlapping
	tail   *page  // the last of them
	behind packet.Time
	finAt  packet.Time
	openAt packet.Time // when waiting for an earlier first segment began
	base   uint32      // sequence number of offset 0
	bytes  int         // in pages

	steps  [4]step // acknowledgements that passed next, since behind
	nsteps int
	lostBy uint64 // Chunk.LostBy

	known   bool // base is set
	mid     bool // the beginning was not seen
	opening bool // an earlier first segment may still come
	ended   bool // End was told
	told    bool // the stream got a chunk of this side

	packets, payload, delivered, missing uint64
	digest                               digest
}

// step is one acknowledgement and the offset its sender had reached itself.
type step struct{ acked, at uint64 }

// conn is one conversation in the table.
type conn struct {
	hash         uint64
	ends         [2]netip.AddrPort // by Side
	tunnel       packet.Tunnel
	proto        packet.Proto
	state        state
	why          Reason
	opened       bool // open was called
	short, long  bool // in Table.short, Table.long
	again        bool // a SYN with another ISN came: again* hold it
	againFrom    Side
	againISN     uint32
	againAt      packet.Time
	vlan         uint16
	iface        int
	stream       Stream
	flow         *Flow
	half         [2]half
	start, last  packet.Time
	due          packet.Time // when advance must be tried again; 0: not
	wake         packet.Time // when the stream wants Tick; 0: not
	first        uint32      // sequence number of the first packet
	prev, behind *conn       // list of its state, oldest first
	moved        packet.Time // when it went to the end of its list
}

// list is an intrusive list of conversations, the oldest first.
type list struct{ head, tail *conn }

func (l *list) push(c *conn) {
	c.prev, c.behind = l.tail, nil
	if l.tail != nil {
		l.tail.behind = c
	} else {
		l.head = c
	}
	l.tail = c
}

func (l *list) remove(c *conn) {
	if c.prev != nil {
		c.prev.behind = c.behind
	} else {
		l.head = c.behind
	}
	if c.behind != nil {
		c.behind.prev = c.prev
	} else {
		l.tail = c.prev
	}
	c.prev, c.behind = nil, nil
}

// offset places a sequence number, nearest to what is expected next. It is
// negative for what lies before offset 0.
func (h *half) offset(seq uint32) int64 {
	return int64(h.next) + int64(int32(seq-(h.base+uint32(h.next))))
}

// setBase makes seq the sequence number of the next byte.
func (h *half) setBase(seq uint32, mid bool) {
	h.known, h.mid = true, mid
	h.next = 0
	if mid {
		h.next = midBias
	}
	h.base = seq - uint32(h.next)
	h.top, h.acked = h.next, h.next
}

// hole tells whether bytes that the peer acknowledged have not been seen.
func (h *half) hole() bool { return h.acked > h.next && h.next != h.fin }

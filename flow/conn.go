package flow

import (
	"net/netip"

	"github.com/passiflow/passiflow/packet"
)

// midBias is where offsets of a side begin whose beginning was not seen, so
// that an earlier segment that comes late still has a place.
const midBias = 1 << 20

// none stands for an offset that is not known.
const none = AckUnknown

type state uint8

const (
	halfOpen state = iota // only one side was seen
	live
	dying  // a RST came; ends after Linger unless more data proves the RST wrong
	closed // the stream was closed; kept to absorb late packets
	vain   // closed, and what was said last is still not acknowledged
	states
)

// over tells whether the stream was closed.
func (s state) over() bool { return s >= closed }

// half is one side of a conversation. What every packet needs is in the first
// two cache lines.
type half struct {
	next    uint64      // offset up to which bytes were delivered or told as lost
	acked   uint64      // highest offset the peer acknowledged
	waived  uint64      // offset up to which the peer's bytes no longer wait for this side's
	lost    uint64      // bytes to be told as lost with the next chunk
	fin     uint64      // offset behind the last byte, by a FIN; none
	pages   *page       // early segments by offset, none overlapping
	behind  packet.Time // since when bytes that the peer acknowledged have been missing; 0: none are
	base    uint32      // sequence number of offset 0
	known   bool        // base is set
	mid     bool        // offsets begin at midBias
	opening bool        // an earlier first segment may still come
	ended   bool        // End was told

	packets, payload, delivered, missing uint64

	top     uint64  // highest end of a segment seen
	told    bool    // the stream got a chunk of this side
	foreign bool    // its packets were first captured through conn.alias
	nsteps  uint8   // of steps
	tail    *page   // the last of pages
	held    int     // memory of pages
	bytes   int     // data in pages
	index   []*page // pages in their order, where there are many; else nil

	first  uint64 // offset where delivered and missing begin
	finAck uint64 // what the FIN acknowledged; none
	finAt  packet.Time
	openAt packet.Time // when waiting for an earlier first segment began
	lostBy uint64      // Chunk.LostBy
	steps  [4]step     // acknowledgements that passed next, since behind
	digest digest
}

// step is one acknowledgement and the offset its sender had reached itself.
type step struct{ acked, at uint64 }

// conn is one conversation in the table.
type conn struct {
	ends    [2]netip.AddrPort // by Side
	tunnel  packet.Tunnel
	hash    uint64
	stream  Stream
	last    packet.Time // of its newest packet
	at      packet.Time // of its timer; never: it has none
	moved   packet.Time // when it went to the end of its list
	proto   packet.Proto
	state   state
	why     Reason
	resetBy Side
	opened  bool // open was called
	again   bool // a SYN with another ISN came: again* hold it
	aliased bool // its packets also come through the tunnel alias
	half    [2]half

	due, wake    packet.Time // when advance must be tried again, when the stream wants Tick; 0: not
	timer        int         // place in Table.timers, from 1; 0: none
	prev, behind *conn       // list of its state, oldest first
	flow         *Flow
	alias        packet.Tunnel
	againFrom    Side
	againISN     uint32
	againAt      packet.Time
	start        packet.Time
	first        uint32 // sequence number of the first packet
	vlan         uint16
	iface        int
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
	h.top, h.acked, h.first, h.waived = h.next, h.next, h.next, 0
}

// settled tells whether the end of both sides, where there was one, was
// acknowledged: then nothing of it is sent again.
func (c *conn) settled() bool {
	for i := range c.half {
		if h := &c.half[i]; h.fin != none && h.acked <= h.fin {
			return false
		}
	}
	return true
}

// fresh tells whether nothing of the side was delivered, lost or held.
func (h *half) fresh() bool { return h.delivered+h.missing == 0 && h.pages == nil }

// cut tells whether the beginning of the side was not seen.
func (h *half) cut() bool { return h.mid || h.first != 0 }

// hole tells whether bytes that the peer acknowledged have not been seen.
func (h *half) hole() bool { return h.acked > h.next && h.next != h.fin }

// waits tells whether a packet that acknowledged ack of this side was sent after
// bytes that are still to come.
func (h *half) waits(ack uint64) bool {
	switch {
	case ack <= h.next && !h.opening, ack <= h.waived, ack == AckUnknown:
		return false
	case h.opening:
		return true
	}
	return ack != h.fin+1 || h.next < h.fin
}

// begins tells whether seq can be the number of the side's first byte: nothing
// that was seen lies before it, and the rest is near. It returns its offset.
func (h *half) begins(seq uint32) (at int64, ok bool) {
	at = h.offset(seq)
	if h.delivered+h.missing > 0 {
		return at, false
	}
	if h.pages == nil {
		return at, true
	}
	first := int64(h.pages.off)
	return at, at >= 0 && at <= first && first-at <= near
}

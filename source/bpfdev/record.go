package bpfdev

import (
	"encoding/binary"

	"github.com/passiflow/passiflow/packet"
)

// layout is how a system lays out the records of a bpf(4) buffer: a time stamp
// of two fields, captured and original length, the length of the header, and
// after the frame padding up to align.
type layout struct {
	stamp int // bytes of the time stamp: 8 or 16
	align int
}

// linkType turns the system's number of a link into the one of capture files:
// some that are used below 100 differ from system to system.
func linkType(n uint32, openBSD bool) packet.Link {
	switch {
	case n == 12 && openBSD:
		return packet.LinkLoop
	case n == 12, n == 14:
		return packet.LinkRaw
	}
	return packet.Link(n)
}

// next sets p from the record at the front of b and returns what is behind it.
// A record that contradicts the buffer ends it: nothing behind it can be found.
func (l layout) next(b []byte, p *packet.Packet, link packet.Link, index int) (rest []byte, ok bool) {
	order := binary.NativeEndian
	least := l.stamp + 10
	if len(b) < least {
		return nil, false
	}
	var sec, micro int64
	if l.stamp == 8 {
		sec, micro = int64(order.Uint32(b)), int64(order.Uint32(b[4:]))
	} else {
		sec, micro = int64(order.Uint64(b)), int64(order.Uint64(b[8:]))
	}
	size, wire := uint64(order.Uint32(b[l.stamp:])), uint64(order.Uint32(b[l.stamp+4:]))
	head := uint64(order.Uint16(b[l.stamp+8:]))
	end := head + size
	if head < uint64(least) || end > uint64(len(b)) {
		return nil, false
	}
	*p = packet.Packet{
		Time:      packet.Time(sec*1e9 + micro*1e3),
		Data:      b[head:end:end],
		Length:    int(max(size, wire)),
		Link:      link,
		Interface: index,
	}
	mask := uint64(l.align - 1)
	return b[min((end+mask)&^mask, uint64(len(b))):], true
}

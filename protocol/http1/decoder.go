package http1

import (
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
)

// state says what the next byte of a side is.
type state uint8

const (
	atHead     state = iota // the first byte of a message, or of what stands between messages
	inLength                // of a body with a known length
	inClose                 // of a body that ends with the connection
	atChunk                 // of a chunk's size line
	inChunk                 // of a chunk's data
	afterChunk              // of the line end behind a chunk's data
	inTrailer               // of a trailer field line
	headGap                 // behind a gap in a head
	lost                    // unknown: skip until a segment begins a message
)

// half is the state of one side.
type half struct {
	m        *message.Message // begun and not ended
	state    state
	begun    bool   // had an Input
	found    bool   // had a message
	unasked  bool   // nothing of m's body was seen and its request is not known: it may have none although its head says so
	headEnd  uint64 // unasked: offset behind m's head
	headOnly bool   // m ended with its head, when m.End says
	cutShort bool   // wire misses bytes: what comes later cannot be decompressed
	codings  codings
	strict   bool   // the head at hand ends a search: it must be free of faults
	borrowed bool   // wire is part of the input
	folded   bool   // the last trailer field goes on over lines, and has a text of its own
	opening  bool   // of an answer's chunked body: nothing of it was read yet
	chunked  bool   // opening: that it is chunked was said in so many words
	length   int64  // opening: what Content-Length says, -1 if nothing
	heads    int    // fields before the trailer
	held     int    // lost: bytes held back from the end of an earlier segment
	scan     int    // bytes at the front that hold no end of the head
	line     int    // where among them the last line starts
	need     uint64 // bytes left of the body or the chunk
	expect   uint64 // bytes the body will have, as far as is known
	consent  consent
	count    uint64 // bytes the body had so far, missing ones included
	wire     []byte // compressed body so far
}

// decoder reads one conversation.
type decoder struct {
	s       *shared
	half    [2]half
	connect bool // the client's last request is a CONNECT without its answer
	tunnel  bool // CONNECT was answered with success
}

// turn is one call of Decode.
type turn struct {
	in   *protocol.Input
	out  protocol.Out
	h    *half
	used int
	err  error
}

// rest returns what is not used yet.
func (t *turn) rest() []byte { return t.in.Data[t.used:] }

// offset returns where the next byte stands in its side.
func (t *turn) offset() uint64 { return t.in.Offset + uint64(t.used) }

// first returns the time of the next byte. What the core held from earlier
// packets is one incomplete piece, so that whatever starts behind it came with
// the newest packet.
func (t *turn) first() packet.Time {
	if t.used == 0 {
		return t.in.First
	}
	return t.in.Time
}

// Decode implements protocol.Decoder.
func (d *decoder) Decode(in *protocol.Input, out protocol.Out) (int, error) {
	if d.tunnel {
		if d.plain(in) != protocol.Yes {
			return d.inside(in)
		}
		d.tunnel = false
	}
	t := turn{in: in, out: out, h: &d.half[in.From]}
	h := t.h
	if !h.begun {
		h.begun = true
		if in.Mid {
			h.state = lost
		}
	}
	if in.Lost > 0 {
		d.gap(&t)
	}
	for t.used < len(in.Data) && t.err == nil && !d.tunnel {
		if !d.step(&t) {
			break
		}
	}
	if d.tunnel && t.used < len(in.Data) {
		next, _ := protocol.Recognise(t.rest(), asks(in.From))
		t.err = &protocol.Opaque{Cause: protocol.Tunnelled, Protocol: "http", Next: next}
	}
	if in.Final && t.err == nil && !d.tunnel {
		d.final(&t)
	}
	d.s.earn(t.used)
	return t.used, t.err
}

// step goes on by one piece and tells whether it could.
func (d *decoder) step(t *turn) bool {
	switch t.h.state {
	case atHead:
		return d.head(t)
	case inLength, inClose, atChunk:
		if t.h.consent != unwanted {
			switch d.unsent(t) {
			case protocol.Yes:
				d.endUnsent(t)
				t.h.strict = true
				return true
			case protocol.More:
				return false
			}
			t.h.consent = unwanted
		}
		if t.h.unasked {
			switch startsAnswer(t.rest()) {
			case protocol.Yes:
				// The head promised a body and another answer follows: the
				// request, which is not known, must have been a HEAD. What
				// is missing between them was not of this message.
				d.wasHead(t)
				return true
			case protocol.More:
				if !t.in.Final {
					return false
				}
			}
			t.h.unasked = false
		}
		if t.h.state == atChunk {
			return d.chunkLine(t)
		}
		return d.body(t)
	case inChunk:
		return d.body(t)
	case afterChunk:
		return d.chunkEnd(t)
	case inTrailer:
		return d.trailer(t)
	}
	return d.resync(t)
}

// gap accounts for in.Lost bytes that the capture missed before in.Data. Where
// they all belong to content whose length is known, the count goes on; where
// they may hide the end of a message, the message ends here and the side is
// lost.
func (d *decoder) gap(t *turn) {
	h, n := t.h, t.in.Lost
	h.scan, h.line, h.consent = 0, 0, unwanted
	d.undecided(t.in.From)
	var ends message.Mark // CutEnd: nobody knows what else is behind the gap
	switch h.state {
	case atHead, lost:
		h.state = lost
		return
	case inLength, inChunk:
		if n <= h.need {
			h.need -= n
			h.count += n
			d.missing(h, t.in.Offset-n, n)
			h.unasked = h.unasked && h.need > 0 && t.in.Edge
			if h.need == 0 {
				d.bodyDone(t)
			}
			return
		}
		if h.state == inChunk {
			d.missing(h, t.in.Offset-n, n) // how much of it is of this message nobody knows
			ends = message.CutEnd
			break
		}
		h.count += h.need
		d.missing(h, t.in.Offset-n, h.need)
	case inClose:
		h.count += n
		d.missing(h, t.in.Offset-n, n)
		h.unasked = h.unasked && t.in.Edge
		return
	default:
		d.missing(h, t.in.Offset-n, n)
		ends = message.CutEnd
	}
	d.end(t, t.in.Offset-n, message.Gapped|ends)
	h.state = lost
}

// missing notes a gap of n bytes that begins at offset off of the side.
func (d *decoder) missing(h *half, off, n uint64) {
	h.cutShort = true
	m := h.m
	m.Marks |= message.Gapped
	m.Lost += int64(n)
	if len(m.Gaps) < message.MaxGaps {
		m.Gaps = append(m.Gaps, message.Gap{Offset: off - m.Begin, Length: n})
	}
}

// final ends what the bytes left over can no longer complete.
func (d *decoder) final(t *turn) {
	h := t.h
	rest := t.rest()
	if h.state == atHead && len(rest) > 0 {
		d.partial(t, rest)
	}
	for t.used < len(t.in.Data) && t.err == nil && d.step(t) {
	}
	t.used = len(t.in.Data)
	h.scan, h.line = 0, 0
	if !t.in.End || t.err != nil {
		return
	}
	if h.m != nil {
		switch {
		case h.consent == refused && !t.in.Cut:
			d.endUnsent(t)
		case h.state == inClose && !t.in.Cut:
			d.end(t, t.offset(), 0)
		default:
			d.end(t, t.offset(), message.CutEnd)
		}
	}
	h.state = lost
}

// begin tells the core of h.m and returns the request it answers, if known.
func (d *decoder) begin(t *turn, m *message.Message) *message.Message {
	h := t.h
	h.m = m
	h.found = true
	h.count, h.need, h.expect = 0, 0, 0
	h.codings = codings{}
	h.cutShort, h.unasked, h.opening, h.folded, h.consent = false, false, false, false, unwanted
	return t.out.Begin(m)
}

// end completes h.m, whose last byte stands before offset stop.
func (d *decoder) end(t *turn, stop uint64, marks message.Mark) {
	h := t.h
	m := h.m
	m.Marks |= marks
	m.Stop = stop
	if !h.headOnly {
		m.End = t.in.Time
	}
	d.content(h, marks&(message.CutEnd|message.HeadTruncated|message.BadChunk) == 0 && (marks&message.Gapped == 0 || h.state == inLength))
	h.m = nil
	h.state = atHead
	t.out.End(m)
}

// wasHead ends an answer that turned out to have no body.
func (d *decoder) wasHead(t *turn) {
	h, m := t.h, t.h.m
	m.Marks &^= message.Gapped | message.CloseDelimited
	m.Gaps, m.Lost = nil, 0
	h.count, h.codings, h.cutShort = 0, codings{}, false
	h.headOnly = true
	d.end(t, h.headEnd, 0)
	h.headOnly, h.strict = false, true
}

// bodiless ends a message behind its head, which is behind t.used.
func (d *decoder) bodiless(t *turn) {
	t.h.m.Size, t.h.m.WireSize = 0, 0
	t.h.codings = codings{}
	d.end(t, t.offset(), 0)
}

// roles: who asks is the client.
func asks(s flow.Side) bool { return s == flow.Client }

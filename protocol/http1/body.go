package http1

import (
	"bytes"
	"errors"
	"math"

	"github.com/passiflow/passiflow/message"
)

// firstRoom is how much memory a body gets before its bytes are seen, at most.
const firstRoom = 16 << 10

// body takes the bytes of a body or of a chunk that are there.
func (d *decoder) body(t *turn) bool {
	h, b := t.h, t.rest()
	if h.state != inClose && uint64(len(b)) > h.need {
		b = b[:h.need]
	}
	d.keep(h, b)
	h.count += uint64(len(b))
	t.used += len(b)
	if h.state != inClose {
		if h.need -= uint64(len(b)); h.need == 0 {
			d.bodyDone(t)
		}
	}
	return true
}

// wireLimit is how many bytes of a compressed body are kept until it ends.
func (s *shared) wireLimit() int { return max(s.BodyLimit, 64<<10) }

// bodyDone goes on behind a body of known length, or behind a chunk's data.
func (d *decoder) bodyDone(t *turn) {
	if t.h.state == inChunk {
		t.h.state = afterChunk
		return
	}
	d.end(t, t.offset(), 0)
}

// keep appends p to the body, as far as the body limit allows. After a gap the
// bytes seen follow each other; Message.Gaps says where the missing ones were.
// Of a compressed body only what came before a gap is of use.
func (d *decoder) keep(h *half, p []byte) {
	m := h.m
	if h.codings.n > 0 {
		if h.cutShort || d.s.BodyLimit == 0 {
			return
		}
		if h.state == inLength && h.count == 0 && uint64(len(p)) == h.need && len(p) <= d.s.wireLimit() {
			h.wire, h.borrowed = p, true // the body ends in this very call
			return
		}
		if room := d.s.wireLimit() - len(h.wire); len(p) > room {
			p = p[:room]
			h.cutShort = true
		}
		if h.wire == nil {
			h.wire = d.s.pool.buffer()
		}
		h.wire = append(h.wire, p...)
		return
	}
	if room := d.s.BodyLimit - len(m.Body); len(p) > room {
		p = p[:room]
		m.Marks |= message.BodyTruncated
	}
	if len(p) == 0 {
		return
	}
	if cap(m.Body) == 0 && uint64(len(p)) == h.expect {
		m.Body = append([]byte(nil), p...) // all of it at once, into memory that need not be cleared
		return
	}
	if cap(m.Body)-len(m.Body) < len(p) {
		d.grow(h, len(p))
	}
	m.Body = append(m.Body, p...)
}

// grow makes room for n more bytes of the body. Memory follows what was seen
// and never what was announced, but for the first few KiB.
func (d *decoder) grow(h *half, n int) {
	m := h.m
	want := len(m.Body) + n
	most := d.s.BodyLimit
	if h.expect < uint64(most) && uint64(want) <= h.expect { // what was expected may be wrong
		most = int(h.expect)
	}
	var c int
	switch {
	case cap(m.Body) == 0 && h.expect == math.MaxInt64:
		c = max(2*want, int(min(h.need, firstRoom)))
	case cap(m.Body) == 0:
		c = max(want, min(most, max(firstRoom, 2*n)))
	case cap(m.Body) < 256<<10 || h.expect != math.MaxInt64: // a length is believed the more, the more came
		c = max(want, 4*cap(m.Body))
	default:
		c = max(want, 2*cap(m.Body))
	}
	if c > most {
		c = max(want, most)
	}
	body := make([]byte, len(m.Body), c)
	copy(body, m.Body)
	m.Body = body
}

// content fills in what is known of the body once h.m ends, and decompresses
// it. known tells whether h.count is the whole of it.
func (d *decoder) content(h *half, known bool) {
	m := h.m
	if known {
		m.WireSize = int64(min(h.count, math.MaxInt64))
	}
	if h.codings.n == 0 {
		m.Size = m.WireSize
		return
	}
	defer func() {
		if !h.borrowed {
			d.s.pool.keep(h.wire)
		}
		h.wire, h.borrowed, h.codings = nil, false, codings{}
	}()
	if known && h.count == 0 {
		m.Size = 0
		return
	}
	if d.s.BodyLimit == 0 {
		m.Marks |= message.BodyTruncated
		return
	}
	whole := known && uint64(len(h.wire)) == h.count
	body, size, err := d.s.decompress(h.codings, h.wire)
	switch {
	case errors.Is(err, errBomb):
		m.Marks |= message.Bomb | message.BodyTruncated
		m.Body = bytes.Clone(body)
		return
	case err != nil && len(body) == 0 && (whole || errors.Is(err, errUnknown)):
		sent := h.wire[:min(len(h.wire), d.s.BodyLimit)]
		m.Marks |= message.BadEncoding
		if known && uint64(len(sent)) < h.count && m.Marks&message.Gapped == 0 {
			m.Marks |= message.BodyTruncated
		}
		m.Body = bytes.Clone(sent)
		m.Size = m.WireSize
		return
	case errors.Is(err, errSloppy):
		m.Marks |= message.BadEncoding
		if whole {
			m.Size = size
		}
	case err != nil && whole:
		m.Marks |= message.BadEncoding
	case err == nil && whole:
		m.Size = size
	}
	if size > int64(len(body)) || known && !whole && m.Marks&message.Gapped == 0 {
		m.Marks |= message.BodyTruncated
	}
	m.Body = bytes.Clone(body)
}

// Kept implements protocol.Keeper.
func (d *decoder) Kept(m *message.Message) int { return cap(d.half[m.From].wire) }

// Open implements protocol.Keeper: what came of a compressed body is
// decompressed as far as it goes, also where that is in vain once more when the
// body ends.
func (d *decoder) Open(m, copy *message.Message) {
	h := &d.half[m.From]
	if h.m != m || h.codings.n == 0 || len(h.wire) == 0 {
		return
	}
	body, _, err := d.s.decompress(h.codings, h.wire)
	copy.Body = bytes.Clone(body)
	switch {
	case errors.Is(err, errBomb):
		copy.Marks |= message.Bomb | message.BodyTruncated
	case h.cutShort && m.Marks&message.Gapped == 0, len(body) == d.s.BodyLimit:
		copy.Marks |= message.BodyTruncated
	}
}

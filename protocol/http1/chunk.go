package http1

import (
	"bytes"
	"math"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
)

// chunkMax bounds a chunk's announced size: what is larger is no size.
const chunkMax = 1 << 56

// chunkLine reads a chunk's size line (RFC 9112 section 7.1).
func (d *decoder) chunkLine(t *turn) bool {
	h, b := t.h, t.rest()
	if h.opening {
		switch opens(b, h.chunked) {
		case protocol.More:
			if !t.in.Final {
				return false
			}
			fallthrough
		case protocol.No:
			d.notChunked(t)
			return true
		}
		h.opening = false
		if !h.chunked {
			h.m.Marks |= message.ConflictLength
		}
	}
	if n := len(b) - len(skipBlank(b)); n > 0 && h.scan == 0 {
		h.m.Marks |= message.BadChunk
		t.used += n
		return true
	}
	e := bytes.IndexByte(b[min(h.scan, len(b)):], '\n')
	if e < 0 {
		if len(b) >= d.s.ChunkLine {
			return d.badChunk(t)
		}
		h.scan = len(b)
		return false
	}
	e += h.scan
	h.scan = 0
	n, ok := chunkSize(b[:e])
	if e > d.s.ChunkLine {
		ok = false
	}
	if !ok {
		if n < 0 || e > junkLine {
			return d.badChunk(t)
		}
		h.m.Marks |= message.BadChunk
	}
	if e == 0 || b[e-1] != '\r' {
		h.m.Marks |= message.BareLF
		if bytes.IndexByte(b[:e], ';') >= 0 {
			h.m.Marks |= message.BadChunk // for some the extension goes on
		}
	}
	if n == 0 {
		t.used += e + 1
		h.state, h.need, h.heads = inTrailer, uint64(d.s.HeadLimit), len(h.m.Fields)
		return true
	}
	if h.count == 0 && n > 0 && d.s.BodyLimit > 0 && h.codings.n == 0 {
		d.measure(h, b)
	}
	t.used += e + 1
	h.state, h.need = inChunk, uint64(n)
	return true
}

// junkLine bounds a size line on which something stands behind the digits that
// has no business there, in bytes. Browsers read over it.
const junkLine = 16

// opens tells whether b begins a chunked body. Where that is doubtful already
// (sure is false) the line must be exact.
func opens(b []byte, sure bool) protocol.Match {
	rest := skipBlank(b[:min(len(b), 2*junkLine)])
	if len(rest) == 0 && len(b) >= 2*junkLine {
		return protocol.No
	}
	b = b[min(len(b), 2*junkLine)-len(rest):]
	b = b[:min(len(b), 2*junkLine)]
	e := bytes.IndexByte(b, '\n')
	if e >= 0 {
		n, ok := chunkSize(b[:e])
		return yes(ok || sure && n >= 0 && e <= junkLine)
	}
	n, ok := chunkSize(b)
	switch {
	case len(b) < 2*junkLine && (ok || n >= 0 || len(b) == 0):
		return protocol.More
	case ok && bytes.IndexByte(b, ';') > 0:
		return protocol.Yes
	case len(bytes.TrimLeft(b, " \t")) == 0 && len(b) < junkLine:
		return protocol.More
	}
	return protocol.No
}

// notChunked goes on with a body that was said to be chunked and is not: its
// length is what Content-Length says, or it ends with the connection.
func (d *decoder) notChunked(t *turn) {
	h := t.h
	h.opening = false
	if h.chunked {
		h.m.Marks |= message.BadChunk
	}
	switch {
	case h.length == 0:
		d.bodiless(t)
	case h.length > 0:
		h.state, h.need, h.expect = inLength, uint64(h.length), uint64(h.length)
	default:
		h.state, h.expect = inClose, math.MaxInt64
		h.m.Marks |= message.CloseDelimited
	}
}

// chunkSize reads the digits of a size line and skips extensions. If the line
// is not as it should be, n is what its first digits say, -1 without any.
func chunkSize(line []byte) (n int64, ok bool) {
	i := 0
	for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	first := i
	for ; i < len(line); i++ {
		c := line[i]
		switch {
		case digit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			if i == first {
				return -1, false
			}
			return n, c == ';' || c == ' ' || c == '\t' || c == '\r'
		}
		if n = n<<4 | int64(c); n > chunkMax {
			return -1, false
		}
	}
	if i == first {
		return -1, false
	}
	return n, true
}

// measure foretells how long a chunked body is from the chunks already there,
// so that its memory can be taken at once. b begins with the first size line.
func (d *decoder) measure(h *half, b []byte) {
	var sum uint64
	for {
		e := bytes.IndexByte(b[:min(len(b), 64)], '\n')
		if e < 0 {
			return
		}
		n, ok := chunkSize(b[:e])
		if !ok {
			return
		}
		if n == 0 {
			h.expect = sum // all of it is here
			return
		}
		sum += uint64(n)
		b = b[e+1:]
		if n+2 > int64(len(b)) {
			return
		}
		b = b[n+2:]
	}
}

// chunkEnd skips the line end behind a chunk's data.
func (d *decoder) chunkEnd(t *turn) bool {
	h, b := t.h, t.rest()
	switch {
	case b[0] == '\n':
		h.m.Marks |= message.BareLF
		t.used++
	case b[0] == '\r' && len(b) == 1:
		return false
	case b[0] == '\r' && b[1] == '\n':
		t.used += 2
	default:
		return d.badChunk(t)
	}
	h.state = atChunk
	return true
}

// badChunk gives up the chunked coding of a body.
func (d *decoder) badChunk(t *turn) bool {
	t.h.scan = 0
	d.end(t, t.offset(), message.BadChunk)
	t.h.state = lost
	return true
}

// foldedTrailer bounds a trailer field on several lines, in bytes: they come one
// by one, and each copies what came before it.
const foldedTrailer = 2 << 10

// trailer reads one trailer field line (RFC 9112 section 7.1.2). Trailer fields
// follow the header fields in Message.Fields.
func (d *decoder) trailer(t *turn) bool {
	h, b, m := t.h, t.rest(), t.h.m
	e := bytes.IndexByte(b[min(h.scan, len(b)):], '\n')
	if e < 0 && uint64(len(b)) < h.need {
		h.scan = len(b)
		return false
	}
	whole := e >= 0
	e += h.scan
	h.scan = 0
	if !whole || uint64(e+1) > h.need { // all trailer fields together are bounded like a head
		d.end(t, t.offset(), message.HeadTruncated)
		h.state = lost
		return true
	}
	h.need -= uint64(e + 1)
	t.used += e + 1
	if e == 0 || e == 1 && b[0] == '\r' {
		if e == 0 {
			m.Marks |= message.BareLF
		}
		d.end(t, t.offset(), 0)
		return true
	}
	n := len(m.Fields)
	fold := (b[0] == ' ' || b[0] == '\t') && n > h.heads
	if fold && len(m.Fields[n-1].Value) > foldedTrailer {
		m.Marks |= message.HeadTruncated
		return true
	}
	if fold && h.folded {
		m.Head -= uint32(len(m.Fields[n-1].Value)) // its text is about to be replaced
	}
	h.folded = fold
	var f framing
	text := "\n" + string(b[:e+1])
	m.Head += uint32(len(text))
	d.fields(m, text, []int32{0, int32(e + 1)}, h.heads, &f)
	return true
}

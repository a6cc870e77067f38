package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// idle bounds how many decompressors of a kind and how many buffers are kept.
const idle = 4

// keptBuffer bounds the capacity of a buffer that is kept.
const keptBuffer = 4 << 20

// zstdWindow bounds a zstd frame's window (RFC 9659).
const zstdWindow = 8 << 20

// pool keeps what decompressing needs between two bodies.
type pool struct {
	source  bytes.Reader
	out     []byte
	sink    []byte
	buffers [][]byte
	gzips   []*gunzip
	flates  []io.ReadCloser
	brotlis []*brotli.Reader
	zstds   []*zstd.Decoder
	bufs    []*bufio.Reader
}

// buffer returns an empty buffer.
func (p *pool) buffer() []byte {
	if b, ok := take(&p.buffers); ok {
		return b[:0]
	}
	return make([]byte, 0, 4<<10)
}

// keep takes a buffer back.
func (p *pool) keep(b []byte) {
	if b != nil && cap(b) <= keptBuffer {
		give(&p.buffers, b)
	}
}

func take[T any](list *[]T) (v T, ok bool) {
	n := len(*list)
	if n == 0 {
		return v, false
	}
	v = (*list)[n-1]
	*list = (*list)[:n-1]
	return v, true
}

func give[T any](list *[]T, v T) {
	if len(*list) < idle {
		*list = append(*list, v)
	}
}

// peeker is what a stage reads from.
type peeker interface {
	io.Reader
	io.ByteReader
}

// meter stops a stage that gives more than its bound.
type meter struct {
	r            io.Reader
	n            int64
	limit, early int64 // bytes in all; bytes by the ratio, which counts from ratioFrom
}

// ratioFrom is the size from which on the ratio is looked at.
const ratioFrom = 1 << 20

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.n += int64(n)
	if m.n > m.limit || m.n > ratioFrom && m.n > m.early {
		return n, errBomb
	}
	return n, err
}

// errSloppy says that a body was not coded as announced, and was decompressed
// all the same.
var errSloppy = errors.New("content coding is not as announced")

// decompress undoes the codings of wire. It returns at most BodyLimit bytes,
// which are valid until the next call, and how many there are in all. With an
// error it returns what came before it. Codings that were announced and not
// applied are left out if the others then make sense.
func (s *shared) decompress(c codings, wire []byte) (body []byte, size int64, err error) {
	if int(c.n) > 1 && len(wire) > 1 && c.list[c.n-1] == gzipped && !magic(wire) {
		c.n--
		if body, size, err = s.undo(c, wire); err == nil {
			err = errSloppy
		}
		return body, size, err
	}
	body, size, err = s.undo(c, wire)
	for c.n > 1 && err != nil && err != errBomb && len(body) == 0 {
		copy(c.list[:], c.list[1:])
		c.n--
		if body, size, err = s.undo(c, wire); err == nil {
			err = errSloppy
		}
	}
	return body, size, err
}

// magic tells whether b begins as gzip does.
func magic(b []byte) bool { return len(b) > 1 && b[0] == 0x1f && b[1] == 0x8b }

// undo is decompress without its second thoughts.
func (s *shared) undo(c codings, wire []byte) (body []byte, size int64, err error) {
	p := &s.pool
	p.source.Reset(wire)
	var src peeker = &p.source
	var stages [len(c.list)]meter
	early := int64(len(wire)) * s.DecodedRatio
	for i := int(c.n) - 1; i >= 0; i-- {
		var head [2]byte
		if i == int(c.n)-1 {
			copy(head[:], wire)
		} else if b, _ := src.(*bufio.Reader).Peek(2); len(b) == 2 {
			head = [2]byte(b)
		}
		r, back, err := p.stage(c.list[i], src, head)
		if err != nil {
			return nil, 0, err
		}
		defer back()
		m := &stages[i]
		*m = meter{r: r, limit: s.DecodedLimit, early: early}
		if i == 0 {
			return s.drain(m)
		}
		b, ok := take(&p.bufs)
		if !ok {
			b = bufio.NewReaderSize(nil, 4<<10)
		}
		b.Reset(m)
		defer func() { b.Reset(nil); give(&p.bufs, b) }()
		src = b
	}
	return nil, 0, errUnknown
}

// drain reads r to its end, keeps what the body limit allows and counts all.
func (s *shared) drain(r io.Reader) (body []byte, size int64, err error) {
	p := &s.pool
	if cap(p.out) > keptBuffer || cap(p.out) == 0 {
		p.out = make([]byte, 0, 16<<10)
	}
	out := p.out[:0]
	for err == nil && len(out) < s.BodyLimit {
		if len(out) == cap(out) {
			out = append(make([]byte, 0, 2*cap(out)), out...)
		}
		var n int
		n, err = r.Read(out[len(out):min(cap(out), s.BodyLimit)])
		out = out[:len(out)+n]
	}
	p.out = out
	size = int64(len(out))
	if err == nil && p.sink == nil {
		p.sink = make([]byte, 16<<10)
	}
	for err == nil {
		var n int
		n, err = r.Read(p.sink)
		size += int64(n)
	}
	if err == io.EOF {
		err = nil
	}
	return out, size, err
}

// stage returns a reader that undoes one coding, and what gives it back. head
// holds the first bytes of src.
func (p *pool) stage(c coding, src peeker, head [2]byte) (io.Reader, func(), error) {
	switch c {
	case gzipped:
		z, ok := take(&p.gzips)
		if !ok {
			z = new(gunzip)
		}
		if err := z.reset(src); err != nil {
			give(&p.gzips, z)
			return nil, nil, err
		}
		return z, func() { give(&p.gzips, z) }, nil
	case deflated:
		if magic(head[:]) {
			return p.stage(gzipped, src, head)
		}
		// RFC 9110 section 8.4.1.2 means zlib; some send the bare form.
		if head[0]&15 == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 && head[1]&0x20 == 0 {
			var skip [2]byte
			if _, err := io.ReadFull(src, skip[:]); err != nil {
				return nil, nil, err
			}
		}
		z, ok := take(&p.flates)
		if !ok {
			z = flate.NewReader(src)
		} else if err := z.(flate.Resetter).Reset(src, nil); err != nil {
			return nil, nil, err
		}
		return z, func() { give(&p.flates, z) }, nil
	case brotlied:
		z, ok := take(&p.brotlis)
		if !ok {
			z = brotli.NewReader(src)
		} else if err := z.Reset(src); err != nil {
			return nil, nil, err
		}
		return z, func() { give(&p.brotlis, z) }, nil
	case zstded:
		z, ok := take(&p.zstds)
		if !ok {
			var err error
			z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
			if err != nil {
				return nil, nil, err
			}
		}
		if err := z.Reset(src); err != nil {
			give(&p.zstds, z)
			return nil, nil, err
		}
		return z, func() { give(&p.zstds, z) }, nil
	}
	return nil, nil, errUnknown
}

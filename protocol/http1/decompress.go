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

// keptBuffer bounds the capacity of a buffer that is kept.
const keptBuffer = 4 << 20

// idleBuffers bounds how many buffers are kept.
const idleBuffers = 8

// zstdWindow bounds a zstd frame's window (RFC 9659).
const zstdWindow = 8 << 20

// pool keeps what decompressing needs between two bodies. A body is
// decompressed in one go, so that one decompressor of each kind does for every
// coding of a body.
type pool struct {
	source  bytes.Reader
	out     []byte
	sink    []byte
	buffers [][]byte // for compressed bodies that have not ended
	stages  [len(codings{}.list)]stage
	credit  int64 // what is left of Config.DecodedCredit
}

// What a body decompresses to without asking for credit: so many bytes, and so
// many times its compressed size. What people compress stays below; a few bytes
// that become a MiB, again and again, would keep a worker busy for a thousand
// times as long as it took to send them.
const (
	freeBytes = 4 << 10
	freeRatio = 64
)

// creditStep is how many bytes are decompressed on credit before it is asked
// whether there is any.
const creditStep = 4 << 10

// earn gives credit for n bytes of messages.
func (s *shared) earn(n int) {
	s.pool.credit = min(s.pool.credit+4*int64(n), s.DecodedCredit)
}

// buffer returns an empty buffer.
func (p *pool) buffer() []byte {
	n := len(p.buffers)
	if n == 0 {
		return make([]byte, 0, 4<<10)
	}
	b := p.buffers[n-1]
	p.buffers = p.buffers[:n-1]
	return b[:0]
}

// keep takes a buffer back.
func (p *pool) keep(b []byte) {
	if b != nil && cap(b) <= keptBuffer && len(p.buffers) < idleBuffers {
		p.buffers = append(p.buffers, b)
	}
}

// peeker is what a stage reads from.
type peeker interface {
	io.Reader
	io.ByteReader
}

// stage undoes one coding and stops when it gives more than its bound.
type stage struct {
	r            io.Reader // one of the following
	gunzip       gunzip
	flate        io.ReadCloser
	brotli       *brotli.Reader
	narrow       narrow
	zstd         *zstd.Decoder
	n            int64
	limit, early int64 // bytes in all; bytes by the ratio, which counts from ratioFrom
	free         int64 // bytes that cost no credit
	credit       *int64
	buf          *bufio.Reader // for the next stage to read from
}

// ratioFrom is the size from which on the ratio is looked at, in bytes.
const ratioFrom = 1 << 20

// Read implements io.Reader.
func (st *stage) Read(b []byte) (int, error) {
	if most := max(st.free-st.n, 0) + creditStep; int64(len(b)) > most {
		b = b[:most]
	}
	n, err := st.r.Read(b)
	st.n += int64(n)
	if st.n > st.limit || st.n > ratioFrom && st.n > st.early {
		return n, errBomb
	}
	if over := min(st.n-st.free, int64(n)); over > 0 {
		if *st.credit -= over; *st.credit < 0 {
			*st.credit = 0
			return n, errBomb
		}
	}
	return n, err
}

// most returns how many bytes the stage may give before it is a bomb.
func (st *stage) most() int64 {
	return min(st.limit, max(ratioFrom, st.early), st.free+*st.credit)
}

// narrow reads brotli whose window it makes no larger than the bytes that are
// wanted. Up to there the window makes no difference (RFC 7932 section 9.1: no
// distance reaches behind the beginning), but the decoder takes memory of its
// size and fills it before it gives the first byte.
type narrow struct {
	src   peeker
	most  int64
	begun bool
}

// Read implements io.Reader.
func (r *narrow) Read(b []byte) (int, error) {
	n, err := r.src.Read(b)
	if r.begun || n == 0 {
		return n, err
	}
	r.begun = true
	if b[0]&1 == 0 || b[0]&0x0e == 0 {
		return n, err // a window of at most 128 KiB
	}
	// Four bits say how large it is: 2^18 to 2^24 bytes, less 16 that no distance reaches.
	for w := b[0] >> 1 & 7; w > 1 && int64(1)<<(16+w)-16 > r.most; w-- {
		b[0] = b[0]&^0x0e | (w-1)<<1
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
	for c.n > 1 && err != nil && !errors.Is(err, errBomb) && len(body) == 0 {
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
	defer p.source.Reset(nil)
	var src peeker = &p.source
	head := wire[:min(len(wire), 2)]
	for i := int(c.n) - 1; ; i-- {
		st := &p.stages[i]
		st.n, st.limit, st.early = 0, s.DecodedLimit, int64(len(wire))*s.DecodedRatio
		st.free, st.credit = freeBytes+freeRatio*int64(len(wire)), &p.credit
		if err := st.reset(c.list[i], src, head); err != nil {
			return nil, 0, err
		}
		if i == 0 {
			return s.drain(st)
		}
		if st.buf == nil {
			st.buf = bufio.NewReaderSize(nil, 4<<10)
		}
		st.buf.Reset(st)
		src = st.buf
		head, _ = st.buf.Peek(2)
	}
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

// reset makes the stage undo c on what comes from src, which begins with head.
func (st *stage) reset(c coding, src peeker, head []byte) (err error) {
	switch c {
	case gzipped:
		st.r = &st.gunzip
		return st.gunzip.reset(src)
	case deflated:
		if magic(head) {
			return st.reset(gzipped, src, head)
		}
		// RFC 9110 section 8.4.1.2 means zlib; some send the bare form.
		if len(head) == 2 && head[0]&15 == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 && head[1]&0x20 == 0 {
			for range 2 {
				if _, err := src.ReadByte(); err != nil {
					return err
				}
			}
		}
		if st.flate == nil {
			st.flate = flate.NewReader(src)
		} else {
			err = st.flate.(flate.Resetter).Reset(src, nil)
		}
		st.r = st.flate
	case brotlied:
		st.narrow = narrow{src: src, most: st.most()}
		if st.brotli == nil {
			st.brotli = brotli.NewReader(&st.narrow)
		} else {
			err = st.brotli.Reset(&st.narrow)
		}
		st.r = st.brotli
	case zstded:
		if st.zstd == nil {
			st.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
			if err != nil {
				return err
			}
		}
		st.r = st.zstd
		err = st.zstd.Reset(src)
	default:
		err = errUnknown
	}
	return err
}

package record

import (
	"bytes"
	"errors"
	"io"
)

// Reader reads records from a stream. What is no record it skips and counts,
// and goes on with the next. It is used by one goroutine.
type Reader struct {
	from       io.Reader
	max        int
	buf        []byte
	begin, end int // of what was read and is not dropped yet
	used       int // of that, by the record returned last
	eof        error
	stats      Stats
}

// Stats are the counts of a Reader.
type Stats struct {
	Records uint64
	Bytes   uint64 // of their bodies
	Short   uint64 // records that end in their head
	Foreign uint64 // records without addresses
	Length  uint64 // records whose length is another: torn, or altered
	Long    uint64 // records longer than Config.MaxRecord
	Skipped uint64 // bytes that are part of no good record
}

// Bad returns how many records could not be read.
func (s *Stats) Bad() uint64 { return s.Short + s.Foreign + s.Length + s.Long }

// NewReader returns a Reader of from, which stays the caller's.
func NewReader(from io.Reader, c Config) *Reader {
	if c.MaxRecord <= 0 {
		c.MaxRecord = DefaultConfig().MaxRecord
	}
	return &Reader{from: from, max: max(c.MaxRecord, fixedSize+1)}
}

// Stats returns the counts so far.
func (r *Reader) Stats() Stats { return r.stats }

// Next returns the next good record, whose Data is valid until the call after.
// The end of a record is known when the next begins, or the stream ends: then
// the error is io.EOF. Any other error is that of the stream.
func (r *Reader) Next() (Record, error) {
	for {
		token, err := r.token()
		if err != nil {
			return Record{}, err
		}
		n := uint64(len(token))
		rec, err := Unmarshal(token)
		switch {
		case err == nil:
			r.stats.Records++
			r.stats.Bytes += uint64(len(rec.Data))
			return rec, nil
		case errors.Is(err, ErrShort):
			r.stats.Short++
		case errors.Is(err, ErrForeign):
			r.stats.Foreign++
		default:
			r.stats.Length++
		}
		r.stats.Skipped += n
	}
}

// token returns the bytes from the next Magic to the one after.
func (r *Reader) token() ([]byte, error) {
	r.begin += r.used
	r.used = 0
	if err := r.seek(); err != nil {
		return nil, err
	}
	for from := len(Magic); ; {
		held := r.buf[r.begin:r.end]
		if i := bytes.Index(held[from:], []byte(Magic)); i >= 0 && from+i <= r.max {
			r.used = from + i
			return held[:r.used], nil
		}
		switch {
		case len(held) > r.max:
			r.stats.Long++
			r.skip(len(Magic))
			if err := r.seek(); err != nil {
				return nil, err
			}
			from = len(Magic)
		case errors.Is(r.eof, io.EOF):
			r.used = len(held)
			return held, nil
		case r.eof != nil:
			return nil, r.eof
		default:
			from = max(len(Magic), len(held)-len(Magic)+1)
			r.fill()
		}
	}
}

// seek drops what stands before the next Magic.
func (r *Reader) seek() error {
	for {
		held := r.buf[r.begin:r.end]
		if i := bytes.Index(held, []byte(Magic)); i >= 0 {
			r.skip(i)
			return nil
		}
		if r.eof != nil {
			r.skip(len(held))
			return r.eof
		}
		r.skip(max(len(held)-len(Magic)+1, 0))
		r.fill()
	}
}

// skip drops n bytes that are of no use.
func (r *Reader) skip(n int) {
	r.stats.Skipped += uint64(n)
	r.begin += n
}

const firstBuffer = 64 << 10

// fill reads what there is, into a buffer that grows with the record.
func (r *Reader) fill() {
	if r.begin > 0 {
		r.end = copy(r.buf, r.buf[r.begin:r.end])
		r.begin = 0
	}
	if r.end == len(r.buf) {
		size := min(max(2*len(r.buf), firstBuffer), r.max+len(Magic))
		if size <= r.end {
			size = r.end + len(Magic) // room for one more look
		}
		r.buf = append(make([]byte, 0, size), r.buf[:r.end]...)[:size]
	}
	for range 100 {
		n, err := r.from.Read(r.buf[r.end:])
		r.end += n
		if err != nil {
			r.eof = err
			return
		}
		if n > 0 {
			return
		}
	}
	r.eof = io.ErrNoProgress
}

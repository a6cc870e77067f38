package message

import (
	"encoding/binary"
	"errors"
)

var errNotRecord = errors.New("decode a record: these bytes are none")

// reader takes what ExchangeCodec has written from the front of rest. When
// something is missing or out of its range it sets bad and returns zeros from
// then on.
type reader struct {
	rest   string
	bodies []byte
	owed   int // bytes of rest that lists already begun need at least
	bad    bool
}

func (r *reader) take(n int) string {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad, r.rest = true, ""
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

// word reads eight bytes.
func (r *reader) word() uint64 {
	s := r.take(8)
	if r.bad {
		return 0
	}
	return binary.LittleEndian.Uint64([]byte(s))
}

func (r *reader) number() uint64 {
	if s := r.rest; len(s) > 0 && s[0] < 0x80 { // nearly all are short
		r.rest = s[1:]
		return uint64(s[0])
	}
	return r.longNumber()
}

func (r *reader) longNumber() uint64 {
	var n uint64
	for shift := 0; shift < 70; shift += 7 {
		b := r.byte()
		if shift == 63 && b > 1 {
			break
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.bad = true
	return 0
}

func (r *reader) signed() int64 {
	n := r.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) upTo(most uint64) uint64 {
	n := r.number()
	if n > most {
		r.bad = true
		return 0
	}
	return n
}

func (r *reader) text() string {
	return r.take(int(min(r.number(), uint64(len(r.rest))+1)))
}

// count reads the length of a list whose elements take at least size bytes each,
// so that no list is made that the input cannot fill.
func (r *reader) count(size int) (n int, none bool) {
	u := r.number()
	if r.bad || u == 0 {
		return 0, true
	}
	if u-1 > uint64(max(len(r.rest)-r.owed, 0)/size) {
		r.bad = true
		return 0, true
	}
	return int(u - 1), false
}

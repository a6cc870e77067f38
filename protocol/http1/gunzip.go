package http1

import (
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
)

// gunzip reads gzip (RFC 1952), member by member. Like browsers it looks at
// neither the checksums nor the reserved flags: a body that the capture damaged
// is known as such anyway.
type gunzip struct {
	src   peeker
	flate io.ReadCloser
	open  bool // inside a member
	head  [10]byte
}

var errGzip = errors.New("no gzip header")

func (z *gunzip) reset(src peeker) error {
	z.src, z.open = src, false
	return z.header()
}

// header reads the header of a member.
func (z *gunzip) header() error {
	b := &z.head
	if _, err := io.ReadFull(z.src, b[:]); err != nil {
		return err
	}
	if b[0] != 0x1f || b[1] != 0x8b || b[2] != 8 {
		return errGzip
	}
	const crc, extra, name, comment = 2, 4, 8, 16
	flags := b[3]
	if flags&extra != 0 {
		if _, err := io.ReadFull(z.src, b[:2]); err != nil {
			return err
		}
		if err := z.skip(int(b[0]) | int(b[1])<<8); err != nil {
			return err
		}
	}
	for _, flag := range []byte{name, comment} {
		for flags&flag != 0 {
			c, err := z.src.ReadByte()
			if err != nil {
				return err
			}
			if c == 0 {
				break
			}
		}
	}
	if flags&crc != 0 {
		if err := z.skip(2); err != nil {
			return err
		}
	}
	z.open = true
	if z.flate == nil {
		z.flate = flate.NewReader(z.src)
		return nil
	}
	return z.flate.(flate.Resetter).Reset(z.src, nil)
}

func (z *gunzip) skip(n int) error {
	for ; n > 0; n-- {
		if _, err := z.src.ReadByte(); err != nil {
			return err
		}
	}
	return nil
}

// Read implements io.Reader. What follows the last member and is none itself is
// ignored.
func (z *gunzip) Read(p []byte) (int, error) {
	for {
		if !z.open {
			return 0, io.EOF
		}
		n, err := z.flate.Read(p)
		if err == io.EOF {
			z.open = false
			if z.skip(8) == nil && z.header() != nil {
				z.open = false
			}
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

package sink

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/passiflow/passiflow/message"
)

const (
	chunk = 512 << 10 // about how many bytes go out in one write
	keep  = 32 << 20  // a buffer larger than this is not kept for the next record
)

// NewStream returns a sink that writes what encode makes of each record to w,
// one behind the other. Close calls closer, which may be nil.
func NewStream(w io.Writer, encode func(dst []byte, x *message.Exchange) []byte, closer func() error) Sink {
	return &stream{w: w, encode: encode, closer: closer}
}

type stream struct {
	w      io.Writer
	encode func([]byte, *message.Exchange) []byte
	closer func() error
	buffer []byte // kept between batches
	closed bool
}

// errClosed is what a sink says that is used after Close.
var errClosed = Broken(errors.New("write: the sink is closed"))

func (s *stream) Write(ctx context.Context, batch []*message.Exchange) error {
	if s.closed {
		return errClosed
	}
	b := s.buffer[:0]
	for i, x := range batch {
		b = s.encode(b, x)
		if len(b) < chunk && i < len(batch)-1 {
			continue
		}
		if err := write(ctx, s.w, b); err != nil {
			return err
		}
		if cap(b) > keep {
			b = nil
		}
		b = b[:0]
	}
	s.buffer = b
	return nil
}

func (s *stream) Close(context.Context) error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.buffer = nil
	if s.closer == nil {
		return nil
	}
	return s.closer()
}

// write writes all of b. What a file or pipe did not take it will not take
// later: part of b may have gone out, and sending it again would tear records.
func write(ctx context.Context, w io.Writer, b []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(b) == 0 {
		return nil
	}
	if _, err := w.Write(b); err != nil {
		return Broken(err)
	}
	return nil
}

// ReaderGone tells whether err says that whoever read a pipe has stopped, such
// as head(1): a reason to end, and not a fault. A connection that breaks is one.
func ReaderGone(err error) bool {
	var connection *net.OpError
	return (errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)) && !errors.As(err, &connection)
}

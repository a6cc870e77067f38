package sink

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// OneWay is a connection to a place that is only spoken to: what it answers is
// read and thrown away, so that it never waits for that. Write and End are
// called by one goroutine.
type OneWay struct {
	conn net.Conn
	wait time.Duration
	done chan struct{}
	over atomic.Bool
}

// NewOneWay takes over conn and starts a goroutine that reads it. The place has
// the time wait, after End, to say the rest. answered, which may be nil, is
// called by that goroutine with counts of bytes read.
func NewOneWay(conn net.Conn, wait time.Duration, answered func(bytes int)) *OneWay {
	o := &OneWay{conn: conn, wait: wait, done: make(chan struct{})}
	if answered == nil {
		answered = func(int) {}
	}
	go o.read(answered)
	return o
}

// Write sends b and returns how much of it was handed to the system.
func (o *OneWay) Write(ctx context.Context, b []byte) (int, error) {
	return WriteConn(ctx, o.conn, b)
}

// WriteTimeout is Write where the place may take nothing for at most the time
// stall.
func (o *OneWay) WriteTimeout(ctx context.Context, b []byte, stall time.Duration) (sent int, err error) {
	const piece = 256 << 10 // what a stall is counted from
	for len(b) > 0 {
		_ = o.conn.SetWriteDeadline(time.Now().Add(stall))
		n, err := WriteConn(ctx, o.conn, b[:min(len(b), piece)])
		sent += n
		if err != nil {
			return sent, err
		}
		b = b[n:]
	}
	return sent, nil
}

// WriteConn writes b to conn until ctx ends.
func WriteConn(ctx context.Context, conn net.Conn, b []byte) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if ctx.Done() == nil {
		return conn.Write(b)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
	n, err := conn.Write(b)
	if !stop() && ctx.Err() != nil && err != nil {
		err = ctx.Err()
	}
	return n, err
}

// End says that no more will be sent. It does not wait: Done is closed when the
// place has ended, too, or its time was over.
func (o *OneWay) End() {
	if o.over.Swap(true) {
		return
	}
	half, ok := o.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		o.conn.Close()
		return
	}
	_ = o.conn.SetReadDeadline(time.Now().Add(o.wait))
	select {
	case <-o.done: // the reader has ended before and left that to us
		o.conn.Close()
	default:
	}
}

// Abort ends the connection at once.
func (o *OneWay) Abort() {
	o.over.Store(true)
	o.conn.Close()
}

// Done is closed when nothing more is read.
func (o *OneWay) Done() <-chan struct{} { return o.done }

// The room that answers are read into grows with what comes at once: there may
// be thousands of connections that are silent.
const (
	leastRoom = 512
	mostRoom  = 32 << 10
)

func (o *OneWay) read(answered func(int)) {
	defer func() {
		close(o.done)
		if o.over.Load() {
			o.conn.Close()
		}
	}()
	b := make([]byte, leastRoom)
	for {
		n, err := o.conn.Read(b)
		if n > 0 {
			answered(n)
		}
		if err != nil {
			return
		}
		switch {
		case n == len(b) && n < mostRoom:
			b = make([]byte, min(4*n, mostRoom))
		case n < leastRoom && len(b) > leastRoom:
			b = make([]byte, leastRoom)
		}
	}
}

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
	ctx  context.Context // whose end ends a Write that waits
	stop func() bool
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

// Write sends b and returns how much of it was handed to the system. The place
// may take nothing for at most the time stall; 0: for ever.
func (o *OneWay) Write(ctx context.Context, b []byte, stall time.Duration) (sent int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if o.ctx != ctx { // nearly always it is the same
		o.forget()
		o.ctx = ctx
		o.stop = context.AfterFunc(ctx, func() { _ = o.conn.SetWriteDeadline(time.Unix(1, 0)) })
	}
	const piece = 256 << 10 // what a stall is counted from
	for len(b) > 0 {
		if stall > 0 {
			_ = o.conn.SetWriteDeadline(time.Now().Add(stall))
			if err := ctx.Err(); err != nil { // its deadline may have been before
				return sent, err
			}
		}
		n, err := o.conn.Write(b[:min(len(b), piece)])
		sent += n
		if ctx.Err() != nil && err != nil {
			err = ctx.Err()
		}
		if err != nil {
			return sent, err
		}
		b = b[n:]
	}
	return sent, nil
}

func (o *OneWay) forget() {
	if o.stop != nil {
		o.stop()
	}
}

// End says that no more will be sent. It does not wait: Done is closed when the
// place has ended, too, or its time was over.
func (o *OneWay) End() {
	if o.over.Swap(true) {
		return
	}
	o.forget()
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
	o.forget()
	o.conn.Close()
}

// Done is closed when nothing more is read.
func (o *OneWay) Done() <-chan struct{} { return o.done }

// room is what answers are read into. It is small, because there may be
// thousands of connections.
const room = 1 << 10

func (o *OneWay) read(answered func(int)) {
	defer func() {
		close(o.done)
		if o.over.Load() {
			o.conn.Close()
		}
	}()
	b := make([]byte, room)
	for {
		n, err := o.conn.Read(b)
		if n > 0 {
			answered(n)
		}
		if err != nil {
			return
		}
	}
}

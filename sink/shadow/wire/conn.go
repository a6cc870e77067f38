package wire

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// Bounds of an answer.
const (
	maxHead    = 1 << 20       // bytes of one head, and of trailers
	maxInterim = 100           // answers before an answer
	maxBody    = math.MaxInt64 // bytes of a body: what is kept is bounded, and the time is
)

// Conn is one connection to a target. One goroutine may send while another one
// receives.
type Conn struct {
	conn   net.Conn
	in     *bounded
	read   *bufio.Reader
	closed atomic.Bool
}

func newConn(c net.Conn) *Conn {
	in := &bounded{r: c, left: maxHead}
	return &Conn{conn: c, in: in, read: bufio.NewReaderSize(in, 16<<10)}
}

// bounded is a reader that ends with an error when a bound is reached, which is
// set anew for each part of an answer.
type bounded struct {
	r    io.Reader
	left int64
}

var errHuge = errors.New("the head of the answer is longer than its bound of 1 MiB")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errHuge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// Close ends the connection, and with it a Send or Receive under way.
func (c *Conn) Close() {
	if !c.closed.Swap(true) {
		c.conn.Close()
	}
}

// Send sends one request.
func (c *Conn) Send(request []byte, timeout time.Duration) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := c.conn.Write(request)
	return err
}

// Answer is what a request was answered.
type Answer struct {
	*message.Message
	First, Last time.Time // when its first and its last byte came
	Close       bool      // nothing can be asked on this connection any more
}

// Deadline ends a Wait or Receive, also one under way, at that moment; the zero
// time is none.
func (c *Conn) Deadline(t time.Time) {
	_ = c.conn.SetReadDeadline(t) // of a closed connection, which ends them anyway
}

// Wait waits until something comes or the connection ends.
func (c *Conn) Wait() error {
	c.in.left = maxHead
	_, err := c.read.Peek(1)
	return err
}

// Receive reads the answer to a request with this method, answers before it
// left out. It keeps limit bytes of the decoded body. Where only the body could
// not be read whole, it returns what came of the answer beside the error.
func (c *Conn) Receive(method string, limit int) (*Answer, error) {
	a := &Answer{}
	request := &http.Request{Method: method}
	for range maxInterim {
		c.in.left = maxHead
		if _, err := c.read.Peek(1); err != nil {
			return nil, err
		}
		if a.First.IsZero() {
			a.First = time.Now()
		}
		r, err := http.ReadResponse(c.read, request)
		if err != nil {
			return nil, err
		}
		if r.StatusCode/100 == 1 && r.StatusCode != http.StatusSwitchingProtocols {
			r.Body.Close()
			a.First = time.Time{}
			continue
		}
		err = c.take(a, r, limit)
		return a, err
	}
	return nil, fmt.Errorf("%d answers before the answer", maxInterim)
}

// take makes a message of r and reads its body.
func (c *Conn) take(a *Answer, r *http.Response, limit int) error {
	defer r.Body.Close()
	m := &message.Message{Status: strconv.Itoa(r.StatusCode), Version: r.Proto[len("HTTP/"):], Size: -1, WireSize: -1}
	if len(r.Status) > 4 {
		m.Reason = r.Status[4:]
	}
	for _, name := range slices.Sorted(keys(r.Header)) {
		for _, v := range r.Header[name] {
			m.Fields = append(m.Fields, message.Field{Name: name, Value: v})
		}
	}
	a.Message, a.Close = m, r.Close || r.StatusCode == http.StatusSwitchingProtocols
	if r.StatusCode == http.StatusSwitchingProtocols {
		m.Size, a.Last = 0, time.Now()
		return nil
	}
	c.in.left = maxBody
	wire := &counter{r: r.Body}
	err := decoded(m, wire, limit)
	// What is left of it is not wanted, but stands before the next answer.
	if _, rest := io.Copy(io.Discard, wire); rest != nil || wire.err != nil {
		return fmt.Errorf("read the body: %w", cmp.Or(wire.err, rest))
	}
	a.Last = time.Now()
	m.WireSize, m.Start, m.End = wire.n, packet.Time(a.First.UnixNano()), packet.Time(a.Last.UnixNano())
	if err != nil {
		m.Marks |= message.BadEncoding
	}
	return nil
}

// decoded reads the body of m without its codings, at most limit bytes of it.
func decoded(m *message.Message, wire io.Reader, limit int) error {
	all := codings(m.Fields)
	peek := bufio.NewReader(wire)
	if _, err := peek.Peek(1); err != nil { // of HEAD, 304 and the like
		m.Size = 0
		return nil
	}
	r, release, err := decode(peek, all)
	defer release()
	if err != nil {
		m.Body, _ = io.ReadAll(io.LimitReader(peek, int64(limit)))
		return err
	}
	m.Body, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if len(m.Body) > limit {
		m.Body = m.Body[:limit]
		m.Marks |= message.BodyTruncated
		return nil
	}
	if err != nil {
		return err
	}
	m.Size = int64(len(m.Body))
	return nil
}

// counter counts what is read, and keeps the first error of the connection: a
// decompressor would tell it as one of its own.
type counter struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) && c.err == nil {
		c.err = err
	}
	return n, err
}

func keys(h http.Header) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range h {
			if !yield(k) {
				return
			}
		}
	}
}

// Over tells whether err says that the other side has ended the connection.
func Over(err error) bool {
	why := Why(err)
	return why == "connection closed" || why == "connection reset"
}

// Why names what kept an answer from coming, in a few words that can be counted.
func Why(err error) string {
	var timeout interface{ Timeout() bool }
	var lookup *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return "stopped"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "connection closed"
	case errors.As(err, &lookup):
		return "name not found"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no room for a connection"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	}
	return "malformed answer"
}

package mirror

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A target runs in a process of its own, so that its memory and its connections
// are not counted with ours.
const targetMode = "PASSIFLOW_TEST_TARGET"

func TestMain(m *testing.M) {
	if mode := os.Getenv(targetMode); mode != "" {
		if err := serve(mode, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "target:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// verdict is what a target says at its end.
type verdict struct {
	Streams map[uint64]uint64 // bytes of each, by its id
	Reset   map[uint64]bool   // those that the target itself has torn down
	Faults  []string
	Most    int // connections at once
}

// place is the target in its process. Each stream begins with its id and length,
// and its bytes tell their place.
type place struct {
	mode  string
	mu    sync.Mutex
	open  map[net.Conn]bool
	all   sync.WaitGroup
	spent atomic.Int64 // bytes read
	began time.Time
	hurry chan struct{} // closed: slow no more
	v     verdict
}

const (
	headBytes = 16
	slowRate  = 5 << 20  // bytes a second of all connections
	slowMost  = 20 << 20 // bytes that a slow target takes while packets come
	flapEvery = 700 * time.Millisecond
	flapDown  = 300 * time.Millisecond
)

func serve(mode string, in io.Reader, out io.Writer) error {
	p := &place{mode: mode, open: map[net.Conn]bool{}, began: time.Now(), hurry: make(chan struct{}),
		v: verdict{Streams: map[uint64]uint64{}, Reset: map[uint64]bool{}}}
	// On an address whose ports no connections come from while the target is down.
	ln, err := p.listen("127.77.0.1:0")
	if err != nil {
		return err
	}
	address := ln.Addr().String()
	fmt.Fprintln(out, address)
	stop := make(chan struct{})
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			p.accept(ln)
			for { // until it is closed or the target is up again
				select {
				case <-stop:
					return
				case <-time.After(flapDown):
				}
				if ln, err = p.listen(address); err == nil {
					break
				}
			}
		}
	})
	lines := bufio.NewScanner(in)
	lines.Scan() // all was captured
	close(p.hurry)
	lines.Scan() // all was delivered
	close(stop)
	accepting.Wait()
	p.all.Wait()
	return json.NewEncoder(out).Encode(p.v)
}

// listen listens so that little rests in the kernel when a target is not well:
// a connection has its small buffer before the first byte comes.
func (p *place) listen(address string) (net.Listener, error) {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if p.mode == "well" {
			return nil
		}
		if e := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) }); e != nil {
			return e
		}
		return err
	}}
	return c.Listen(context.Background(), "tcp", address)
}

// accept serves a listener until it flaps or, in other modes, until the end.
func (p *place) accept(ln net.Listener) {
	if p.mode == "flapping" {
		t := time.AfterFunc(flapEvery, func() { ln.Close() })
		defer t.Stop()
	}
	for {
		_ = ln.(*net.TCPListener).SetDeadline(time.Now().Add(200 * time.Millisecond))
		c, err := ln.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if p.idle() {
				ln.Close()
				return
			}
			continue
		}
		if err != nil {
			break
		}
		p.mu.Lock()
		p.open[c] = true
		p.v.Most = max(p.v.Most, len(p.open))
		p.mu.Unlock()
		p.all.Add(1)
		go p.read(c)
	}
	// It goes down, and takes some of its connections with it.
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		if rand.IntN(10) == 0 {
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}
}

// idle tells whether the end has come.
func (p *place) idle() bool {
	select {
	case <-p.hurry:
	default:
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open) == 0
}

func (p *place) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.v.Faults) < 20 {
		p.v.Faults = append(p.v.Faults, fmt.Sprintf(format, args...))
	}
}

func (p *place) read(c net.Conn) {
	defer p.all.Done()
	defer c.Close()
	var head [headBytes]byte
	_, err := io.ReadFull(c, head[:])
	id, size := binary.BigEndian.Uint64(head[:]), binary.BigEndian.Uint64(head[8:])
	at := uint64(headBytes)
	buf := make([]byte, 2048)
	for err == nil {
		p.wait(len(buf))
		var n int
		n, err = c.Read(buf)
		for i := range n {
			if at+uint64(i) >= size || buf[i] != content(id, at+uint64(i)) {
				p.fault("stream %d: byte %d is another", id, at+uint64(i))
				return
			}
		}
		at += uint64(n)
		if n > 0 && p.mode == "well" {
			_, _ = c.Write(buf[:n]) // an answer that must be read
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	if at == headBytes && !errors.Is(err, io.EOF) && size == 0 {
		return // nothing came
	}
	if _, twice := p.v.Streams[id]; twice {
		p.v.Faults = append(p.v.Faults, fmt.Sprintf("stream %d came twice", id))
	}
	p.v.Streams[id] = at
	if errors.Is(err, net.ErrClosed) {
		p.v.Reset[id] = true
	}
}

// wait keeps a slow target to its rate.
func (p *place) wait(n int) {
	if p.mode != "slow" {
		return
	}
	spent := p.spent.Add(int64(n))
	due := time.After(time.Until(p.began.Add(time.Duration(spent) * time.Second / slowRate)))
	if spent > slowMost {
		due = nil
	}
	select {
	case <-due:
	case <-p.hurry:
	}
}

// content is the byte at a place of a stream.
func content(id, at uint64) byte {
	return byte((at*0x9e3779b97f4a7c15 + id*0xff51afd7ed558ccd) >> 56)
}

// target is the process.
type target struct {
	address string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startTarget(t *testing.T, mode string) *target {
	t.Helper()
	x := &target{cmd: exec.Command(os.Args[0])}
	x.cmd.Env = append(os.Environ(), targetMode+"="+mode)
	x.cmd.Stderr = os.Stderr
	in, err := x.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := x.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.cmd.Process.Kill(); _ = x.cmd.Wait() })
	x.in, x.out = in, bufio.NewReader(out)
	line, err := x.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	x.address = line[:len(line)-1]
	return x
}

// captured says that there are no more packets.
func (x *target) captured() { fmt.Fprintln(x.in, "captured") }

// end returns what the target got.
func (x *target) end(t *testing.T) (v verdict) {
	t.Helper()
	fmt.Fprintln(x.in, "end")
	if err := json.NewDecoder(x.out).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

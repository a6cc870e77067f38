package pcapfile

import (
	"errors"
	"io"
	"os"
	"time"
)

const pumpBlock = 256 << 10

// pump reads in a goroutine of its own what cannot be read with a bounded wait:
// packed data, and pipes where the system has no poll. Two blocks go round.
type pump struct {
	full, free chan []byte
	block      []byte // in use by readWait
	rest       []byte // of block
	err        error  // set before full is closed
	cut        bool   // the packed data ended early; valid after the end
	quit       chan struct{}
	timer      *time.Timer
}

func startPump(r io.Reader, done <-chan struct{}) *pump {
	p := &pump{full: make(chan []byte, 2), free: make(chan []byte, 2), quit: make(chan struct{})}
	p.free <- make([]byte, pumpBlock)
	p.free <- make([]byte, pumpBlock)
	p.timer = time.NewTimer(time.Hour)
	p.timer.Stop()
	go p.run(r, done)
	return p
}

func (p *pump) run(r io.Reader, done <-chan struct{}) {
	defer close(p.full)
	if c, ok := r.(interface{ Close() }); ok {
		defer c.Close()
	}
	for {
		var b []byte
		select {
		case b = <-p.free:
		case <-p.quit:
			p.err = os.ErrClosed
			return
		case <-done:
			p.err = os.ErrClosed
			return
		}
		n, err := r.Read(b[:cap(b)])
		if n > 0 {
			p.full <- b[:n] // has room for every block there is
		} else if err == nil {
			p.free <- b
		}
		if err != nil {
			// Packed data that ends early is an end like that of a plain file.
			if errors.Is(err, io.ErrUnexpectedEOF) {
				p.cut, err = true, io.EOF
			}
			p.err = err
			return
		}
	}
}

// stop lets the goroutine end; it does so when its read returns.
func (p *pump) stop() {
	select {
	case <-p.quit:
	default:
		close(p.quit)
	}
}

// Read waits for data without bound.
func (p *pump) Read(b []byte) (int, error) {
	for {
		if n, err := p.readWait(b, time.Second); !errors.Is(err, errIdle) {
			return n, err
		}
	}
}

func (p *pump) readWait(b []byte, wait time.Duration) (int, error) {
	if len(p.rest) == 0 {
		if p.block != nil {
			p.free <- p.block
			p.block = nil
		}
		select {
		case p.block = <-p.full:
		default:
			p.timer.Reset(wait)
			select {
			case p.block = <-p.full:
				p.timer.Stop()
			case <-p.timer.C:
				return 0, errIdle
			}
		}
		if p.block == nil {
			return 0, p.err
		}
		p.rest = p.block
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

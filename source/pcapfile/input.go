package pcapfile

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// input is one open file: read(2), and at its end the wait for more.
type input struct {
	path     string
	r        io.Reader
	file     *os.File // nil: r is no file
	wait     time.Duration
	follow   bool // at the end wait for more
	regular  bool
	own      bool // close it
	blocking bool // a Read may wait for ever: only a pump may call it
	unpacked bool // the layer that packs was looked for

	patient  atomic.Bool  // Read goes on waiting instead of returning errIdle
	offset   atomic.Int64 // bytes read
	replaced atomic.Bool  // another file stands under the name
	stopped  atomic.Bool
	done     <-chan struct{}
}

func openInput(cfg *Config, path string, last bool, done <-chan struct{}) (*input, error) {
	in := &input{path: path, wait: cfg.Wait, done: done}
	if path == "-" {
		in.r = cfg.Stdin
		in.file, _ = cfg.Stdin.(*os.File)
		if in.file == nil {
			in.blocking = true
			return in, nil
		}
	} else {
		// A named pipe without a writer would hold up the open itself.
		flags := os.O_RDONLY
		if st, err := os.Stat(path); err == nil && st.Mode()&os.ModeNamedPipe != 0 {
			flags |= noWait
		}
		f, err := os.OpenFile(path, flags, 0)
		if err != nil {
			return nil, err
		}
		in.r, in.file, in.own = f, f, true
	}
	st, err := in.file.Stat()
	if err != nil {
		in.close()
		return nil, err
	}
	in.regular = st.Mode().IsRegular()
	in.follow = cfg.Follow && last && in.regular && in.own
	in.blocking = !in.regular && !canPoll
	return in, nil
}

func (in *input) close() {
	in.stopped.Store(true)
	if in.own {
		_ = in.file.Close() // read only: nothing is lost
	}
}

// Read reads what is there. It returns errIdle when nothing came for a while,
// unless the input is patient.
func (in *input) Read(p []byte) (int, error) {
	for {
		if in.stopped.Load() {
			return 0, os.ErrClosed
		}
		if !in.regular && !in.blocking {
			ready, err := poll(in.file, in.wait)
			if err != nil {
				return 0, err
			}
			if !ready {
				if in.patient.Load() {
					continue
				}
				return 0, errIdle
			}
		}
		n, err := in.r.Read(p)
		in.offset.Add(int64(n))
		if n > 0 {
			return n, nil
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) || !in.follow {
			return 0, err
		}
		if in.replaced.Load() {
			return 0, io.EOF
		}
		if in.look() {
			continue // what was written before the change is read first
		}
		select {
		case <-in.done:
			return 0, os.ErrClosed
		case <-time.After(in.wait):
		}
		if !in.patient.Load() {
			return 0, errIdle
		}
	}
}

// look tells whether another file stands under the name, or this one was cut.
func (in *input) look() bool {
	now, err := os.Stat(in.path)
	if err != nil {
		return false // moved away, its successor is not there yet
	}
	old, err := in.file.Stat()
	if err != nil {
		return false
	}
	if os.SameFile(now, old) && now.Size() >= in.offset.Load() {
		return false
	}
	in.replaced.Store(true)
	return true
}

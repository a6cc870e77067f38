package pcapfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

const (
	maxPacket     = 16 << 20 // a packet or block above this many bytes is taken for corruption
	maxInterfaces = 1 << 16  // interfaces of all files together: a bound on hostile pcapng
	minBuffer     = 4 << 10
)

// errIdle means that nothing came for Config.Wait.
var errIdle = errors.New("nothing to read yet")

// format is a parser of one file.
type format interface {
	// next sets packets of batch from whole records at the front of w. When
	// none is whole, need is how many bytes at the front would help.
	next(w *window, batch []packet.Packet) (n, need int, err error)
	// partial tells whether the bytes left in w when the file ended belonged to
	// a packet.
	partial(w *window) bool
	// dropped is what the file says its capture lost.
	dropped() uint64
}

// reader is the Source: one file at a time.
type reader struct {
	cfg    Config
	win    window
	index  int    // in cfg.Paths
	in     *input // nil: not open
	pump   *pump  // nil: in is read as it is
	below  *pump  // that pump reads from, nil: from in
	format format // nil: not known yet
	name   string // of the file, for errors
	err    error  // what Read says from now on

	received, cut, drops atomic.Uint64
	total                atomic.Int64 // bytes of all regular files
	before               atomic.Int64 // bytes of the files that are done
	current              atomic.Pointer[input]

	mu         sync.Mutex
	interfaces []source.Interface // append only
	dropsDone  uint64             // of the files that are done

	close sync.Once
	done  chan struct{}
}

func (s *reader) Live() bool { return s.cfg.Follow }

func (s *reader) Stats() source.Stats {
	return source.Stats{Received: s.received.Load(), Cut: s.cut.Load(), Dropped: s.drops.Load()}
}

// Progress may be called by any goroutine.
func (s *reader) Progress() (done, total int64) {
	done = s.before.Load()
	if in := s.current.Load(); in != nil {
		done += in.offset.Load()
	}
	return done, max(s.total.Load(), done)
}

func (s *reader) Interfaces() []source.Interface {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.interfaces[:len(s.interfaces):len(s.interfaces)]
}

// addInterface returns the index of an interface, which is a new one unless
// one of that name and link is known: rotated files go on with the same.
func (s *reader) addInterface(name string, link packet.Link) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := source.Interface{Name: name, Link: link, Loopback: name == "lo" || name == "lo0" || link == packet.LinkNull || link == packet.LinkLoop}
	if len(s.interfaces) < 64 {
		if i := slices.Index(s.interfaces, it); i >= 0 {
			return i, nil
		}
	} else if s.interfaces[len(s.interfaces)-1] == it {
		return len(s.interfaces) - 1, nil
	}
	if len(s.interfaces) == maxInterfaces {
		return 0, fmt.Errorf("more than %d interfaces: the file is corrupt, or read fewer files at once", maxInterfaces)
	}
	s.interfaces = append(s.interfaces, it)
	return len(s.interfaces) - 1, nil
}

func (s *reader) Close() error {
	// Whoever is inside Read notices within Config.Wait and releases the file;
	// closing it here as well lets a Read that waits in the kernel return.
	s.close.Do(func() {
		close(s.done)
		if in := s.current.Load(); in != nil {
			in.close()
		}
	})
	return nil
}

func (s *reader) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *reader) Read(batch []packet.Packet) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.closed() {
		return 0, s.fail(os.ErrClosed)
	}
	if len(batch) == 0 {
		return 0, nil
	}
	for {
		if s.format == nil {
			if err := s.begin(); errors.Is(err, errIdle) {
				return 0, nil
			} else if err != nil {
				return 0, s.fail(err)
			}
			continue
		}
		n, need, err := s.format.next(&s.win, batch)
		if err != nil {
			err = s.fail(fmt.Errorf("read %s: %w", s.name, err))
		}
		if n > 0 {
			s.received.Add(uint64(n))
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		switch err := s.fill(need); {
		case errors.Is(err, errIdle):
			return 0, nil
		case errors.Is(err, io.EOF):
			s.finish()
		case err != nil:
			return 0, s.fail(fmt.Errorf("read %s: %w", s.name, err))
		}
	}
}

func (s *reader) fail(err error) error {
	s.release()
	s.err = err
	return err
}

// begin takes one step towards a known format: it opens the next path, unpacks,
// or recognises. io.EOF: there is no other path.
func (s *reader) begin() error {
	if s.in == nil {
		if s.index == len(s.cfg.Paths) {
			return io.EOF
		}
		path := s.cfg.Paths[s.index]
		s.win.reset()
		in, err := openInput(&s.cfg, path, s.index == len(s.cfg.Paths)-1, s.done)
		if err != nil {
			return fmt.Errorf("open capture: %w", err)
		}
		s.name = path
		if path == "-" {
			s.name = "standard input"
		}
		s.in = in
		s.current.Store(in)
		if s.closed() {
			in.close()
		}
		if in.blocking { // a wait that cannot be bounded here needs a goroutine of its own
			s.pump = startPump(in, s.done)
		}
		return nil
	}
	head := s.win.bytes()
	// The shortest capture has 24 bytes; nothing packed is shorter than 8.
	if len(head) < 8 {
		switch err := s.fill(8); {
		case errors.Is(err, io.EOF) && s.pump != nil && s.pump.cut:
			return fmt.Errorf("read %s: packed capture is cut off inside its header: copy it again", s.name)
		case errors.Is(err, io.EOF) && len(s.win.bytes()) == 0:
			return fmt.Errorf("read %s: is empty: a capture begins with a header", s.name)
		case errors.Is(err, io.EOF):
			if err := foreign(s.win.bytes()); err != nil {
				return fmt.Errorf("read %s: %w", s.name, err)
			}
			return fmt.Errorf("read %s: ends in the middle of its header", s.name)
		case err != nil && !errors.Is(err, errIdle):
			return fmt.Errorf("read %s: %w", s.name, err)
		default:
			return err
		}
	}
	if !s.in.unpacked {
		s.in.unpacked = true
		unpack, err := unpacker(head)
		if err != nil {
			return fmt.Errorf("read %s: %w", s.name, err)
		}
		if unpack != nil {
			var below io.Reader = s.in
			if s.pump != nil {
				below, s.below = s.pump, s.pump
			}
			r, err := unpack(slices.Clone(head), below)
			if err != nil {
				return fmt.Errorf("read %s: %w", s.name, err)
			}
			s.in.patient.Store(true)
			s.pump = startPump(r, s.done)
			s.win.reset()
			return nil
		}
	}
	f, need, err := recognise(&s.win, s)
	if err != nil {
		return fmt.Errorf("read %s: %w", s.name, err)
	}
	if f == nil {
		if err := s.fill(need); errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: ends in the middle of its header", s.name)
		} else if err != nil && !errors.Is(err, errIdle) {
			return fmt.Errorf("read %s: %w", s.name, err)
		} else {
			return err
		}
	}
	s.format = f
	return nil
}

// fill reads once, so that the front of the window may hold need bytes.
func (s *reader) fill(need int) error {
	if s.pump != nil {
		return s.win.fill(need, func(p []byte) (int, error) { return s.pump.readWait(p, s.cfg.Wait) })
	}
	return s.win.fill(need, s.in.Read)
}

// finish ends one file: what is left of a packet is counted.
func (s *reader) finish() {
	if s.format.partial(&s.win) {
		s.cut.Add(1)
		s.cfg.Log.Warn("capture ends in the middle of a packet", "file", s.name, "at", s.win.offset())
	} else if s.pump != nil && s.pump.cut {
		s.cfg.Log.Warn("packed capture ends before its end", "file", s.name)
	}
	s.dropsDone += s.format.dropped()
	s.drops.Store(s.dropsDone)
	again := s.in.replaced.Load()
	s.release()
	if !again {
		s.index++
	}
}

func (s *reader) release() {
	if s.in != nil {
		s.before.Add(s.in.offset.Load())
		s.current.Store(nil)
		s.in.close()
	}
	for _, p := range []*pump{s.pump, s.below} {
		if p != nil {
			p.stop()
		}
	}
	s.in, s.pump, s.below, s.format = nil, nil, nil, nil
	s.win.reset()
}

// label is the name of an interface that a file does not name: the file's own.
func (s *reader) label() string {
	if s.in.path == "-" {
		return "stdin"
	}
	return filepath.Base(s.in.path)
}

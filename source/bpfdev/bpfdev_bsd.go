//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package bpfdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// system is this system's layout of records.
func system() layout {
	return layout{stamp: int(unsafe.Sizeof(syscall.BpfHdr{}.Tstamp)), align: unix.BPF_ALIGNMENT}
}

// device is one opened /dev/bpf.
type device struct {
	fd    int
	name  string
	link  packet.Link
	buf   []byte // as long as the kernel's: a read takes all of it
	rest  []byte // of buf
	drops uint64
	last  uint32 // the kernel's count, which wraps
}

// capture is the Source.
type capture struct {
	layout     layout
	wait       time.Duration
	devices    []*device
	polls      []unix.PollFd
	turn       int // the device that is looked at first
	interfaces []source.Interface

	received, dropped, cut atomic.Uint64

	closed atomic.Bool
	mu     sync.Mutex // held while the devices are used
}

// Open opens the devices. The Source is also a source.Live.
func Open(cfg Config) (source.Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	chosen, err := source.Choose(cfg.Interfaces)
	if err != nil {
		return nil, err
	}
	c := &capture{layout: system(), wait: cfg.Wait}
	for _, d := range chosen {
		dev, err := openDevice(&cfg, d.Name)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", d.Name, err), c.Close())
		}
		c.devices = append(c.devices, dev)
		c.polls = append(c.polls, unix.PollFd{Fd: int32(dev.fd), Events: unix.POLLIN})
		c.interfaces = append(c.interfaces, source.Interface{Name: d.Name, Link: dev.link, Loopback: d.Loopback})
	}
	return c, nil
}

// node opens a device that nobody has: systems that clone have one name for
// all, the others number them.
func node() (int, error) {
	for i := -1; i < 256; i++ {
		path := "/dev/bpf"
		if i >= 0 {
			path += strconv.Itoa(i)
		}
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		switch {
		case err == nil:
			return fd, nil
		case errors.Is(err, fs.ErrPermission):
			return -1, fmt.Errorf("%s: %w: run as root, or let a group read /dev/bpf*", path, err)
		case errors.Is(err, unix.EBUSY), i < 0 && errors.Is(err, fs.ErrNotExist):
			continue
		default:
			return -1, fmt.Errorf("%s: %w", path, err)
		}
	}
	return -1, errors.New("all of /dev/bpf* are in use: end another capture")
}

func openDevice(cfg *Config, name string) (_ *device, err error) {
	fd, err := node()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	// The system says no to sizes above its limit, or gives the limit.
	size := cfg.BufferBytes
	for {
		given, err := syscall.SetBpfBuflen(fd, size)
		if err == nil {
			size = given
			break
		}
		if size /= 2; size < 4096 {
			return nil, os.NewSyscallError("BIOCSBLEN", err)
		}
	}
	if err := syscall.SetBpfInterface(fd, name); err != nil {
		return nil, os.NewSyscallError("BIOCSETIF", err)
	}
	number, err := syscall.BpfDatalink(fd)
	if err != nil {
		return nil, os.NewSyscallError("BIOCGDLT", err)
	}
	link := linkType(uint32(number), runtime.GOOS == "openbsd")
	program, err := cfg.program(link)
	if err != nil {
		return nil, err
	}
	code := make([]syscall.BpfInsn, len(program))
	for i, in := range program {
		code[i] = syscall.BpfInsn{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	// What came before the filter goes with it.
	if err := syscall.SetBpf(fd, code); err != nil {
		return nil, os.NewSyscallError("BIOCSETF", err)
	}
	wait := syscall.NsecToTimeval(cfg.Wait.Nanoseconds())
	if err := syscall.SetBpfTimeout(fd, &wait); err != nil {
		return nil, os.NewSyscallError("BIOCSRTIMEOUT", err)
	}
	if cfg.Promiscuous {
		if err := syscall.SetBpfPromisc(fd, 1); err != nil {
			return nil, os.NewSyscallError("BIOCPROMISC", err)
		}
	}
	return &device{fd: fd, name: name, link: link, buf: make([]byte, size)}, nil
}

func (c *capture) Live() bool { return true }

func (c *capture) Interfaces() []source.Interface { return c.interfaces }

func (c *capture) Stats() source.Stats {
	return source.Stats{Received: c.received.Load(), Dropped: c.dropped.Load(), Cut: c.cut.Load()}
}

func (c *capture) Read(batch []packet.Packet) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return 0, fmt.Errorf("read: %w", os.ErrClosed)
	}
	if len(batch) == 0 {
		return 0, nil
	}
	n := c.take(batch)
	if n == 0 {
		if err := c.fill(); err != nil {
			return 0, err
		}
		n = c.take(batch)
	}
	c.received.Add(uint64(n))
	return n, nil
}

// take hands out what is in the buffers.
func (c *capture) take(batch []packet.Packet) int {
	n := 0
	for range c.devices {
		d := c.devices[c.turn]
		for len(d.rest) > 0 && n < len(batch) {
			rest, ok := c.layout.next(d.rest, &batch[n], d.link, c.turn)
			if d.rest = rest; !ok {
				c.cut.Add(1)
				break
			}
			n++
		}
		if n == len(batch) {
			break
		}
		c.turn = (c.turn + 1) % len(c.devices)
	}
	return n
}

// fill waits for packets and reads every device that has some. All buffers are
// used up when it is called.
func (c *capture) fill() error {
	ready, err := c.poll()
	if err != nil {
		return fmt.Errorf("wait for packets: %w", err)
	}
	for i, d := range c.devices {
		if ready > 0 && c.polls[i].Revents != 0 {
			n, err := unix.Read(d.fd, d.buf)
			if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("read %s: %w", d.name, err)
			}
			d.rest = d.buf[:max(n, 0)]
		}
		d.countDrops()
	}
	var drops uint64
	for _, d := range c.devices {
		drops += d.drops
	}
	c.dropped.Store(drops)
	return nil
}

// poll waits for packets and returns how many devices have some. The Go
// scheduler's signals end the system's wait early, which is taken up again.
func (c *capture) poll() (int, error) {
	end := time.Now().Add(c.wait)
	for left := c.wait; ; left = max(time.Until(end), 0) {
		n, err := unix.Poll(c.polls, int((left+time.Millisecond-1)/time.Millisecond))
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

func (d *device) countDrops() {
	if st, err := syscall.BpfStats(d.fd); err == nil {
		now := uint32(st.Drop)
		d.drops += uint64(now - d.last)
		d.last = now
	}
}

// Close waits for a Read that is under way, which takes no longer than
// Config.Wait.
func (c *capture) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var faults []error
	for _, d := range c.devices {
		if err := unix.Close(d.fd); err != nil {
			faults = append(faults, fmt.Errorf("close %s: %w", d.name, err))
		}
	}
	return errors.Join(faults...)
}

//go:build libpcap && cgo && unix

package libpcap

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// capture is the Source.
type capture struct {
	wait       time.Duration
	snaplen    int
	handles    []*handle
	polls      []unix.PollFd
	turn       int // the handle that is looked at first
	interfaces []source.Interface

	received, dropped atomic.Uint64

	closed atomic.Bool
	mu     sync.Mutex // held while the handles are used
}

// Open opens the devices. The Source is also a source.Live.
func Open(cfg Config) (source.Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	names := cfg.Interfaces
	if len(names) == 0 {
		chosen, err := source.Choose(nil)
		if err != nil {
			return nil, err
		}
		names = []string{chosen[0].Name}
	}
	// libpcap knows devices that are no network interfaces: not finding one in
	// the list says nothing.
	loopback := map[string]bool{}
	if found, err := source.Devices(); err == nil {
		for _, d := range found {
			loopback[d.Name] = d.Loopback
		}
	}
	c := &capture{wait: cfg.Wait, snaplen: cfg.Snaplen}
	for _, name := range names {
		h, err := openHandle(&cfg, name)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), c.Close())
		}
		c.handles = append(c.handles, h)
		c.interfaces = append(c.interfaces, source.Interface{Name: name, Link: h.link, Loopback: loopback[name]})
		if h.fd >= 0 {
			c.polls = append(c.polls, unix.PollFd{Fd: int32(h.fd), Events: unix.POLLIN})
		}
	}
	return c, nil
}

func (c *capture) Live() bool { return true }

func (c *capture) Interfaces() []source.Interface { return c.interfaces }

func (c *capture) Stats() source.Stats {
	return source.Stats{Received: c.received.Load(), Dropped: c.dropped.Load()}
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
	n, err := c.take(batch)
	if n == 0 && err == nil {
		c.countDrops()
		// Without a descriptor to wait on this only passes time.
		if err := c.poll(); err != nil {
			return 0, fmt.Errorf("wait for packets: %w", err)
		}
		n, err = c.take(batch)
	}
	c.received.Add(uint64(n))
	if n > 0 {
		return n, nil // an error comes again
	}
	return 0, err
}

// poll waits. The Go scheduler's signals end the system's wait early, which is
// taken up again.
func (c *capture) poll() error {
	end := time.Now().Add(c.wait)
	for left := c.wait; ; left = max(time.Until(end), 0) {
		_, err := unix.Poll(c.polls, int((left+time.Millisecond-1)/time.Millisecond))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (c *capture) take(batch []packet.Packet) (int, error) {
	n := 0
	for range c.handles {
		k, err := c.handles[c.turn].take(batch[n:], c.turn, c.snaplen)
		n += k
		if err != nil || n == len(batch) {
			return n, err
		}
		c.turn = (c.turn + 1) % len(c.handles)
	}
	return n, nil
}

func (c *capture) countDrops() {
	var drops uint64
	for _, h := range c.handles {
		h.countDrops()
		drops += h.drops
	}
	c.dropped.Store(drops)
}

// Close waits for a Read that is under way, which takes no longer than
// Config.Wait.
func (c *capture) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.countDrops()
	for _, h := range c.handles {
		h.close()
	}
	return nil
}

package npcap

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// port is an opened device.
type port interface {
	// next returns a packet that waits: its header is valid until the next
	// call, as its data is. No packet: nil and nil.
	next() (*header, []byte, error)
	// lost returns how many packets the driver dropped, a count that wraps.
	lost() (uint32, bool)
	close()
}

// header is struct pcap_pkthdr on Windows, where long has 32 bits.
type header struct{ sec, micro, size, wire uint32 }

// capture is the Source.
type capture struct {
	ports      []port
	links      []packet.Link
	interfaces []source.Interface
	last       []uint32 // drop counts
	turn       int      // the port that is looked at first
	// await waits until a port has packets, at most as long as it is told.
	await func(time.Duration) error
	wait  time.Duration
	data  []byte // the packets of the batch, copied: the library keeps one at a time

	received, dropped atomic.Uint64

	closed atomic.Bool
	mu     sync.Mutex // held while the ports are used
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
		if err := c.await(c.wait); err != nil {
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

// take copies the packets that wait.
func (c *capture) take(batch []packet.Packet) (int, error) {
	c.data = c.data[:0]
	n := 0
	for range c.ports {
		for n < len(batch) {
			h, data, err := c.ports[c.turn].next()
			if err != nil {
				return n, fmt.Errorf("read %s: %w", c.interfaces[c.turn].Name, err)
			}
			if h == nil {
				break
			}
			// When data grows into another array the packets before keep theirs.
			at := len(c.data)
			c.data = append(c.data, data...)
			batch[n] = packet.Packet{
				Time:      packet.Time(int64(h.sec)*1e9 + int64(h.micro)*1e3),
				Data:      c.data[at:len(c.data):len(c.data)],
				Length:    int(max(h.wire, uint32(len(data)))),
				Link:      c.links[c.turn],
				Interface: c.turn,
			}
			n++
		}
		if n == len(batch) {
			break
		}
		c.turn = (c.turn + 1) % len(c.ports)
	}
	return n, nil
}

func (c *capture) countDrops() {
	for i, p := range c.ports {
		if now, ok := p.lost(); ok {
			c.dropped.Add(uint64(now - c.last[i]))
			c.last[i] = now
		}
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
	c.countDrops()
	for _, p := range c.ports {
		p.close()
	}
	return nil
}

func (c *capture) add(p port, it source.Interface) {
	c.ports = append(c.ports, p)
	c.links = append(c.links, it.Link)
	c.interfaces = append(c.interfaces, it)
	c.last = append(c.last, 0)
}

// linkType turns a DLT_ value into that of capture files.
func linkType(n int) (packet.Link, error) {
	switch {
	case n < 0:
		return 0, errors.New("the library does not tell how frames begin")
	case n == 12:
		return packet.LinkRaw, nil
	}
	return packet.Link(n), nil
}

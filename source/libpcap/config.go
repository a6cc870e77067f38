// Package libpcap captures live through libpcap itself. It needs cgo and the
// build tag `libpcap`; without them Open says so. On Linux, macOS, the BSDs and
// Windows the other sources need neither: this one is for devices that only
// libpcap knows, and for who trusts it more.
package libpcap

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/net/bpf"

	"github.com/passiflow/passiflow/packet"
)

// Config says what to capture.
type Config struct {
	// Interfaces names the devices as libpcap does, such as "eth0", "any" or
	// "usbmon1". Default nil: the first that is up and not loopback.
	Interfaces []string
	// Promiscuous also takes frames that are addressed to other machines.
	// Default false.
	Promiscuous bool
	// Snaplen is how many bytes are kept of a frame. Default 262144.
	Snaplen int
	// BufferBytes is the kernel's buffer for each device. Default 16 MiB.
	BufferBytes int
	// Wait is how long packets may wait in a buffer that is not full, and how
	// long a Read waits for one. Default 100 ms.
	Wait time.Duration
	// Filter returns the filter for frames that begin as link says. Default nil:
	// everything.
	Filter func(link packet.Link) ([]bpf.RawInstruction, error)
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Snaplen: 262144, BufferBytes: 16 << 20, Wait: 100 * time.Millisecond}
}

func (c *Config) check() error {
	if c.Snaplen < 1 || c.Snaplen > 16<<20 {
		return fmt.Errorf("snaplen: %d is not between 1 and %d", c.Snaplen, 16<<20)
	}
	if c.BufferBytes < 64<<10 || c.BufferBytes > math.MaxInt32 {
		return fmt.Errorf("buffer_bytes: %d is not between %d and %d", c.BufferBytes, 64<<10, math.MaxInt32)
	}
	if c.Wait < time.Millisecond || c.Wait > 10*time.Second {
		return fmt.Errorf("wait: %v is not between 1ms and 10s", c.Wait)
	}
	return nil
}

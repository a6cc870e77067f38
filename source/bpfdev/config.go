// Package bpfdev captures live on macOS and the BSDs through /dev/bpf, without
// cgo and without libpcap.
package bpfdev

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/net/bpf"

	"github.com/passiflow/passiflow/packet"
)

// Config says what to capture.
type Config struct {
	// Interfaces names the devices. Default nil: the first that is up and not
	// loopback.
	Interfaces []string
	// Promiscuous also takes frames that are addressed to other machines.
	// Default false.
	Promiscuous bool
	// Snaplen is how many bytes are kept of a frame. Default 262144.
	Snaplen int
	// BufferBytes is the kernel's buffer for each device, of which there are
	// two; the system gives less where its limit is lower (debug.bpf_maxbufsize
	// on macOS, net.bpf.maxbufsize on FreeBSD). Default 4 MiB.
	BufferBytes int
	// Wait is how long packets may wait in a buffer that is not full, and how
	// long a Read waits for one. Default 100 ms.
	Wait time.Duration
	// Filter returns the kernel's filter for frames that begin as link says.
	// Default nil: everything.
	Filter func(link packet.Link) ([]bpf.RawInstruction, error)
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Snaplen: 262144, BufferBytes: 4 << 20, Wait: 100 * time.Millisecond}
}

func (c *Config) check() error {
	if c.Snaplen < 1 || c.Snaplen > math.MaxInt32 {
		return fmt.Errorf("snaplen: %d is not between 1 and %d", c.Snaplen, math.MaxInt32)
	}
	if c.BufferBytes < 4096 || c.BufferBytes > 1<<30 {
		return fmt.Errorf("buffer_bytes: %d is not between 4096 and %d", c.BufferBytes, 1<<30)
	}
	if c.Wait < time.Millisecond || c.Wait > 10*time.Second {
		return fmt.Errorf("wait: %v is not between 1ms and 10s", c.Wait)
	}
	return nil
}

// program returns the filter for a link, cut to the snaplen. It is never empty:
// attaching one also throws away what was captured before it.
func (c *Config) program(link packet.Link) ([]bpf.RawInstruction, error) {
	const retK = 0x06
	var code []bpf.RawInstruction
	if c.Filter != nil {
		user, err := c.Filter(link)
		if err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
		code = append(code, user...)
	}
	for i := range code {
		if code[i].Op == retK {
			code[i].K = min(code[i].K, uint32(c.Snaplen))
		}
	}
	if len(code) == 0 {
		code = []bpf.RawInstruction{{Op: retK, K: uint32(c.Snaplen)}}
	}
	return code, nil
}

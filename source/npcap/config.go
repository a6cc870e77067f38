// Package npcap captures live on Windows through Npcap's wpcap.dll, which is
// loaded when a device is opened: no cgo, and programs that do not capture do
// not need it.
package npcap

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/net/bpf"

	"github.com/passiflow/passiflow/packet"
)

// Config says what to capture.
type Config struct {
	// Interfaces names the devices: as Windows shows them ("Ethernet", "Wi-Fi"),
	// or as Npcap does (`\Device\NPF_{GUID}`, `\Device\NPF_Loopback`). Default
	// nil: the first that is up and not loopback.
	Interfaces []string
	// Promiscuous also takes frames that are addressed to other machines.
	// Default false.
	Promiscuous bool
	// Snaplen is how many bytes are kept of a frame. Default 262144.
	Snaplen int
	// BufferBytes is the driver's buffer for each device. Default 16 MiB.
	BufferBytes int
	// Wait is how long a Read waits for packets. Default 100 ms.
	Wait time.Duration
	// Library is the path of wpcap.dll. Default "": where Npcap's installer puts
	// it, then where WinPcap did.
	Library string
	// Filter returns the driver's filter for frames that begin as link says.
	// Default nil: everything.
	Filter func(link packet.Link) ([]bpf.RawInstruction, error)
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Snaplen: 262144, BufferBytes: 16 << 20, Wait: 100 * time.Millisecond}
}

const maxDevices = 64 // MAXIMUM_WAIT_OBJECTS

func (c *Config) check() error {
	if c.Snaplen < 1 || c.Snaplen > math.MaxInt32 {
		return fmt.Errorf("snaplen: %d is not between 1 and %d", c.Snaplen, math.MaxInt32)
	}
	if c.BufferBytes < 64<<10 || c.BufferBytes > 1<<30 {
		return fmt.Errorf("buffer_bytes: %d is not between %d and %d", c.BufferBytes, 64<<10, 1<<30)
	}
	if c.Wait < time.Millisecond || c.Wait > 10*time.Second {
		return fmt.Errorf("wait: %v is not between 1ms and 10s", c.Wait)
	}
	if len(c.Interfaces) > maxDevices {
		return fmt.Errorf("interfaces: %d are more than the %d that Windows can wait for at once", len(c.Interfaces), maxDevices)
	}
	return nil
}

// program returns the filter for a link, nil when there is none.
func (c *Config) program(link packet.Link) ([]bpf.RawInstruction, error) {
	if c.Filter == nil {
		return nil, nil
	}
	code, err := c.Filter(link)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return code, nil
}

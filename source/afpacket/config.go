// Package afpacket captures live on Linux through AF_PACKET rings
// (TPACKET_V3), without cgo and without libpcap. CAP_NET_RAW is enough.
package afpacket

import (
	"errors"
	"fmt"
	"time"

	"github.com/passiflow/passiflow/packet"
	"golang.org/x/net/bpf"
)

// Config says what to capture and how much memory that may take.
type Config struct {
	// Interfaces names the devices to capture on; "any" stands for all of them
	// and is used alone. Default: the first device that is up and not loopback.
	Interfaces []string
	// Wait opens although a device does not exist yet: it is picked up when it
	// appears. Default: false, a missing device is an error.
	Wait bool
	// Promiscuous also takes frames that are addressed to other machines.
	// It has no meaning for "any". Default: false.
	Promiscuous bool
	// Workers is the count of sources that share the traffic, at most 256. All
	// packets of a conversation, of whatever device, come to the same one.
	// Default: 1.
	Workers int
	// Snaplen is the count of bytes that are kept of a frame, at most about a
	// quarter of BufferBytes per device. Default: 262144.
	Snaplen int
	// BufferBytes is the kernel memory for packets of one worker, shared out
	// evenly to its devices. Default: 32 MiB.
	BufferBytes int
	// BlockBytes is the memory that is handed over at a time, a multiple of
	// 64 KiB; it grows to hold a frame of Snaplen bytes, and shrinks towards that
	// in a small buffer. Smaller blocks wake the reader more often for less work
	// each. Default: 512 KiB.
	BlockBytes int
	// BlockTimeout is how long a packet may wait in a block that is not full,
	// in whole milliseconds. Default: 50 ms.
	BlockTimeout time.Duration
	// VXLANPorts and GENEVEPorts are UDP ports, at most 8 each, whose packets are
	// shared out by their inner addresses like those of 4789, 4790, 8472 and 6081.
	// Default: none.
	VXLANPorts, GENEVEPorts []uint16
	// Filter returns the kernel's filter for frames that begin as link says; it
	// is asked again whenever a device appears. What it accepts is cut to
	// Snaplen. Programs for cooked devices (LinkSLL2) may read the protocol, the
	// interface index, the hardware type and the packet type of the cooked
	// header and all that follows it. Default: nil, everything.
	Filter func(link packet.Link) ([]bpf.RawInstruction, error)
	// Swap leaves the filter open for SetFilter. Otherwise the kernel locks it.
	// Default: false.
	Swap bool
}

// DefaultConfig returns the defaults that Config names.
func DefaultConfig() Config {
	return Config{
		Workers:      1,
		Snaplen:      262144,
		BufferBytes:  32 << 20,
		BlockBytes:   512 << 10,
		BlockTimeout: 50 * time.Millisecond,
	}
}

const (
	maxWorkers = 256 // PACKET_FANOUT_MAX
	maxPorts   = 8
	granule    = 64 << 10  // the largest page of a machine that runs Go
	maxSnaplen = 16 << 20  // far above any frame there is
	maxBuffer  = 1<<31 - 1 // block numbers and sizes are 32 bits wide
	overhead   = 512       // block header, packet header and alignment, generously
	fewBlocks  = 4
	manyBlocks = 16
	anyDevice  = "any"
)

// check reports everything that is wrong with c at once.
func (c *Config) check() error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if c.Workers < 1 || c.Workers > maxWorkers {
		fault("workers: %d is not between 1 and %d", c.Workers, maxWorkers)
	}
	if c.Snaplen < 1 || c.Snaplen > maxSnaplen {
		fault("snaplen: %d is not between 1 and %d", c.Snaplen, maxSnaplen)
	}
	if c.BlockBytes < granule || c.BlockBytes%granule != 0 {
		fault("block_bytes: %d is not a multiple of %d", c.BlockBytes, granule)
	}
	if ms := c.BlockTimeout / time.Millisecond; ms < 1 || ms > 10_000 {
		fault("block_timeout: %v is not between 1ms and 10s", c.BlockTimeout)
	}
	if len(c.VXLANPorts) > maxPorts || len(c.GENEVEPorts) > maxPorts {
		fault("vxlan_ports, geneve_ports: more than %d", maxPorts)
	}
	seen := map[string]bool{}
	for _, name := range c.Interfaces {
		if seen[name] {
			fault("interfaces: %s is named twice", name)
		}
		seen[name] = true
	}
	if seen[anyDevice] && len(c.Interfaces) > 1 {
		fault("interfaces: any already holds the others")
	}
	if len(faults) == 0 {
		if c.blocks() < fewBlocks {
			fault("buffer_bytes: %d for %d interfaces holds less than %d blocks of %d bytes for each: raise it, or lower snaplen", c.BufferBytes, max(1, len(c.Interfaces)), fewBlocks, c.block())
		}
		if c.BufferBytes > maxBuffer {
			fault("buffer_bytes: %d is more than %d", c.BufferBytes, maxBuffer)
		}
	}
	return errors.Join(faults...)
}

// share returns the buffer of one device.
func (c *Config) share() int { return c.BufferBytes / max(1, len(c.Interfaces)) }

// block returns the bytes of a block: a frame must fit into one. A small buffer
// has smaller ones, because each takes up a whole block timeout when traffic is
// slow, and the reader may be late by as many as there are.
func (c *Config) block() int {
	need := (c.Snaplen + overhead + granule - 1) / granule * granule
	return max(need, min(c.BlockBytes, c.share()/manyBlocks/granule*granule))
}

// blocks returns how many blocks each device's ring has.
func (c *Config) blocks() int { return c.share() / c.block() }

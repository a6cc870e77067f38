package afpacket

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// failures counts the datagrams whose fragments the kernel could not join since
// it was opened. The kernel has one count for the whole machine, or rather for
// the network namespace, in which those of its own traffic are too.
type failures struct {
	file *os.File
	base uint64
	n    uint64 // when the file was closed
}

func openFailures() (*failures, error) {
	// Of this thread: others of the process may be in other namespaces.
	f, err := os.Open("/proc/thread-self/net/snmp")
	if err != nil {
		return nil, fmt.Errorf("count what the kernel cannot join: %w", err)
	}
	c := &failures{file: f}
	c.base = c.total()
	return c, nil
}

// count returns the datagrams so far.
func (c *failures) count() uint64 {
	if c.file == nil {
		return c.n
	}
	return c.total() - c.base
}

func (c *failures) close() {
	if c.file != nil {
		c.n = c.count()
		c.file.Close()
		c.file = nil
	}
}

// total returns the kernel's ReasmFails (RFC 4293): it stands below its name.
func (c *failures) total() uint64 {
	b := make([]byte, 4096)
	n, _ := c.file.ReadAt(b, 0) // shorter than b, with io.EOF
	var names []string
	for line := range strings.Lines(string(b[:n])) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "Ip:" {
			continue
		}
		if names == nil {
			names = words
			continue
		}
		for i, name := range names {
			if name == "ReasmFails" && i < len(words) {
				v, _ := strconv.ParseUint(words[i], 10, 64)
				return v
			}
		}
	}
	return c.base
}

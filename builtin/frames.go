package builtin

import (
	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/format/pcapng"
)

// Packets returns the format that packets are kept in; snaplen is in bytes.
func Packets(snaplen int) format.Frames {
	c := pcapng.DefaultConfig()
	c.Snaplen = snaplen
	return pcapng.New(c)
}

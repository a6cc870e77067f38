package builtin

import (
	"io"
	"log/slog"

	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// LiveOptions say what to capture on the interfaces of this machine.
type LiveOptions struct {
	Interfaces  []string // none: the first that is up and not loopback
	Wait        bool     // for interfaces that do not exist yet
	Promiscuous bool
	Workers     int
	Snaplen     int // bytes
	Buffer      int // bytes of kernel memory for each worker
	Filter      *Filter
	Log         *slog.Logger
}

// FileOptions say which capture files to read.
type FileOptions struct {
	Paths  []string // "-" is standard input
	Follow bool
	Stdin  io.Reader
	Log    *slog.Logger
}

// Files opens capture files, read one after the other.
func Files(o FileOptions) (source.Source, error) {
	c := pcapfile.DefaultConfig()
	c.Paths, c.Follow, c.Stdin, c.Log = o.Paths, o.Follow, o.Stdin, o.Log
	return pcapfile.Open(c)
}

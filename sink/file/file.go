// Package file writes records to a file.
package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/sink"
)

// Config is what can be set.
type Config struct {
	// Path of the file; "-" is standard output. No default.
	Path string
	// Replace makes an existing file empty first. Default false: records are
	// put behind what it holds.
	Replace bool
	// Mode of a file that is created, before the umask. Default 0600: records
	// hold what people said.
	Mode fs.FileMode
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Mode: 0o600} }

// Open opens the file and returns a sink that writes each record as f writes it.
func Open(c Config, f format.Format) (sink.Sink, error) {
	switch c.Path {
	case "":
		return nil, errors.New("open output file: no path given: name a file, or - for standard output")
	case "-":
		return sink.NewStream(os.Stdout, f.Append, nil), nil
	}
	flags := os.O_WRONLY | os.O_CREATE
	if c.Replace {
		flags |= os.O_TRUNC
	} else {
		flags |= os.O_APPEND
	}
	file, err := os.OpenFile(c.Path, flags, c.Mode)
	if err != nil {
		return nil, fmt.Errorf("open output file: %w", err)
	}
	return sink.NewStream(file, f.Append, file.Close), nil
}

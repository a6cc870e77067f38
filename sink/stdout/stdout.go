// Package stdout writes records to standard output, or to any other open
// stream.
package stdout

import (
	"io"
	"os"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/sink"
)

// Config is what can be set.
type Config struct {
	// Writer takes the bytes. It is not closed. Default os.Stdout.
	Writer io.Writer
	// PipeBytes is how much room the kernel is asked to give a pipe, so that
	// writer and reader wake each other less often. It is a wish: what the
	// system refuses is left as it is. Default 1 MiB, on Linux only; 0: none.
	PipeBytes int
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Writer: os.Stdout, PipeBytes: 1 << 20} }

// New returns a sink that writes each record as f writes it. When the reader of
// a pipe goes away, Write returns an error for which sink.ReaderGone is true;
// for that to happen on standard output, and not a signal, the program must
// ignore SIGPIPE.
func New(c Config, f format.Format) sink.Sink {
	if c.Writer == nil {
		c.Writer = os.Stdout
	}
	if file, ok := c.Writer.(*os.File); ok && c.PipeBytes > 0 {
		widen(file, c.PipeBytes)
	}
	return sink.NewStream(c.Writer, f.Append, nil)
}

// Package record writes pieces of conversations to a file, as a format of such
// pieces has them.
package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// Config is what can be set.
type Config struct {
	// Path of the file; "-" is Writer. No default.
	Path string
	// Replace makes an existing file empty first. Default false: records are put
	// behind what it holds.
	Replace bool
	// Side says whose bytes are recorded: client, server or both. Default both.
	Side string
	// Mode of a file that is created, before the umask. Default 0600: records
	// hold what people said.
	Mode fs.FileMode
	// Writer takes the records where Path is "-". It is not closed. Default
	// os.Stdout.
	Writer io.Writer
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Side: "both", Mode: 0o600, Writer: os.Stdout} }

// Open opens the file and returns a sink that writes each piece as f does. A
// file gets whole records: what a failed write has left is cut off, and it can
// be tried again. A pipe that fails is broken. Two sinks cannot write one file.
func Open(c Config, f format.Chunks) (sink.ChunkSink, error) {
	sides, err := sink.ParseSides(c.Side)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	r := &recorder{Sides: sides, format: f, to: c.Writer}
	switch {
	case c.Path == "":
		return nil, errors.New("record: no path given: name a file, or - for standard output")
	case c.Path == "-" && c.Writer == nil:
		r.to = os.Stdout
	case c.Path != "-":
		if err := r.open(&c); err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
	}
	return r, nil
}

// open opens the file that c names. It is emptied only where nobody else writes it.
func (r *recorder) open(c *Config) error {
	f, err := os.OpenFile(c.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, c.Mode)
	if err != nil {
		return err
	}
	r.to, r.closer = f, f
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		r.file, r.size = f, info.Size()
		err = sink.LockFile(f)
		if err == nil && c.Replace {
			r.size = 0
			err = f.Truncate(0)
		}
	}
	if err != nil {
		f.Close()
	}
	return err
}

type recorder struct {
	sink.Sides
	format format.Chunks
	to     io.Writer
	closer io.Closer // nil: to is not ours to close
	file   *os.File  // nil: what was written cannot be taken back
	size   int64     // of file, up to its last whole record
	buffer []byte
	closed bool
}

const (
	about = 256 << 10 // bytes that go out in one write
	keep  = 4 << 20   // a buffer larger than this is not kept
)

// Write implements sink.ChunkSink.
func (r *recorder) Write(ctx context.Context, batch []*message.Chunk) error {
	if r.closed {
		return sink.Broken(errors.New("record: the sink is closed"))
	}
	done := 0
	b := r.buffer[:0]
	for i, c := range batch {
		if r.Sides[c.From] {
			b = r.format.AppendChunk(b, c)
		}
		if len(b) < about && i < len(batch)-1 {
			continue
		}
		if err := r.write(ctx, b); err != nil {
			return sink.Partial(done, err)
		}
		done = i + 1
		b = b[:0]
	}
	if r.buffer = b; cap(b) > keep {
		r.buffer = nil
	}
	return nil
}

func (r *recorder) write(ctx context.Context, b []byte) error {
	if err := ctx.Err(); err != nil || len(b) == 0 {
		return err
	}
	if _, err := r.to.Write(b); err != nil {
		err = fmt.Errorf("record: %w", err)
		if r.file == nil {
			return sink.Broken(err) // part of it may have gone out
		}
		if cut := r.file.Truncate(r.size); cut != nil {
			return sink.Broken(errors.Join(err, cut))
		}
		return err
	}
	r.size += int64(len(b))
	return nil
}

// Close implements sink.ChunkSink.
func (r *recorder) Close(context.Context) error {
	if r.closed {
		return nil
	}
	r.closed = true
	if r.closer == nil {
		return nil
	}
	if err := r.closer.Close(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

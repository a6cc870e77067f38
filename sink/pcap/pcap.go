// Package pcap writes the packets of conversations to pcapng files.
package pcap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/sink"
)

// Config is what can be set.
type Config struct {
	// Path of the file. An existing one is replaced. No default.
	Path string
	// RotateBytes begins another file when one holds so many bytes; the second
	// is called NAME-2.EXT, and so on. Default 0: never.
	RotateBytes int64
	// KeepFiles is how many files stay; the oldest is removed. The numbered files
	// that earlier runs have left count, too. Default 0: all.
	KeepFiles int
	// Mode of a file that is created, before the umask. Default 0600: packets
	// hold what people said.
	Mode fs.FileMode
	// Log is told what was removed, and what could not be. nil: nobody is.
	Log *slog.Logger
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Mode: 0o600} }

// Open creates the first file and returns a sink that writes blocks of packets
// encoded by f, which it calls for the head of each file.
func Open(c Config, f format.Frames) (sink.FrameSink, error) {
	if c.Path == "" {
		return nil, errors.New("open packet file: no path given: name a file")
	}
	if c.Path == "-" {
		return nil, errors.New("open packet file: -: not to standard output: name a file, or use --write -")
	}
	if c.RotateBytes < 0 || c.KeepFiles < 0 {
		return nil, errors.New("open packet file: rotate_bytes and keep_files must not be below 0")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	w := &writer{config: c, format: f}
	if err := w.open(); err != nil {
		return nil, err
	}
	return w, nil
}

type writer struct {
	config Config
	format format.Frames
	file   file
	size   int64
	number int
	head   []byte // not yet written

	mark    []byte    // that files of this sink begin with; nil: not known yet
	looked  bool      // for those of earlier runs
	earlier []earlier // the oldest first
	gone    int       // the first files of this run that are no longer there
	told    bool      // that one was not removed
}

// file is what a packet file is used for.
type file interface {
	io.WriteCloser
	io.Seeker
	Truncate(size int64) error
}

// name returns the name of the file with this number.
func (w *writer) name(n int) string {
	if n == 1 {
		return w.config.Path
	}
	ext := filepath.Ext(w.config.Path)
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(w.config.Path, ext), n, ext)
}

func (w *writer) open() error {
	f, err := os.OpenFile(w.name(w.number+1), os.O_WRONLY|os.O_CREATE, w.config.Mode)
	if err != nil {
		return fmt.Errorf("open packet file: %w", err)
	}
	if err := empty(f); err != nil {
		f.Close()
		return fmt.Errorf("open packet file: %w", err)
	}
	w.number++
	w.file, w.size, w.head = f, 0, w.head[:0]
	w.format.Restart()
	return nil
}

// empty takes away what f holds, unless somebody is writing it.
func empty(f *os.File) error {
	if err := sink.LockFile(f); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Truncate(0)
}

// Write implements sink.FrameSink.
func (w *writer) Write(ctx context.Context, batch []*sink.Block) error {
	for i, b := range batch {
		if err := ctx.Err(); err != nil {
			return sink.Partial(i, err)
		}
		if w.file == nil {
			return sink.Broken(errors.New("write packets: the sink is closed"))
		}
		if w.config.RotateBytes > 0 && w.size >= w.config.RotateBytes {
			full := w.file
			if err := w.open(); err != nil {
				return sink.Partial(i, err) // there may be room later
			}
			if err := full.Close(); err != nil {
				w.config.Log.Warn("a packet file was closed, and its end may not be on the disk", "file", w.name(w.number-1), "error", err)
			}
		}
		if err := w.write(b.Data); err != nil {
			return sink.Partial(i, err)
		}
	}
	return nil
}

// write writes data behind what has to stand before it. What it could not write
// whole, as on a full disk, it takes away again, so that it can be tried later.
func (w *writer) write(data []byte) error {
	w.head = w.format.Head(w.head)
	size := w.size
	for _, b := range [][]byte{w.head, data} {
		n, err := w.file.Write(b)
		size += int64(n)
		if err == nil {
			continue
		}
		err = fmt.Errorf("write packets: %w", err)
		if size > w.size {
			_, seek := w.file.Seek(w.size, io.SeekStart)
			if cut := errors.Join(w.file.Truncate(w.size), seek); cut != nil {
				return sink.Broken(errors.Join(err, cut)) // it ends in the middle of a block
			}
		}
		return err
	}
	if w.mark == nil {
		w.mark = bytes.Clone(w.head[:min(len(w.head), markBytes)])
	}
	fresh := w.size == 0
	w.head, w.size = w.head[:0], size
	if fresh {
		w.prune()
	}
	return nil
}

// Close implements sink.FrameSink.
func (w *writer) Close(context.Context) error {
	if w.file == nil {
		return nil
	}
	err := w.write(nil) // a file without packets has a head, too
	err = errors.Join(err, w.file.Close())
	w.file = nil
	return err
}

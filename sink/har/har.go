// Package har writes HTTP archives: files that are whole after each delivery, so
// that a browser opens them at any time and nothing has to be mended after a
// crash.
package har

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// Config is what can be set.
type Config struct {
	// Path of the archive. An archive of this program that is there already gets
	// more entries; no other file is touched. No default.
	Path string
	// Replace makes an existing file empty first. Default false.
	Replace bool
	// RotateBytes is how large an archive may grow before another is begun, which has
	// a number before the ending of its name: out.har, out-2.har. Default 64 MiB:
	// browsers open no much larger ones.
	RotateBytes int64
	// Mode of a file that is created, before the umask. Default 0600: records
	// hold what people said.
	Mode fs.FileMode
	// Version of the program, for the archive's head.
	Version string
	// Log is told what was mended. nil: nobody is.
	Log *slog.Logger
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{RotateBytes: 64 << 20, Mode: 0o600} }

// Open opens the archive and returns a sink that adds what f makes of each
// record: one JSON object without a line end, or nothing.
func Open(c Config, f format.Format) (sink.Sink, error) {
	if c.Path == "" {
		return nil, errors.New("open archive: no path given: name a file")
	}
	if c.Path == "-" {
		return nil, errors.New("open archive: -: an archive is mended in place: name a file")
	}
	if c.RotateBytes < 1 {
		return nil, fmt.Errorf("open archive: rotate_bytes %d: must be at least 1", c.RotateBytes)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	a := &archive{config: c, format: f, number: 1}
	if err := a.open(); err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	return a, nil
}

// begins is what every archive begins with, up to the version of the program.
const begins = `{"log":{"version":"1.2","creator":{"name":"Passiflow","version":`

// ends is what every archive ends with. Each entry is one line.
const ends = "\n]}}\n"

// between stands between two entries.
const between = ",\n"

// keep is the largest buffer that is kept, in bytes.
const keep = 8 << 20

// handle is what is needed of a file.
type handle interface {
	WriteAt(b []byte, at int64) (int, error)
	Truncate(int64) error
	Sync() error
	Close() error
}

type archive struct {
	config Config
	format format.Format
	f      handle
	number int   // of the archive
	end    int64 // where its end begins
	empty  bool  // it has no entry
	torn   bool  // a write has failed: the end is to be written again
	buffer []byte
	closed bool
}

// Write implements sink.Sink. All of batch is in the archive, or nothing.
func (a *archive) Write(ctx context.Context, batch []*message.Exchange) error {
	if a.closed {
		return sink.Broken(errors.New("write archive: it is closed"))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b := append(a.buffer[:0], between...)
	for _, x := range batch {
		at := len(b)
		if b = a.format.Append(b, x); len(b) > at {
			b = append(b, between...)
		}
	}
	b = b[:len(b)-len(between)]
	if len(b) == 0 {
		return nil
	}
	b = append(b, ends...)
	if a.buffer = b; cap(b) > keep {
		a.buffer = nil
	}
	if err := a.add(b); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// add puts b, which begins with what stands between entries and ends with the
// archive's end, in the place of the end.
func (a *archive) add(b []byte) error {
	if a.torn {
		if err := a.mend(); err != nil {
			return err
		}
	}
	if !a.empty && a.end+int64(len(b)) > a.config.RotateBytes {
		if err := a.next(); err != nil {
			return err
		}
	}
	if a.empty {
		b = b[1:] // no comma before the first
	}
	if _, err := a.f.WriteAt(b, a.end); err != nil {
		a.torn = true
		_ = a.mend() // at once where it can be done; else before the next write
		return err
	}
	a.end += int64(len(b) - len(ends))
	a.empty = false
	return nil
}

// mend makes the archive whole after a write that failed.
func (a *archive) mend() error {
	if _, err := a.f.WriteAt([]byte(ends), a.end); err != nil {
		return err
	}
	if err := a.f.Truncate(a.end + int64(len(ends))); err != nil {
		return err
	}
	a.torn = false
	return nil
}

// path returns the path of the archive with a number.
func (a *archive) path(n int) string {
	if n == 1 {
		return a.config.Path
	}
	ending := filepath.Ext(a.config.Path)
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(a.config.Path, ending), n, ending)
}

// next closes the archive and begins another.
func (a *archive) next() error {
	for n := a.number + 1; ; n++ {
		f, err := os.OpenFile(a.path(n), os.O_RDWR|os.O_CREATE|os.O_EXCL, a.config.Mode)
		if errors.Is(err, fs.ErrExist) && !a.config.Replace {
			continue
		}
		exists := errors.Is(err, fs.ErrExist)
		if exists {
			f, err = os.OpenFile(a.path(n), os.O_RDWR, 0) // emptied when it is locked
		}
		if err != nil {
			return err
		}
		if err := a.begin(f); err != nil {
			if !exists {
				err = errors.Join(err, os.Remove(a.path(n))) // or each attempt leaves one
			}
			return err
		}
		a.number = n
		return nil
	}
}

// begin makes an empty archive of f and lets it take the place of the one that
// is open.
func (a *archive) begin(f *os.File) error {
	err := sink.LockFile(f)
	head := format.AppendQuoted([]byte(begins), a.config.Version)
	head = append(head, `},"pages":[],"entries":[`...)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(head, ends...), 0)
	}
	if err != nil {
		f.Close()
		return err
	}
	if a.f != nil {
		if err := errors.Join(a.f.Sync(), a.f.Close()); err != nil {
			a.config.Log.Warn("an archive was closed, and its end may not be on the disk", "file", a.path(a.number), "error", err)
		}
	}
	a.f, a.end, a.empty, a.torn = f, int64(len(head)), true, false
	return nil
}

// open opens the first archive.
func (a *archive) open() error {
	f, err := os.OpenFile(a.config.Path, os.O_RDWR|os.O_CREATE, a.config.Mode)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is no regular file", a.config.Path)
	case info.Size() == 0 || a.config.Replace:
		return a.begin(f)
	default:
		err = a.resume(f, info.Size())
	}
	if err != nil {
		f.Close()
	}
	return err
}

// resume goes on behind the last entry of f.
func (a *archive) resume(f *os.File, size int64) error {
	if err := sink.LockFile(f); err != nil {
		return err
	}
	b := make([]byte, len(begins))
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != begins {
		return fmt.Errorf("%s is there already and no archive of this program: move it away, or replace it", a.config.Path)
	}
	end, err := lastEntry(f, size)
	if err != nil {
		return fmt.Errorf("%s: %w", a.config.Path, err)
	}
	a.f, a.end, a.empty = f, end.at, end.empty
	if !end.whole {
		a.config.Log.Warn("an entry that is not whole was cut off", "file", a.config.Path, "bytes", size-end.at)
		return a.mend()
	}
	return nil
}

// place is where entries end in an archive.
type place struct {
	at    int64
	empty bool
	whole bool // the archive's end stands there
}

// lastEntry finds the end of the last entry that is whole.
func lastEntry(f io.ReaderAt, size int64) (place, error) {
	b := make([]byte, min(size, int64(len(ends))+1))
	if _, err := f.ReadAt(b, size-int64(len(b))); err != nil {
		return place{}, err
	}
	if rest, ok := bytes.CutSuffix(b, []byte(ends)); ok && len(rest) == 1 {
		return place{size - int64(len(ends)), rest[0] == '[', true}, nil
	}
	// Each line behind the head is an entry, up to one that is not.
	lines := bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 1<<20)
	head, err := lines.ReadBytes('\n')
	head = bytes.TrimSuffix(head, []byte{'\n'})
	if !bytes.HasSuffix(head, []byte{'['}) {
		return place{}, errors.New("its head is not whole: move it away, or replace it")
	}
	p := place{at: int64(len(head)), empty: true}
	for at := p.at + 1; err == nil; {
		var line []byte
		line, err = lines.ReadBytes('\n')
		var entry json.RawMessage
		if json.NewDecoder(bytes.NewReader(line)).Decode(&entry) != nil {
			break
		}
		p = place{at: at + int64(len(entry))}
		at += int64(len(line))
	}
	return p, nil
}

// Close implements sink.Sink.
func (a *archive) Close(context.Context) error {
	if a.closed {
		return nil
	}
	a.closed = true
	a.buffer = nil
	var err error
	if a.torn {
		err = a.mend()
	}
	if err = errors.Join(err, a.f.Sync(), a.f.Close()); err != nil {
		return fmt.Errorf("close archive: %w", err)
	}
	return nil
}

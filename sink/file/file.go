// Package file writes records to a file, or to a row of files that are closed
// by size and time, compressed and removed when they are old.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// Config is what can be set.
type Config struct {
	// Path of the file; "-" is standard output. Where files are closed by size
	// or time, each has the moment of its beginning in its name, before the
	// ending: records.ndjson gives records-20260102T030405.000Z.ndjson. No
	// default.
	Path string
	// Replace makes an existing file empty first. Default false: records are
	// put behind what it holds. Not with RotateBytes or RotateEvery.
	Replace bool
	// Mode of a file that is created, before the umask. Default 0600: records
	// hold what people said.
	Mode fs.FileMode
	// Compress is "gzip", "zstd", "none", or "auto": by the ending of Path, .gz
	// or .zst. Default auto.
	Compress string
	// Atomic writes to a file with .part behind its name, which loses that when
	// it is whole: whoever finds Path never finds a part. Files that are
	// compressed or closed by size or time are always written so. Default false.
	Atomic bool
	// RotateBytes closes a file before it holds more, in bytes on the disk; one
	// that is compressed when it holds as much, as what the next records take is
	// not known before. Default 0: at no size.
	RotateBytes int64
	// RotateEvery closes a file at the end of a period, counted from midnight
	// UTC. Default 0: at no time.
	RotateEvery time.Duration
	// KeepFiles, KeepBytes and KeepAge bound the closed files: the oldest is
	// removed first. Default 0: no bound.
	KeepFiles int
	KeepBytes int64
	KeepAge   time.Duration
	// Sync waits with each delivery until the disk has it. Default false: the
	// system decides when, and a crash of the machine, not of the program, can
	// cost what was delivered last.
	Sync bool
	// Log is told what was recovered and removed. nil: nobody is.
	Log *slog.Logger
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Mode: 0o600, Compress: "auto"} }

// Open opens the file and returns a sink that writes each record as f writes it.
// What an earlier run left unfinished it finishes: a record that is not whole is
// cut off.
func Open(c Config, f format.Format) (sink.Sink, error) {
	switch c.Path {
	case "":
		return nil, errors.New("open output file: no path given: name a file, or - for standard output")
	case "-":
		return sink.NewStream(os.Stdout, f.Append, nil), nil
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &file{config: c, format: f, name: split(c.Path), rotates: c.RotateBytes > 0 || c.RotateEvery > 0}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("open output file: %w", err)
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open output file: %w", err)
	}
	return s, nil
}

func (s *file) check() error {
	c := &s.config
	var err error
	if s.kind, err = compression(c.Compress, c.Path); err != nil {
		return err
	}
	switch {
	case c.RotateBytes < 0 || c.RotateEvery < 0 || c.KeepFiles < 0 || c.KeepBytes < 0 || c.KeepAge < 0:
		return errors.New("sizes, times and counts must not be negative")
	case s.rotates && c.Replace:
		return errors.New("replace and rotation exclude each other: every file has a name of its own")
	case !s.rotates && (c.KeepFiles > 0 || c.KeepBytes > 0 || c.KeepAge > 0):
		return errors.New("nothing is to be removed where no file is closed: set rotate_bytes or rotate_every, too")
	}
	s.parts = c.Atomic || s.rotates || s.kind != plain
	return nil
}

// handle is what is needed of a file.
type handle interface {
	Write([]byte) (int, error)
	Stat() (fs.FileInfo, error)
	Truncate(int64) error
	Sync() error
	Close() error
}

type file struct {
	config  Config
	format  format.Format
	name    name
	kind    compress
	rotates bool
	parts   bool // written under another name than that of the end

	f      handle // nil: none is open
	path   string // of f
	final  string // what path is to become; "": it stays
	began  time.Time
	odd    bool  // no regular file: nothing can be taken back
	torn   int64 // where f must be cut first, as a write has failed there; -1: nowhere
	pack   *pack // nil: plain
	buffer []byte
	pruned time.Time
	mine   []string // what this run has closed and not removed, of several files
	closed bool
}

const (
	chunk = 128 << 10 // about how many bytes go out in one write
	keep  = 8 << 20   // a buffer larger than this is not kept
)

// Write implements sink.Sink. What it says was delivered is in the file; what
// was not is not there, not even in part.
func (s *file) Write(ctx context.Context, batch []*message.Exchange) error {
	if s.closed {
		return sink.Broken(errors.New("write: the file is closed"))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	limit := chunk
	if s.config.RotateBytes > 0 {
		limit = int(min(chunk, s.config.RotateBytes))
	}
	done, b := 0, s.buffer[:0]
	for i, x := range batch {
		b = s.format.Append(b, x)
		if len(b) < limit && i < len(batch)-1 {
			continue
		}
		if err := s.put(b); err != nil {
			return sink.Partial(done, err)
		}
		done = i + 1
		if cap(b) > keep {
			b = nil
		}
		b = b[:0]
	}
	s.buffer = b
	if s.config.Sync && s.f != nil {
		if err := s.f.Sync(); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

// put writes b whole or not at all.
func (s *file) put(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := s.ready(int64(len(b))); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	size, err := s.size()
	if err != nil { // where to cut would not be known
		return fmt.Errorf("write: %w", err)
	}
	out := b
	if s.pack != nil {
		out = s.pack.add(b)
	}
	_, err = s.f.Write(out)
	switch {
	case err == nil:
		if s.pack != nil {
			s.pack.taken(b)
		}
		return nil
	case s.odd:
		return sink.Broken(fmt.Errorf("write: %w", err))
	}
	s.torn = size
	_ = s.mend() // at once where it can be done; else before the next write
	return fmt.Errorf("write: %w", err)
}

func (s *file) size() (int64, error) {
	if s.odd {
		return 0, nil
	}
	info, err := s.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// mend cuts off what a write that failed has left, and ends what was being
// compressed there.
func (s *file) mend() error {
	if s.torn < 0 {
		return nil
	}
	if err := s.f.Truncate(s.torn); err != nil {
		return err
	}
	if s.pack != nil {
		if end := s.pack.end(); len(end) > 0 {
			if _, err := s.f.Write(end); err != nil {
				return err
			}
		}
		s.pack.reset()
	}
	s.torn = -1
	return nil
}

// ready makes sure that a file is open that n more bytes may go to.
func (s *file) ready(n int64) error {
	if s.f != nil {
		if err := s.mend(); err != nil {
			return err
		}
		if due, err := s.due(n); err != nil {
			return err
		} else if due {
			if err := s.finish(); err != nil {
				return err
			}
		}
	} else if err := s.finish(); err != nil { // what could not be renamed before
		return err
	}
	if s.f == nil {
		return s.begin()
	}
	if s.config.KeepAge > 0 && time.Since(s.pruned) > time.Minute {
		s.prune()
	}
	return nil
}

// due tells whether the file is to be closed before n more bytes.
func (s *file) due(n int64) (bool, error) {
	if !s.rotates {
		return false, nil
	}
	size, err := s.size()
	if err != nil || size == 0 {
		return false, err
	}
	c := &s.config
	if c.RotateEvery > 0 && !time.Now().Truncate(c.RotateEvery).Equal(s.began.Truncate(c.RotateEvery)) {
		return true, nil
	}
	if c.RotateBytes == 0 {
		return false, nil
	}
	if s.pack != nil {
		n = 0 // how few they will be is not known yet
		size++
	}
	return size+n > c.RotateBytes, nil
}

// Idle implements sink.Idler: it closes a file whose period is over, and removes
// what is too old. What fails is tried again, and the next Write tells it.
func (s *file) Idle(context.Context) {
	if s.closed || !s.rotates {
		return
	}
	if s.f == nil {
		_ = s.finish()
	} else if due, err := s.due(0); err == nil && due {
		_ = s.finish()
	}
	if s.config.KeepAge > 0 && time.Since(s.pruned) > time.Minute {
		s.prune()
	}
}

// finish ends the file that is open and gives it its name. After an error it can
// be called again.
func (s *file) finish() error {
	if s.f != nil {
		if err := s.end(); err != nil {
			return err
		}
	}
	if s.path == "" || s.final == "" {
		return nil
	}
	if info, err := os.Stat(s.path); s.rotates && err == nil && info.Size() == 0 {
		empty := s.path
		s.path, s.final = "", ""
		return os.Remove(empty)
	}
	if err := os.Rename(s.path, s.final); err != nil {
		return err
	}
	sink.SyncDirectory(filepath.Dir(s.final))
	if s.rotates {
		s.mine = append(s.mine, s.final)
		s.prune()
	}
	s.path, s.final = "", ""
	return nil
}

// end writes what is missing at the end of the file and closes it.
func (s *file) end() error {
	if err := s.mend(); err != nil {
		return err
	}
	if s.pack != nil {
		size, err := s.size()
		if err != nil {
			return err
		}
		if size == 0 && !s.rotates {
			s.pack.begin() // no records are a file, too
		}
		if end := s.pack.end(); len(end) > 0 {
			if _, err := s.f.Write(end); err != nil {
				s.torn = size
				return err
			}
			s.pack.reset()
		}
	}
	if !s.odd {
		if err := s.f.Sync(); err != nil {
			return err
		}
	}
	err := s.f.Close()
	s.f = nil
	return err
}

// Close implements sink.Sink.
func (s *file) Close(context.Context) error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.buffer = nil
	if err := s.finish(); err != nil {
		if s.f != nil {
			err = errors.Join(err, s.f.Close())
		}
		return fmt.Errorf("close output file: %w", err)
	}
	return nil
}

package sink

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// openSpool opens the directory, makes it where it is missing, and recovers what
// an earlier run has left there. Known tells whether a value is one the queue
// can read.
func openSpool(c SpoolConfig, log *slog.Logger, known func(value []byte) error) (*spool, error) {
	s := &spool{config: c, write: (*os.File).WriteAt, open: os.Open}
	if err := s.begin(log, known); err != nil {
		_ = s.close()
		return nil, fmt.Errorf("open spool %s: %w", c.Directory, err)
	}
	return s, nil
}

func (s *spool) begin(log *slog.Logger, known func([]byte) error) error {
	if err := os.MkdirAll(s.config.Directory, 0o700); err != nil {
		return err
	}
	if info, err := os.Stat(s.config.Directory); err == nil && info.Mode().Perm()&0o077 != 0 && modesMatter {
		log.Warn("others may look into the spool's directory: make its mode 0700", "directory", s.config.Directory)
	}
	lock, err := lockSpool(filepath.Join(s.config.Directory, "lock"))
	if err != nil {
		return err
	}
	s.lock = lock
	settled, err := s.openPosition()
	if err != nil {
		return err
	}
	names, err := os.ReadDir(s.config.Directory)
	if err != nil {
		return err
	}
	var ids []uint64
	for _, n := range names {
		if id, ok := segmentID(n.Name()); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	s.next = settled.segment + 1
	for _, id := range ids {
		s.next = max(s.next, id+1)
		if id < settled.segment {
			s.garbage = append(s.garbage, s.path(id))
			continue
		}
		if err := s.recover(id, settled.from(id), log, known); err != nil {
			return err
		}
	}
	if err := s.own(log); err != nil {
		return err
	}
	return s.clean()
}

// recover takes in one segment of an earlier run, of which all before from is
// settled. What is behind the last whole record is cut off.
func (s *spool) recover(id uint64, from int64, log *slog.Logger, known func([]byte) error) error {
	f, err := os.OpenFile(s.path(id), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	g, first, err := scan(f, info.Size(), id, from, known)
	if err != nil {
		return fmt.Errorf("%s: %w", s.path(id), err)
	}
	if torn := info.Size() - g.size; torn > 0 {
		s.stats.Torn += torn
		log.Warn("the end of a spool file is torn and was cut off", "file", s.path(id), "bytes", torn)
		if err := f.Truncate(g.size); err != nil {
			return err
		}
	}
	for _, at := range g.decay {
		s.stats.Decayed++
		log.Warn("a record in a spool file has decayed and is skipped", "file", s.path(id), "offset", at)
	}
	if g.values == 0 {
		s.garbage = append(s.garbage, s.path(id))
		return nil
	}
	if len(s.segments) == 0 {
		s.cursor = spot{segment: id, begin: first}
	}
	s.segments = append(s.segments, g)
	s.stats.Bytes += g.size
	s.stats.Segments++
	s.unread += g.values
	return nil
}

var errOtherSpool = errors.New("holds something else than this program's records: use another directory, or empty this one")

// scan reads a segment of size bytes, counts the records from from on and
// returns where the first of them is.
func scan(f io.ReaderAt, size int64, id uint64, from int64, known func([]byte) error) (*segment, int64, error) {
	g, begin := &segment{id: id}, int64(0)
	magic := make([]byte, spoolHead)
	if n, err := f.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	} else if string(magic[:n]) != spoolMagic {
		if strings.HasPrefix(spoolMagic, strings.TrimRight(string(magic[:n]), "\x00")) {
			return g, 0, nil // killed while it was made
		}
		return nil, 0, errOtherSpool
	}
	g.size = spoolHead
	w := &window{file: f, size: size}
	for sure := false; ; {
		e, value, length, err := w.record(g.size)
		if errors.Is(err, errTorn) && length > 0 {
			// The length may be right all the same: then a good record follows.
			if _, _, _, next := w.record(g.size + length); next == nil {
				g.decay = append(g.decay, g.size)
				g.size += length
				continue
			}
		}
		if errors.Is(err, errTorn) {
			// Nobody looks for a record behind it: in what was torn stands what
			// somebody said, who may have said bytes that read like a record.
			return g, begin, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if !sure {
			if err := known(value); err != nil {
				return nil, 0, fmt.Errorf("%w: %w", errOtherSpool, err)
			}
		}
		sure = true
		if g.size >= from {
			if g.values == 0 {
				begin = g.size
			}
			g.values++
			g.left.add(e.Count)
		}
		g.size += length
	}
}

// window shows a file record by record.
type window struct {
	file   io.ReaderAt
	size   int64
	buffer []byte
	begin  int64 // of buffer in the file
}

// record returns the record at at, valid until the next call, and the bytes it
// takes; errTorn where there is no whole and right one.
func (w *window) record(at int64) (e entry, value []byte, length int64, err error) {
	b, err := w.bytes(at, frameHead)
	if err != nil {
		return entry{}, nil, 0, err
	}
	if length, err = frameLength(b); err != nil {
		return entry{}, nil, 0, err
	}
	if b, err = w.bytes(at, length); err != nil {
		return entry{}, nil, 0, err
	}
	e, value, err = cutFrame(b)
	return e, value, length, err
}

func (w *window) bytes(at, n int64) ([]byte, error) {
	if at+n > w.size {
		return nil, errTorn
	}
	if at < w.begin || at+n > w.begin+int64(len(w.buffer)) {
		size := min(max(n, 1<<20), w.size-at)
		if int64(cap(w.buffer)) < size {
			w.buffer = make([]byte, size)
		}
		w.buffer, w.begin = w.buffer[:size], at
		if _, err := w.file.ReadAt(w.buffer, at); err != nil {
			w.buffer = w.buffer[:0]
			return nil, err
		}
	}
	return w.buffer[at-w.begin : at-w.begin+n], nil
}

// ErrSpoolLocked says that a spool is another process's at the time.
var ErrSpoolLocked = errors.New("another process uses it: give each its own directory")

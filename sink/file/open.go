package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/passiflow/passiflow/sink"
)

// open takes up what an earlier run has left and opens the first file.
func (s *file) open() error {
	s.torn = -1
	var err error
	if s.pack, err = newPack(s.kind); err != nil {
		return err
	}
	if s.rotates {
		_, parts, err := s.name.list()
		if err != nil {
			return err
		}
		for _, path := range parts {
			if err := s.recover(path, path[:len(path)-len(part)]); err != nil {
				return err
			}
		}
		s.prune()
		return s.begin()
	}
	path := s.config.Path
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		if s.parts {
			return fmt.Errorf("%s is no regular file: it cannot be written under another name: set neither compress nor atomic", path)
		}
		s.odd = true
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if s.parts {
		return s.openPart(path, err == nil)
	}
	flags := os.O_RDWR | os.O_CREATE | os.O_APPEND
	if s.odd {
		flags = os.O_WRONLY | os.O_APPEND
	}
	f, err := os.OpenFile(path, flags, s.config.Mode)
	if err != nil {
		return err
	}
	if err := s.take(f); err != nil {
		f.Close()
		return err
	}
	s.f, s.path = f, path
	return nil
}

// take makes f ready for more records.
func (s *file) take(f *os.File) error {
	if s.odd {
		return nil
	}
	if err := sink.LockFile(f); err != nil {
		return err
	}
	if s.config.Replace {
		return f.Truncate(0)
	}
	return s.join(f)
}

// join makes sure that what comes next begins a line. What a crash has left of
// a record is cut off; anything else stays, as it is not ours.
func (s *file) join(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	end, err := lastLine(f, info.Size())
	if err != nil || end == info.Size() {
		return err
	}
	head := make([]byte, min(info.Size()-end, 32))
	if _, err := f.ReadAt(head, end); err != nil {
		return err
	}
	for _, ours := range []string{`{"schema":"passiflow.`, `{"receiver":{"ip":"`} {
		if n := min(len(head), len(ours)); string(head[:n]) == ours[:n] {
			return s.trim(f)
		}
	}
	_, err = f.Write([]byte{'\n'})
	return err
}

// openPart opens path under its other name. What path holds goes along, unless
// it is to be replaced.
func (s *file) openPart(path string, exists bool) error {
	other := path + part
	if _, err := os.Stat(other); err == nil && !s.config.Replace {
		if exists { // both: none may go
			err = s.recover(other, s.name.at(time.Now()))
		} else {
			err = s.recover(other, path)
			exists = err == nil
		}
		if err != nil {
			return err
		}
	}
	if exists && !s.config.Replace {
		if !s.kind.begins(path) {
			return fmt.Errorf("%s is there already and not compressed in this way: move it away, or replace it", path)
		}
		if err := os.Rename(path, other); err != nil {
			return err
		}
	}
	return s.create(other, path)
}

// begin opens the next file of several.
func (s *file) begin() error {
	if !s.rotates {
		return errors.New("the file was closed after an error")
	}
	for t := time.Now(); ; t = t.Add(time.Millisecond) {
		final := s.name.at(t)
		if _, err := os.Lstat(final); err == nil {
			continue
		}
		err := s.create(final+part, final)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		s.began = t
		return err
	}
}

func (s *file) create(path, final string) error {
	flags := os.O_RDWR | os.O_CREATE | os.O_APPEND
	if s.rotates {
		flags |= os.O_EXCL
	}
	f, err := os.OpenFile(path, flags, s.config.Mode)
	if err != nil {
		return err
	}
	if err := sink.LockFile(f); err != nil {
		f.Close()
		return err
	}
	switch {
	case s.config.Replace:
		err = f.Truncate(0)
	case s.kind == plain:
		err = s.trim(f)
	}
	if err != nil {
		f.Close()
		return err
	}
	s.f, s.path, s.final = f, path, final
	return nil
}

// trim cuts off the record at the end of f that is not whole.
func (s *file) trim(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	end, err := lastLine(f, info.Size())
	if err != nil || end == info.Size() {
		return err
	}
	s.config.Log.Warn("a record that is not whole was cut off", "file", f.Name(), "bytes", info.Size()-end)
	return f.Truncate(end)
}

// lastLine returns where the last line of f that is whole ends.
func lastLine(f io.ReaderAt, size int64) (int64, error) {
	b := make([]byte, 64<<10)
	for size > 0 {
		n := min(size, int64(len(b)))
		if _, err := f.ReadAt(b[:n], size-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			return size - n + int64(i) + 1, nil
		}
		size -= n
	}
	return 0, nil
}

// recover makes a whole file of a part that an earlier run has left, unless
// another program is still writing it.
func (s *file) recover(path, final string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sink.LockFile(f); err != nil {
		if s.rotates {
			return nil // the other's
		}
		return err
	}
	if s.kind == plain {
		if err := s.trim(f); err != nil {
			return err
		}
	} else if err := s.repack(f, path); err != nil {
		return fmt.Errorf("recover %s: %w", path, err)
	}
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		return os.Remove(path)
	}
	s.config.Log.Info("what an earlier run has left was finished", "file", final)
	f.Close() // some systems rename no open file
	return os.Rename(path, final)
}

// repack writes what can be read of f anew, up to the last whole line, and puts
// it in the place of path.
func (s *file) repack(f *os.File, path string) error {
	in, err := unpack(s.kind, bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return os.Truncate(path, 0) // not even a head
	}
	defer in.Close()
	fresh := path + ".new"
	out, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, s.config.Mode)
	if err != nil {
		return err
	}
	defer out.Close()
	p, err := newPack(s.kind)
	if err != nil {
		return err
	}
	lines := bufio.NewReaderSize(in, 1<<20)
	var held []byte
	for {
		b, err := lines.ReadSlice('\n')
		held = append(held, b...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		whole := err == nil
		if whole && len(held) < 1<<20 && lines.Buffered() > 0 {
			continue
		}
		if !whole { // the end, or where it was cut
			held = held[:bytes.LastIndexByte(held, '\n')+1]
		}
		if len(held) > 0 {
			if _, err := out.Write(p.add(held)); err != nil {
				return err
			}
			p.taken(held)
			held = held[:0]
		}
		if !whole {
			break
		}
	}
	if _, err := out.Write(p.end()); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	in.Close()
	f.Close()
	out.Close()
	return os.Rename(fresh, path)
}

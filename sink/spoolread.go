package sink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// readBytes is how much of a spool is read at a time.
const readBytes = 256 << 10

// errShut says that a file is there and could not be opened: nothing is lost by
// that, as where the system has no room for one more open file.
var errShut = errors.New("it is tried again")

// read returns bytes of a segment from at on, up to size: at least one whole
// record. They are valid until the next call.
func (s *spool) read(id uint64, at, size int64) ([]byte, error) {
	if s.reading != id {
		s.stopReading()
		f, err := s.open(s.path(id))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the spool: %w: %w", errShut, err)
		}
		if err != nil {
			return nil, fmt.Errorf("read the spool: %w", err)
		}
		s.reader, s.reading = f, id
	}
	b, err := s.fill(at, min(size-at, readBytes))
	if err != nil {
		return nil, err
	}
	n, err := frameLength(b)
	if err != nil || n > size-at {
		return nil, fmt.Errorf("read the spool: %s at %d: %w", s.path(id), at, errTorn)
	}
	if n > int64(len(b)) {
		return s.fill(at, n)
	}
	return b, nil
}

func (s *spool) fill(at, n int64) ([]byte, error) {
	if int64(cap(s.buffer)) < n {
		s.buffer = make([]byte, n)
	}
	b := s.buffer[:n]
	if _, err := s.reader.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	if cap(s.buffer) > 4*readBytes {
		s.buffer = nil
	}
	return b, nil
}

func (s *spool) stopReading() {
	if s.reader != nil {
		_ = s.reader.Close()
	}
	s.reader, s.reading = nil, 0
}

// The file "position" has two slots that are written in turn, so that a torn
// write leaves the one before. A slot is a running number, the segment, the
// offset in it up to which all is settled, and a CRC-32C of these.
const (
	positionFile = "position"
	slotBytes    = 8 + 8 + 8 + 4
)

// settleTo notes that all before p.end is settled.
func (s *spool) settleTo(p spot) error {
	if s.position == nil {
		return nil
	}
	s.turn++
	var b [slotBytes]byte
	binary.LittleEndian.PutUint64(b[0:], s.turn)
	binary.LittleEndian.PutUint64(b[8:], p.segment)
	binary.LittleEndian.PutUint64(b[16:], uint64(p.end))
	binary.LittleEndian.PutUint32(b[24:], crc32.Checksum(b[:24], castagnoli))
	if _, err := s.position.WriteAt(b[:], int64(s.turn%2)*slotBytes); err != nil {
		return fmt.Errorf("write the position of the spool: %w", err)
	}
	return nil
}

// openPosition opens the file and returns what it says; the zero spot where it
// says nothing.
func (s *spool) openPosition() (spot, error) {
	f, err := os.OpenFile(filepath.Join(s.config.Directory, positionFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return spot{}, err
	}
	s.position = f
	var p spot
	p, s.turn, err = readPosition(f)
	return p, err
}

// readPosition returns what the file says, and the running number of that.
func readPosition(f io.ReaderAt) (p spot, turn uint64, err error) {
	var all [2 * slotBytes]byte
	n, err := f.ReadAt(all[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return spot{}, 0, err
	}
	for at := 0; at+slotBytes <= n; at += slotBytes {
		b := all[at : at+slotBytes]
		number := binary.LittleEndian.Uint64(b)
		if binary.LittleEndian.Uint32(b[24:]) != crc32.Checksum(b[:24], castagnoli) || number <= turn {
			continue
		}
		turn = number
		p = spot{segment: binary.LittleEndian.Uint64(b[8:]), end: int64(binary.LittleEndian.Uint64(b[16:]))}
	}
	return p, turn, nil
}

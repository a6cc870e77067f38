package sink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
)

// Codec makes values bytes and bytes values again, for a spool.
type Codec[T any] interface {
	// Append appends v to dst.
	Append(dst []byte, v T) []byte
	// Decode reads what Append wrote. It keeps nothing of b.
	Decode(b []byte) (T, error)
}

// A spool is a directory of segments, numbered files of records one behind the
// other. A segment begins with spoolMagic; a record is
//
//	length   4 bytes, little endian, of what follows the checksum
//	checksum 4 bytes, CRC-32C of the length and of what follows
//	records, bytes, time  what the queue knows of the value, as varints
//	value    as the codec writes it
//
// Records are delivered in order. How far is in the file "position"; a segment
// that is delivered is removed. Numbers are never used again, and a segment is
// only written to by the run that made it.
const (
	spoolMagic    = "pfspool\x01"
	spoolHead     = int64(len(spoolMagic))
	frameHead     = 8
	segmentSuffix = ".segment"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segment is one file of a spool.
type segment struct {
	id     uint64  // from 1
	size   int64   // bytes of whole records, magic included
	values int     // not yet settled
	left   Count   // what they count for
	decay  []int64 // where records are that are whole and yet wrong
}

// spot is where a value stands in a spool.
type spot struct {
	segment    uint64 // 0: nowhere
	begin, end int64
}

// spool is the directory of one queue.
type spool struct {
	config SpoolConfig
	lock   *os.File

	// These are guarded by the queue's lock.
	segments []*segment // oldest first
	stats    SpoolStats
	unread   int  // values not yet read by the delivering goroutine
	cursor   spot // where it reads on: its begin counts

	// These are the keeping goroutine's.
	active  *os.File // the file of current
	current *segment // nil: the next write makes one
	next    uint64   // number of the next segment
	dirty   bool     // written since the last sync
	garbage []string // files to remove
	write   func(f *os.File, b []byte, at int64) (int, error)

	// These are the delivering goroutine's.
	open     func(name string) (*os.File, error)
	shut     bool // a file could not be opened when it was last tried
	reader   *os.File
	reading  uint64 // the segment of reader
	buffer   []byte
	position *os.File
	turn     uint64 // of the position last written
}

func (s *spool) path(id uint64) string {
	return filepath.Join(s.config.Directory, fmt.Sprintf("%016x", id)+segmentSuffix)
}

// segmentID reads the number out of a file's name.
func segmentID(name string) (uint64, bool) {
	if len(name) != 16+len(segmentSuffix) || name[16:] != segmentSuffix {
		return 0, false
	}
	id, err := strconv.ParseUint(name[:16], 16, 64)
	return id, err == nil && id > 0
}

// find returns the segment with this number, nil where it is gone. The lock is
// held.
func (s *spool) find(id uint64) *segment {
	for _, g := range s.segments {
		if g.id == id {
			return g
		}
	}
	return nil
}

// appendFrame appends one record.
func appendFrame[T any](dst []byte, codec Codec[T], v T, e entry) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = binary.AppendUvarint(dst, uint64(e.Records))
	dst = binary.AppendUvarint(dst, uint64(e.Bytes))
	dst = binary.AppendUvarint(dst, uint64(e.at))
	dst = codec.Append(dst, v)
	frame := dst[at:]
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-frameHead))
	binary.LittleEndian.PutUint32(frame[4:], checksum(frame))
	return dst
}

func checksum(frame []byte) uint32 {
	return crc32.Update(crc32.Checksum(frame[:4], castagnoli), castagnoli, frame[frameHead:])
}

var errTorn = errors.New("not a whole record")

// frameLength returns how many bytes the record at the beginning of b has.
func frameLength(b []byte) (int64, error) {
	if len(b) < frameHead {
		return 0, errTorn
	}
	n := binary.LittleEndian.Uint32(b)
	if n < 3 {
		return 0, errTorn
	}
	return int64(n) + frameHead, nil
}

// cutFrame takes the whole record that frame is to pieces.
func cutFrame(frame []byte) (e entry, value []byte, err error) {
	if binary.LittleEndian.Uint32(frame[4:]) != checksum(frame) {
		return entry{}, nil, errTorn
	}
	b := frame[frameHead:]
	var n [3]uint64
	for i := range n {
		u, size := binary.Uvarint(b)
		if size <= 0 || u > 1<<62 {
			return entry{}, nil, errTorn
		}
		n[i], b = u, b[size:]
	}
	return entry{Count{int64(n[0]), int64(n[1])}, int64(n[2])}, b, nil
}

// append writes b, which holds whole records, and returns where it begins. The
// records are there when publish says so.
func (s *spool) append(b []byte) (spot, error) {
	if s.current != nil && s.current.size > spoolHead && s.current.size+int64(len(b)) > s.segmentBytes() {
		if err := s.seal(); err != nil {
			return spot{}, err
		}
	}
	if s.current == nil {
		if err := s.create(); err != nil {
			return spot{}, err
		}
	}
	at := s.current.size
	if _, err := s.write(s.active, b, at); err != nil {
		_ = s.active.Truncate(at) // what is behind is never read anyway
		return spot{}, fmt.Errorf("write to the spool: %w", err)
	}
	s.dirty = true
	return spot{segment: s.current.id, begin: at}, nil
}

func (s *spool) segmentBytes() int64 { return min(s.config.Segment, s.config.Bytes/4) }

// create begins a segment.
func (s *spool) create() error {
	f, err := os.OpenFile(s.path(s.next), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write to the spool: %w", err)
	}
	id := s.next
	s.next++
	if _, err := s.write(f, []byte(spoolMagic), 0); err != nil {
		_ = f.Close()
		s.garbage = append(s.garbage, s.path(id))
		return fmt.Errorf("write to the spool: %w", err)
	}
	// Without its name in the directory a file does not outlive the machine.
	if err := syncDirectory(s.config.Directory); err != nil {
		_ = f.Close()
		s.garbage = append(s.garbage, s.path(id))
		return fmt.Errorf("write to the spool: %w", err)
	}
	s.active, s.current = f, &segment{id: id, size: spoolHead}
	return nil
}

// seal ends the current segment.
func (s *spool) seal() error {
	if s.current == nil {
		return nil
	}
	err := s.sync()
	err = errors.Join(err, s.active.Close())
	s.active, s.current = nil, nil
	return err
}

// sync makes what was written durable.
func (s *spool) sync() error {
	if !s.dirty || s.current == nil {
		return nil
	}
	s.dirty = false
	if err := s.active.Sync(); err != nil {
		// What the system could not write it may have forgotten: nothing is put
		// behind it.
		_ = s.active.Close()
		s.active, s.current = nil, nil
		return fmt.Errorf("sync the spool: %w", err)
	}
	return nil
}

// clean removes files that are no longer needed.
func (s *spool) clean() error {
	var faults []error
	left := s.garbage[:0]
	for _, name := range s.garbage {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			faults, left = append(faults, err), append(left, name)
		}
	}
	s.garbage = left
	if len(faults) > 0 {
		return fmt.Errorf("remove from the spool: %w", errors.Join(faults...))
	}
	return nil
}

// close lets go of everything.
func (s *spool) close() error {
	err := errors.Join(s.seal(), s.clean())
	for _, f := range []*os.File{s.position, s.lock} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// SyncDirectory makes new names in dir durable, where the system can do that.
func SyncDirectory(dir string) { _ = syncDirectory(dir) }

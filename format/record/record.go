// Package record reads and writes pieces of TCP conversations as the records of
// the gogetway traffic mirror, one behind the other:
//
//	"--benbens--\nt"                  13 bytes
//	time         int64, little endian  nanoseconds since 1970
//	type         byte                  1 is TCP
//	length       int64, little endian  of the body as written
//	"<from>...<to>\n"                  host:port, IPv6 in brackets
//	body
//
// In the body every "\nt" is written as "\n\nt", so that the first 13 bytes of a
// record stand nowhere else. Both directions are exact here for any bytes of any
// length; the format's own reader alters bodies in which a line begins with t,
// and loses those that hold the 13 bytes.
package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// Magic begins every record.
const Magic = "--benbens--\nt"

// TCP is the type of a record that holds a piece of a TCP conversation.
const TCP = 1

const (
	between   = "..."
	fixedSize = len(Magic) + 8 + 1 + 8
)

// Config is what can be set.
type Config struct {
	// WriteTime stamps records with the time of writing, as the original does.
	// Default false: with that of the capture.
	WriteTime bool
	// MaxRecord bounds the memory of a Reader: a longer record, in bytes as
	// written, is skipped and counted. Default 64 MiB.
	MaxRecord int
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{MaxRecord: 64 << 20} }

// New returns the format. It may be used by several goroutines.
func New(c Config) format.Chunks { return writer{c.WriteTime} }

type writer struct{ writeTime bool }

// ContentType returns a type of our own: the format has none.
func (writer) ContentType() string { return "application/vnd.gogetway.record" }

// AppendChunk appends a record for c, nothing where c has no bytes.
func (w writer) AppendChunk(dst []byte, c *message.Chunk) []byte {
	if len(c.Data) == 0 {
		return dst
	}
	at := int64(c.Time)
	if w.writeTime {
		at = time.Now().UnixNano()
	}
	head := len(dst)
	dst = appendFixed(dst, at, TCP)
	dst = c.Src().AppendTo(dst)
	dst = append(dst, between...)
	dst = c.Dst().AppendTo(dst)
	return appendBody(dst, head, c.Data)
}

// Record is one record.
type Record struct {
	Time     time.Time
	Type     byte
	From, To string // host:port
	Data     []byte // the body, un-escaped
}

// Append appends r to dst. Its error says why From and To cannot be written:
// they would be read back as something else.
func Append(dst []byte, r *Record) ([]byte, error) {
	if strings.Contains(r.From, "\n") || strings.Contains(r.To, "\n") || strings.Index(r.From+between, between) != len(r.From) {
		return dst, fmt.Errorf("write record: the addresses %q and %q cannot stand in one: no line end is allowed, and no %q in the first", r.From, r.To, between)
	}
	if edge := r.From + between + r.To + "\n"; strings.HasSuffix(edge, Magic[:len(Magic)-1]) {
		return dst, fmt.Errorf("write record: the address %q reads like the beginning of a record", r.To)
	}
	head := len(dst)
	dst = appendFixed(dst, r.Time.UnixNano(), r.Type)
	dst = append(dst, r.From...)
	dst = append(dst, between...)
	dst = append(dst, r.To...)
	return appendBody(dst, head, r.Data), nil
}

// appendFixed appends what stands before the addresses, with the length still
// to be set.
func appendFixed(dst []byte, at int64, kind byte) []byte {
	dst = append(dst, Magic...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(at))
	dst = append(dst, kind)
	return binary.LittleEndian.AppendUint64(dst, 0)
}

// appendBody appends the rest of the record that begins at head, and sets the
// length there.
func appendBody(dst []byte, head int, body []byte) []byte {
	dst = append(dst, '\n')
	begin := len(dst)
	for {
		i := bytes.Index(body, []byte("\nt"))
		if i < 0 {
			break
		}
		dst = append(dst, body[:i]...)
		dst = append(dst, "\n\nt"...)
		body = body[i+2:]
	}
	dst = append(dst, body...)
	binary.LittleEndian.PutUint64(dst[head+fixedSize-8:], uint64(len(dst)-begin))
	return dst
}

// The ways in which a record can be bad. They read as those of the original.
var (
	ErrShort   = errors.New("packet too short")
	ErrForeign = errors.New("not my packet you may read wrong bytes")
	ErrLength  = errors.New("packet length error")
)

// Unmarshal reads b, which is one record. The body is un-escaped in place: Data
// is part of b, which has changed.
func Unmarshal(b []byte) (Record, error) {
	if !bytes.HasPrefix(b, []byte(Magic)) {
		return Record{}, ErrForeign
	}
	if len(b) <= fixedSize {
		return Record{}, ErrShort
	}
	line, body, ok := bytes.Cut(b[fixedSize:], []byte{'\n'})
	if !ok {
		return Record{}, ErrForeign
	}
	from, to, ok := strings.Cut(string(line), between)
	if !ok {
		return Record{}, ErrForeign
	}
	fixed := b[len(Magic):]
	length := binary.LittleEndian.Uint64(fixed[9:])
	written := uint64(len(body))
	data := unescape(body)
	// Some count the body before it is escaped.
	if length != written && length != uint64(len(data)) {
		return Record{}, ErrLength
	}
	return Record{Time: time.Unix(0, int64(binary.LittleEndian.Uint64(fixed))).UTC(), Type: fixed[8], From: from, To: to, Data: data}, nil
}

// unescape takes one line end from each that Append has put before another, in
// place.
func unescape(b []byte) []byte {
	escaped := []byte("\n\nt")
	i := bytes.Index(b, escaped)
	if i < 0 {
		return b
	}
	to := i
	for rest := b[i:]; ; {
		// rest begins with escaped.
		to += copy(b[to:], "\nt")
		rest = rest[len(escaped):]
		i := bytes.Index(rest, escaped)
		if i < 0 {
			to += copy(b[to:], rest)
			return b[:to]
		}
		to += copy(b[to:], rest[:i])
		rest = rest[i:]
	}
}

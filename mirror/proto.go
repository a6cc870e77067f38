package mirror

import (
	"bufio"
	"bytes"
	"io"
	"time"

	"github.com/passiflow/passiflow/format/record"
)

// What follows has the names that gogetway's package proto has for its records;
// package format/record is what new programs use.

// MagicHeader begins every record.
const MagicHeader = record.Magic

// Packet is one record.
type Packet struct {
	Data []byte
	Type ClientType
	From string
	To   string
	at   int64
}

// NewPacket returns a record that was not read.
func NewPacket(data []byte, from, to string, kind ClientType) *Packet {
	return &Packet{Data: data, Type: kind, From: from, To: to}
}

// Timestamp returns when a record that was read was written, in nanoseconds
// since 1970; 0 for one that was not read.
func (p *Packet) Timestamp() int64 { return p.at }

// Marshal returns the record as it is written, with the time of now; nil where
// From and To cannot stand in one.
func (p *Packet) Marshal() []byte {
	b, err := record.Append(nil, &record.Record{Time: time.Now(), Type: byte(p.Type), From: p.From, To: p.To, Data: p.Data})
	if err != nil {
		return nil
	}
	return b
}

// WriteProto returns a record with the time of now. fromTo is "<from>...<to>".
func WriteProto(data []byte, kind ClientType, fromTo string) []byte {
	from, to, _ := bytes.Cut([]byte(fromTo), []byte("..."))
	return NewPacket(data, string(from), string(to), kind).Marshal()
}

// UnMarshal reads one record. It leaves data as it is.
func UnMarshal(data []byte) (*Packet, error) {
	r, err := record.Unmarshal(bytes.Clone(data))
	if err != nil {
		return nil, err
	}
	return &Packet{Data: r.Data, Type: ClientType(r.Type), From: r.From, To: r.To, at: r.Time.UnixNano()}, nil
}

// ReadProtoFromReader returns a scanner whose tokens UnMarshal reads, of at most
// 64 MiB each.
func ReadProtoFromReader(reader io.Reader) (*bufio.Scanner, error) {
	s := bufio.NewScanner(reader)
	s.Buffer(nil, record.DefaultConfig().MaxRecord)
	s.Split(splitRecords)
	return s, nil
}

// splitRecords is a bufio.SplitFunc: a token goes from one magic to the next.
func splitRecords(data []byte, atEOF bool) (advance int, token []byte, err error) {
	begin := bytes.Index(data, []byte(MagicHeader))
	if begin < 0 {
		if atEOF {
			return len(data), nil, nil
		}
		return max(len(data)-len(MagicHeader)+1, 0), nil, nil
	}
	if n := bytes.Index(data[begin+len(MagicHeader):], []byte(MagicHeader)); n >= 0 {
		end := begin + len(MagicHeader) + n
		return end, data[begin:end], nil
	}
	if atEOF {
		return len(data), data[begin:], nil
	}
	return begin, nil, nil
}

package pcapfile

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/passiflow/passiflow/packet"
)

// Magic numbers of pcap files, in the byte order of their writer.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Kuznetzov's patch: longer record headers
	magicSection  = 0x0a0d0d0a // pcapng; reads the same in both byte orders
)

const pcapHeader = 24

// recognise makes the parser for the file at the front of w, or says how many
// bytes it needs to tell.
func recognise(w *window, s *reader) (format, int, error) {
	b := w.bytes()
	if len(b) < pcapHeader {
		return nil, pcapHeader, foreign(b)
	}
	magic := binary.LittleEndian.Uint32(b)
	if magic == magicSection {
		return &pcapng{s: s}, 0, nil
	}
	p := &pcap{header: 16}
	for _, swapped := range [...]bool{false, true} {
		if swapped {
			magic = bits.ReverseBytes32(magic)
		}
		switch magic {
		case magicMicro:
			p.unit = 1000
		case magicNano:
			p.unit = 1
		case magicModified:
			p.unit, p.header = 1000, 24
		default:
			continue
		}
		p.swapped = swapped
		break
	}
	if p.unit == 0 {
		return nil, 0, foreign(b)
	}
	major, minor := binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:])
	if p.swapped {
		major, minor = bits.ReverseBytes16(major), bits.ReverseBytes16(minor)
	}
	switch {
	case major < 2:
		return nil, 0, fmt.Errorf("is a pcap file of version %d.%d, which is not read: convert it with `editcap`", major, minor)
	case major == 2 && minor < 3, major == 543:
		p.order = 1
	case major == 2 && minor == 3:
		p.order = 2
	}
	p.link = normalLink(p.u32(b[20:]) & 0x03ffffff) // above: whether frames end in a checksum
	id, err := s.addInterface(s.label(), p.link)
	if err != nil {
		return nil, 0, err
	}
	p.id = id
	w.r += pcapHeader
	return p, 0, nil
}

// normalLink turns a number that some systems write into the one that the list
// of link types has.
func normalLink(n uint32) packet.Link {
	switch n {
	case 12, 14: // DLT_RAW of most systems and of OpenBSD
		return packet.LinkRaw
	}
	return packet.Link(n)
}

// pcap parses the older format (draft-ietf-opsawg-pcap).
type pcap struct {
	id      int
	link    packet.Link
	unit    int64 // nanoseconds of the fraction's unit
	header  int   // bytes of a record's header
	swapped bool  // big endian
	order   uint8 // captured and original length: 0 in this order, 1 swapped, 2 the smaller one is the captured
	count   uint64
}

func (p *pcap) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if p.swapped {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (p *pcap) dropped() uint64        { return 0 }
func (p *pcap) partial(w *window) bool { return w.r < w.w }

func (p *pcap) next(w *window, batch []packet.Packet) (n, need int, err error) {
	b := w.bytes()
	at := 0
	for n < len(batch) {
		rest := b[at:]
		if len(rest) < p.header {
			need = p.header
			break
		}
		h := rest[:16]
		sec, frac := p.u32(h), p.u32(h[4:])
		size, wire := p.u32(h[8:]), p.u32(h[12:])
		if p.order != 0 && (p.order == 1 || size > wire) {
			size, wire = wire, size
		}
		if size > maxPacket {
			err = fmt.Errorf("packet %d at byte %d has %d bytes, more than %d: the file is corrupt", p.count+uint64(n)+1, w.offset()+int64(at), size, maxPacket)
			break
		}
		end := p.header + int(size)
		if len(rest) < end {
			need = end
			break
		}
		batch[n] = packet.Packet{
			Time:      packet.Time(int64(sec)*1e9 + int64(frac)*p.unit),
			Data:      rest[p.header:end:end],
			Length:    int(max(size, wire)),
			Link:      p.link,
			Interface: p.id,
		}
		at += end
		n++
	}
	w.r += at
	p.count += uint64(n)
	return n, need, err
}

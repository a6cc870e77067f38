package pcapfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/passiflow/passiflow/packet"
)

// Block types (draft-ietf-opsawg-pcapng section 11.1).
const (
	blockInterface  = 1
	blockOldPacket  = 2
	blockSimple     = 3
	blockStatistics = 5
	blockPacket     = 6
)

const orderMagic = 0x1a2b3c4d

// pcapng parses the newer format: sections of blocks, with interfaces of their
// own each.
type pcapng struct {
	s       *reader
	swapped bool // this section is big endian
	ports   []port
	last    packet.Time // of the packet before, for blocks without a time
	skip    int64       // bytes of a block to pass over
	trailer uint32      // length that must stand after them, 0: none
	lost    uint64      // packets that the capture says it lost
	count   uint64
}

// port is an interface of the section.
type port struct {
	id      int
	link    packet.Link
	snaplen uint32
	clock   clock
	lost    uint64 // packets that the capture says it lost
}

// maxTime is the latest time a packet is given, in the year 2260: whoever adds a
// wait to it or subtracts one time from another needs not fear for the result.
const maxTime = 92e17

// clock turns time stamps into nanoseconds from 0 to maxTime.
type clock struct {
	factor uint64 // nanoseconds of a unit, 0: use unit
	most   uint64 // the largest stamp that factor is good for
	unit   uint64 // units of a second
	offset int64  // seconds to add
}

func (c *clock) time(stamp uint64) packet.Time {
	if stamp < c.most && c.offset == 0 {
		return packet.Time(stamp * c.factor)
	}
	frac := stamp % c.unit
	hi, lo := bits.Mul64(frac, 1e9)
	ns, _ := bits.Div64(hi, lo, c.unit) // frac < unit, so hi < unit
	sec := int64(min(stamp/c.unit, math.MaxInt64))
	switch {
	case c.offset > 0 && sec > math.MaxInt64-c.offset, sec+c.offset >= maxTime/1e9:
		return maxTime
	case sec+c.offset < 0:
		return 0
	}
	return packet.Time((sec+c.offset)*1e9 + int64(ns))
}

// newClock reads if_tsresol: a negative power of 10, or of 2 with the top bit.
func newClock(resolution byte) (clock, error) {
	n := uint(resolution & 0x7f)
	if resolution&0x80 != 0 {
		if n > 63 {
			return clock{}, fmt.Errorf("time unit 2^-%d is too small", n)
		}
		return clock{unit: 1 << n}, nil
	}
	if n > 19 {
		return clock{}, fmt.Errorf("time unit 10^-%d is too small", n)
	}
	unit := uint64(1)
	for range n {
		unit *= 10
	}
	if n <= 9 {
		return clock{factor: 1e9 / unit, most: maxTime / (1e9 / unit), unit: unit}, nil
	}
	return clock{unit: unit}, nil
}

func (p *pcapng) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if p.swapped {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (p *pcapng) u16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if p.swapped {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (p *pcapng) dropped() uint64 { return p.lost }

// partial is true for any block but one that is being passed over: what it was
// cannot be told before its header is there.
func (p *pcapng) partial(w *window) bool {
	b := w.bytes()
	if p.skip > 0 || p.trailer != 0 || len(b) == 0 {
		return false
	}
	if len(b) < 4 {
		return true
	}
	switch p.u32(b) {
	case blockPacket, blockSimple, blockOldPacket:
		return true
	}
	return false
}

func (p *pcapng) next(w *window, batch []packet.Packet) (n, need int, err error) {
	for n < len(batch) {
		if p.skip > 0 || p.trailer != 0 {
			if need, err = p.pass(w); need > 0 || err != nil {
				break
			}
			continue
		}
		b := w.buf[w.r:w.w]
		if len(b) < 12 {
			need = 12
			break
		}
		kind, size := p.u32(b), p.u32(b[4:])
		if kind == magicSection {
			// Its byte order is its own.
			if size, err = p.order(b); err != nil {
				err = p.at(w, err)
				break
			}
		}
		if size < 12 || size%4 != 0 || size > maxPacket {
			err = p.at(w, fmt.Errorf("block length %d is not possible: the file is corrupt", size))
			break
		}
		switch kind {
		case magicSection, blockInterface, blockOldPacket, blockSimple, blockStatistics, blockPacket:
		default:
			p.skip, p.trailer = int64(size)-4, size
			continue
		}
		if len(b) < int(size) {
			need = int(size)
			break
		}
		b = b[:size:size]
		if p.u32(b[size-4:]) != size {
			err = p.at(w, fmt.Errorf("block length %d is followed by %d: the file is corrupt", size, p.u32(b[size-4:])))
			break
		}
		body := b[8 : size-4]
		if kind == blockPacket {
			err = p.packet(body, &batch[n])
		} else {
			switch kind {
			case magicSection:
				err = p.section(body)
			case blockInterface:
				err = p.iface(body)
			case blockStatistics:
				p.statistics(body)
			case blockSimple:
				err = p.simple(body, &batch[n])
			case blockOldPacket:
				err = p.oldPacket(body, &batch[n])
			}
		}
		if err != nil {
			err = p.at(w, err)
			break
		}
		w.r += int(size)
		if kind == blockPacket || kind == blockSimple || kind == blockOldPacket {
			n++
			p.count++
		}
	}
	return n, need, err
}

func (p *pcapng) at(w *window, err error) error {
	return fmt.Errorf("block at byte %d: %w", w.offset(), err)
}

// pass goes over a block that is not read, without keeping it.
func (p *pcapng) pass(w *window) (need int, err error) {
	n := min(int64(w.w-w.r), p.skip)
	w.r += int(n)
	p.skip -= n
	if p.skip > 0 {
		return 1, nil
	}
	b := w.bytes()
	if len(b) < 4 {
		return 4, nil
	}
	if end := p.u32(b); end != p.trailer {
		return 0, fmt.Errorf("block at byte %d: block length %d is followed by %d: the file is corrupt", w.offset()+4-int64(p.trailer), p.trailer, end)
	}
	p.trailer = 0
	w.r += 4
	return 0, nil
}

// order learns a section's byte order and returns its header's length.
func (p *pcapng) order(b []byte) (uint32, error) {
	switch binary.LittleEndian.Uint32(b[8:]) {
	case orderMagic:
		p.swapped = false
	case 0x4d3c2b1a:
		p.swapped = true
	default:
		return 0, fmt.Errorf("section has byte-order magic % x: the file is corrupt", b[8:12])
	}
	return p.u32(b[4:]), nil
}

func (p *pcapng) section(body []byte) error {
	if len(body) < 16 {
		return fmt.Errorf("section header has %d bytes: the file is corrupt", len(body))
	}
	if major := p.u16(body[4:]); major != 1 {
		return fmt.Errorf("is pcapng version %d.%d, which is not read", major, p.u16(body[6:]))
	}
	p.ports = p.ports[:0]
	return nil
}

func (p *pcapng) iface(body []byte) error {
	if len(body) < 8 {
		return fmt.Errorf("interface has %d bytes: the file is corrupt", len(body))
	}
	if len(p.ports) == maxInterfaces {
		return fmt.Errorf("more than %d interfaces: the file is corrupt", maxInterfaces)
	}
	it := port{link: normalLink(uint32(p.u16(body))), snaplen: p.u32(body[4:])}
	resolution, offset, name := byte(6), int64(0), ""
	for code, value := range p.options(body[8:]) {
		switch {
		case code == 2 && name == "":
			name = string(value[:min(len(value), 255)])
		case code == 9 && len(value) == 1:
			resolution = value[0]
		case code == 14 && len(value) == 8:
			offset = int64(p.u64(value))
		}
	}
	if name == "" {
		if name = p.s.label(); len(p.ports) > 0 {
			name += "#" + strconv.Itoa(len(p.ports))
		}
	}
	var err error
	if it.clock, err = newClock(resolution); err != nil {
		return fmt.Errorf("interface %d: %w", len(p.ports), err)
	}
	it.clock.offset = offset
	if it.id, err = p.s.addInterface(name, it.link); err != nil {
		return err
	}
	p.ports = append(p.ports, it)
	return nil
}

func (p *pcapng) port(i uint32) (*port, error) {
	if uint64(i) >= uint64(len(p.ports)) {
		return nil, fmt.Errorf("packet %d names interface %d, and there are %d: the file is corrupt", p.count+1, i, len(p.ports))
	}
	return &p.ports[i], nil
}

func (p *pcapng) packet(b []byte, to *packet.Packet) error {
	if len(b) < 20 {
		return fmt.Errorf("packet block has %d bytes: the file is corrupt", len(b))
	}
	it, err := p.port(p.u32(b))
	if err != nil {
		return err
	}
	stamp := uint64(p.u32(b[4:]))<<32 | uint64(p.u32(b[8:]))
	return p.set(to, it, it.clock.time(stamp), b[20:], p.u32(b[12:]), p.u32(b[16:]))
}

func (p *pcapng) oldPacket(b []byte, to *packet.Packet) error {
	if len(b) < 20 {
		return fmt.Errorf("packet block has %d bytes: the file is corrupt", len(b))
	}
	it, err := p.port(uint32(p.u16(b)))
	if err != nil {
		return err
	}
	stamp := uint64(p.u32(b[4:]))<<32 | uint64(p.u32(b[8:]))
	return p.set(to, it, it.clock.time(stamp), b[20:], p.u32(b[12:]), p.u32(b[16:]))
}

// simple has no time: the packet before it lends its own.
func (p *pcapng) simple(b []byte, to *packet.Packet) error {
	if len(b) < 4 {
		return fmt.Errorf("packet block has %d bytes: the file is corrupt", len(b))
	}
	it, err := p.port(0)
	if err != nil {
		return err
	}
	wire := p.u32(b)
	size := wire
	if it.snaplen != 0 {
		size = min(size, it.snaplen)
	}
	return p.set(to, it, p.last, b[4:], size, wire)
}

func (p *pcapng) set(to *packet.Packet, it *port, t packet.Time, data []byte, size, wire uint32) error {
	if uint64(size) > uint64(len(data)) {
		return fmt.Errorf("packet %d has %d bytes in a block that has room for %d: the file is corrupt", p.count+1, size, len(data))
	}
	p.last = t
	*to = packet.Packet{Time: t, Data: data[:size:size], Length: int(max(size, wire)), Link: it.link, Interface: it.id}
	return nil
}

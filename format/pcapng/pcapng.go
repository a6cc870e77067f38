// Package pcapng writes captured frames as a pcapng file
// (draft-ietf-opsawg-pcapng): one section, times in nanoseconds.
package pcapng

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// Config says what the file tells about itself.
type Config struct {
	// Application stands in the header. Default "passiflow".
	Application string
	// Snaplen is the most bytes of a frame that the capture kept. Default
	// 262144.
	Snaplen int
	// Tunnels puts a comment on frames whose tunnel headers the source took off,
	// such as "vxlan 42". Default true.
	Tunnels bool
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Application: "passiflow", Snaplen: 262144, Tunnels: true}
}

// New returns a writer for one file at a time.
func New(c Config) format.Frames {
	w := &writer{cfg: c}
	w.known.Store(&table{})
	return w
}

// Block types and options.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6

	optComment     = 1
	optName        = 2 // if_name
	optResolution  = 9 // if_tsresol
	optApplication = 4 // shb_userappl
)

// key is what makes an interface of the file: one source interface may show
// frames of several links.
type key struct {
	name string
	link packet.Link
}

// table is never changed: a new interface makes a new table.
type table struct {
	list  []key
	index map[key]uint32 // nil while the list is short
}

const shortList = 8

func (t *table) find(k key) (uint32, bool) {
	if t.index != nil {
		id, ok := t.index[k]
		return id, ok
	}
	for i := range t.list {
		if t.list[i] == k {
			return uint32(i), true
		}
	}
	return 0, false
}

type writer struct {
	cfg   Config
	known atomic.Pointer[table]
	mu    sync.RWMutex // of changes of known, and of the map of a long one
	// Only Head and Restart use these.
	begun   bool
	written int // interfaces
}

func (w *writer) ContentType() string { return "application/x-pcapng" }

func (w *writer) Add(at source.Interface) { w.id(key{at.Name, at.Link}) }

func (w *writer) id(k key) uint32 {
	t := w.known.Load()
	if t.index == nil {
		if id, ok := t.find(k); ok {
			return id
		}
	} else {
		w.mu.RLock()
		id, ok := t.find(k)
		w.mu.RUnlock()
		if ok {
			return id
		}
	}
	return w.add(k)
}

func (w *writer) add(k key) uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.known.Load()
	if id, ok := t.find(k); ok {
		return id
	}
	id := uint32(len(t.list))
	// Tables before this one see the same array, and not what lies behind
	// their own length.
	next := &table{list: append(t.list, k), index: t.index}
	if next.index != nil {
		next.index[k] = id
	} else if len(next.list) > shortList {
		next.index = make(map[key]uint32)
		for i, k := range next.list {
			next.index[k] = uint32(i)
		}
	}
	w.known.Store(next)
	return id
}

func (w *writer) Restart() { w.begun, w.written = false, 0 }

func (w *writer) Head(dst []byte) []byte {
	if !w.begun {
		w.begun = true
		at := len(dst)
		dst = appendU32(dst, blockSection, 0, 0x1a2b3c4d)
		dst = append(dst, 1, 0, 0, 0)                        // version 1.0
		dst = binary.LittleEndian.AppendUint64(dst, 1<<64-1) // length of the section: not told
		dst = appendOption(dst, optApplication, w.cfg.Application)
		dst = end(appendU32(dst, 0), at)
		if len(w.known.Load().list) == 0 {
			// The file ends without a frame. libpcap does not open one that has
			// no interface at all.
			w.Add(source.Interface{Link: packet.LinkEthernet})
		}
	}
	list := w.known.Load().list
	for _, k := range list[w.written:] {
		at := len(dst)
		dst = appendU32(dst, blockInterface, 0, uint32(k.link)&0xffff, uint32(w.cfg.Snaplen))
		dst = appendOption(dst, optName, k.name)
		dst = appendOption(dst, optResolution, "\x09")
		dst = end(appendU32(dst, 0), at)
	}
	w.written = len(list)
	return dst
}

func (w *writer) Append(dst []byte, p *packet.Packet, at *source.Interface) []byte {
	begin := len(dst)
	size, wire := len(p.Data), max(p.Length, len(p.Data))
	link := p.Link
	l, ok := tag(p)
	if !ok {
		if l, ok = bare(p, at); ok {
			link = packet.LinkEthernet
		}
	}
	size, wire = size+l.n-l.used, wire+l.n-l.used
	t := uint64(p.Time)
	dst = appendU32(dst, blockPacket, 0, w.id(key{at.Name, link}), uint32(t>>32), uint32(t), uint32(size), uint32(wire))
	dst = append(dst, l.bytes[:l.n]...)
	dst = append(dst, p.Data[l.used:]...)
	dst = pad(dst, size)
	if w.cfg.Tunnels && p.Outer.Kind != packet.NoTunnel {
		dst = appendComment(dst, p.Outer, link != p.Link)
	}
	return end(dst, begin)
}

func appendU32(dst []byte, values ...uint32) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	return dst
}

// end closes the block that begins at at: its length stands at both ends.
func end(dst []byte, at int) []byte {
	size := uint32(len(dst) - at + 4)
	binary.LittleEndian.PutUint32(dst[at+4:], size)
	return appendU32(dst, size)
}

func pad(dst []byte, size int) []byte {
	return append(dst, "\x00\x00\x00"[:-size&3]...)
}

func appendOption(dst []byte, code uint16, value string) []byte {
	if value == "" {
		return dst
	}
	value = value[:min(len(value), 1<<16-1)]
	dst = binary.LittleEndian.AppendUint16(dst, code)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(value)))
	return pad(append(dst, value...), len(value))
}

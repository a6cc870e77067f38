// Package source says what a place that packets come from must promise.
package source

import "github.com/passiflow/passiflow/packet"

// Batch is the recommended length of the slice given to Read.
const Batch = 64

// Source is one place that packets come from: a live interface, a file, a
// mirror port. It is used by one goroutine; Close may be called from another
// and makes a waiting Read return.
type Source interface {
	// Read fills batch from the front and returns how many packets it set:
	// Time, Data, Length, Link, Interface, TagType, Tag and Outer of each; it resets
	// the rest. Data is valid until the next Read. 0 and no error: no packet
	// came for a while (live sources wait at most about 100 ms). io.EOF: there
	// are no more; packets before it were returned by earlier calls. Any other
	// error is final and says which step failed on which device or file.
	Read(batch []packet.Packet) (int, error)
	// Stats returns what was counted so far. It may be called by any
	// goroutine, also after Close.
	Stats() Stats
	// Interfaces names the places behind Packet.Interface, by index. The list
	// may grow while packets are read.
	Interfaces() []Interface
	// Close releases what the source holds. It is safe to call twice. Packets that
	// Read has lent stay valid until the next Read, which has nothing more to
	// give and is the end of it: whoever has closed a source reads once more.
	Close() error
}

// Live is what a source also is when it reads a device and not a record of one.
type Live interface {
	// Live tells whether time passes while nothing is read: the walk then lets
	// the wall clock drive timeouts when no packet comes.
	Live() bool
}

// Shared is what a source also is when it is one of several that share what is
// captured by the addresses of a conversation: the kernel chooses before
// fragments are put together, and they do not show what is inside of a tunnel.
type Shared interface {
	// Place returns which of these sources, counted from 0 in the order in which
	// they were opened, would have shown frame. Only the source's reader calls it.
	Place(l packet.Link, frame []byte) int
}

// Interface describes one place that packets of a source come from.
type Interface struct {
	Name     string // "eth0"; for a file the interface it names, or the file's own name
	Link     packet.Link
	Loopback bool
}

// Stats are the counts of a source since it was opened.
type Stats struct {
	Received uint64 // packets that Read returned or will return
	Dropped  uint64 // packets the kernel or the device dropped for want of room
	Unread   uint64 // packets that had room, and that nobody had read when the source was closed
	Filtered uint64 // packets a filter inside the source refused, where it can count them
	Cut      uint64 // packets that were unreadable: a file ended in their middle, a mirror's datagram held no frame
}

// Progress is what a source also is when it knows how much there is to read.
type Progress interface {
	// Progress returns how many bytes of its files a source has read, and how
	// many there are; the second is the first where nobody knows. It may be
	// called by any goroutine.
	Progress() (done, total int64)
}

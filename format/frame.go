package format

import (
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// Frames writes captured frames in the form of a file. Frames of several
// goroutines may go into one file in blocks, of which some may be lost: what a
// frame refers to, such as its interface, stands in Head and not between the
// frames.
type Frames interface {
	// Add names an interface before its first frame; that is never needed, but
	// makes a file without frames tell where there were none. It may be called
	// by any goroutine.
	Add(at source.Interface)
	// Append appends p, which was captured at at. It keeps neither, allocates
	// nothing but room, and may be called by several goroutines.
	Append(dst []byte, p *packet.Packet, at *source.Interface) []byte
	// Head appends what has to stand in the file before the frames that were
	// appended until now and was not returned by an earlier call: the first time
	// the file's header. Whoever writes the file calls it before each block.
	Head(dst []byte) []byte
	// Restart lets the next Head begin another file. It is called by the
	// goroutine that calls Head.
	Restart()
	// ContentType returns the media type of the file.
	ContentType() string
}

package file

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compress is a way to compress.
type compress uint8

const (
	plain compress = iota
	gzipped
	zstandard
)

func compression(name, path string) (compress, error) {
	switch name {
	case "none":
		return plain, nil
	case "gzip":
		return gzipped, nil
	case "zstd":
		return zstandard, nil
	case "", "auto":
		switch {
		case strings.HasSuffix(path, ".gz"):
			return gzipped, nil
		case strings.HasSuffix(path, ".zst"):
			return zstandard, nil
		}
		return plain, nil
	}
	return plain, fmt.Errorf("compress %q: must be auto, none, gzip or zstd", name)
}

// begins tells whether the file at path is empty or begins as one that is
// compressed so.
func (c compress) begins(path string) bool {
	want := [...]string{"", "\x1f\x8b", "\x28\xb5\x2f\xfd"}[c]
	f, err := os.Open(path)
	if err != nil {
		return true // opening it for writing says what is wrong
	}
	defer f.Close()
	b := make([]byte, len(want))
	n, _ := io.ReadFull(f, b)
	return n == 0 || string(b[:n]) == want
}

// flusher is what compresses.
type flusher interface {
	io.Writer
	Flush() error
	Reset(io.Writer)
}

// pack compresses what is added so that a file can be cut behind any of it and
// ended there: every addition is flushed to a whole byte, and the end needs
// nothing of the compressor's state but a checksum, which is kept here of what
// was taken.
type pack struct {
	kind   compress
	w      flusher
	out    bytes.Buffer
	open   bool   // a member (RFC 1952) or frame (RFC 8878) has begun
	filled bool   // and has content
	check  uint32 // CRC-32 of what was taken in it
	bytes  uint32 // how much that was, modulo 2^32
}

// newPack returns nil where nothing is compressed.
func newPack(kind compress) (*pack, error) {
	p := &pack{kind: kind}
	switch kind {
	case plain:
		return nil, nil
	case gzipped:
		w, err := gzip.NewWriterLevel(&p.out, gzip.BestSpeed) // a capture does not wait
		if err != nil {
			return nil, err
		}
		p.w = w
	default:
		// One goroutine, the caller's; no checksum, so that a frame can be ended
		// wherever it was flushed.
		w, err := zstd.NewWriter(&p.out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
		if err != nil {
			return nil, err
		}
		p.w = w
	}
	return p, nil
}

// add returns what stands for b in the file. It is valid until the next call.
func (p *pack) add(b []byte) []byte {
	if p.out.Cap() > keep {
		p.out = bytes.Buffer{}
	}
	p.out.Reset()
	_, _ = p.w.Write(b) // into memory
	_ = p.w.Flush()
	return p.out.Bytes()
}

// taken tells that what add returned for b is in the file.
func (p *pack) taken(b []byte) {
	p.open, p.filled = true, true
	p.check = crc32.Update(p.check, crc32.IEEETable, b)
	p.bytes += uint32(len(b))
}

// end returns what ends the member or frame behind what was taken last; nothing
// where none is open.
func (p *pack) end() []byte {
	if !p.open {
		return nil
	}
	if p.kind == zstandard {
		return append(p.head(), 1, 0, 0) // an empty raw block that is the last (RFC 8878 section 3.1.1.2)
	}
	// An empty last block with fixed codes (RFC 1951 section 3.2.3), checksum and size.
	b := append(p.head(), 3, 0)
	b = binary.LittleEndian.AppendUint32(b, p.check)
	return binary.LittleEndian.AppendUint32(b, p.bytes)
}

// head returns what must come first where a member was begun without content.
func (p *pack) head() []byte {
	if p.filled {
		return nil
	}
	return emptyHead(p.kind)
}

// emptyHead returns the head of a member or frame.
func emptyHead(kind compress) []byte {
	if kind == zstandard {
		return []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0} // no checksum, no size, a window of 1 KiB
	}
	return []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff} // deflate, no name, no time
}

// begin opens a member without content.
func (p *pack) begin() { p.open = true }

// reset begins anew: what is added next stands in a member of its own.
func (p *pack) reset() {
	p.out.Reset()
	p.w.Reset(&p.out)
	p.open, p.filled, p.check, p.bytes = false, false, 0, 0
}

// unpack returns what reads such a file.
func unpack(kind compress, r io.Reader) (io.ReadCloser, error) {
	switch kind {
	case gzipped:
		return gzip.NewReader(r)
	case zstandard:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

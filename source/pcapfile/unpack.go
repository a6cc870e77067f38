package pcapfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxZstdWindow bounds the memory that a packed file may ask for, in bytes. It
// is what `zstd --long` writes at most without a flag for the reader.
const maxZstdWindow = 128 << 20

// unpacker tells how to unpack a file that begins with head; nil: not packed.
func unpacker(head []byte) (func(head []byte, rest io.Reader) (io.Reader, error), error) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return openGzip, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}), head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], []byte{0x2a, 0x4d, 0x18}):
		return openZstd, nil
	}
	for _, p := range []struct{ magic, name, tool string }{
		{"BZh", "bzip2", "bunzip2 -c"}, {"\xfd7zXZ\x00", "xz", "xz -dc"}, {"\x04\x22\x4d\x18", "lz4", "lz4 -dc"}, {"PK\x03\x04", "zip", "unzip -p"},
	} {
		if bytes.HasPrefix(head, []byte(p.magic)) {
			return nil, fmt.Errorf("is packed with %s, which is not read: pipe `%s` into `-`", p.name, p.tool)
		}
	}
	return nil, nil
}

// foreign says that a file which begins with b is no capture, nil where it may
// be one.
func foreign(b []byte) error {
	begins := b[:min(len(b), 4)]
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) || bytes.HasPrefix([]byte{0x28, 0xb5, 0x2f, 0xfd}, begins) { // packed, and cut off
		return nil
	}
	for _, magic := range []uint32{magicSection, magicMicro, magicNano, magicModified} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			if bytes.HasPrefix(order.AppendUint32(nil, magic), begins) {
				return nil
			}
		}
	}
	if bytes.HasPrefix(b, []byte("snoop")) {
		return errors.New("is a snoop capture, which is not read: convert it with `editcap -F pcap`")
	}
	return fmt.Errorf("begins with % x: not a pcap or pcapng capture", begins)
}

// members unpacks one gzip member after the other.
type members struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func openGzip(head []byte, rest io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(head), rest), 64<<10)
	// The header is read by the pump, which may wait for it.
	return &members{in: in}, nil
}

func (m *members) Read(p []byte) (int, error) {
	for {
		if m.z == nil {
			z, err := gzip.NewReader(m.in)
			if err != nil {
				return 0, unpackError(err)
			}
			z.Multistream(false)
			m.z = z
		}
		n, err := m.z.Read(p)
		if n > 0 || err == nil {
			return n, nil
		}
		if !errors.Is(err, io.EOF) {
			return 0, unpackError(err)
		}
		// After a member stands another one, the end, or padding to ignore.
		next, err := m.in.Peek(2)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, unpackError(err)
		}
		if len(next) < 2 || next[0] != 0x1f || next[1] != 0x8b {
			return 0, io.EOF
		}
		if err := m.z.Reset(m.in); err != nil {
			return 0, unpackError(err)
		}
		m.z.Multistream(false)
	}
}

type frames struct{ *zstd.Decoder }

func openZstd(head []byte, rest io.Reader) (io.Reader, error) {
	z, err := zstd.NewReader(io.MultiReader(bytes.NewReader(head), rest),
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
	if err != nil {
		return nil, unpackError(err)
	}
	return frames{z}, nil
}

func (f frames) Read(p []byte) (int, error) {
	n, err := f.Decoder.Read(p)
	if err != nil {
		err = unpackError(err)
	}
	return n, err
}

func unpackError(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("unpack: %w", err)
}

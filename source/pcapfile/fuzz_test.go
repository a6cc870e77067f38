package pcapfile

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// slow gives a reader's bytes in pieces of n.
type slow struct {
	data []byte
	n    int
}

func (s *slow) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), s.n)], s.data)
	s.data = s.data[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// outcome is what a source gave in the end.
type outcome struct {
	Packets    []got
	Error      string
	Stats      source.Stats
	Interfaces []source.Interface
}

// consume reads data as a file in pieces, through a small or a large window.
func consume(t *testing.T, data []byte, buffer, piece int) outcome {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Paths, cfg.Buffer, cfg.Stdin = []string{"-"}, buffer, &slow{data, piece}
	src, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var o outcome
	batch := make([]packet.Packet, 16)
	for {
		n, err := src.Read(batch)
		for _, p := range batch[:n] {
			if p.Length < len(p.Data) || len(p.Data) > maxPacket {
				t.Fatalf("packet of %d bytes has length %d", len(p.Data), p.Length)
			}
			o.Packets = append(o.Packets, got{p.Time, string(p.Data), p.Length, p.Link, p.Interface})
		}
		if err != nil {
			o.Error, o.Stats, o.Interfaces = err.Error(), src.Stats(), src.Interfaces()
			if int(o.Stats.Received) != len(o.Packets) {
				t.Fatalf("%d packets, %+v", len(o.Packets), o.Stats)
			}
			return o
		}
	}
}

// same checks that the pieces in which a file comes do not matter.
func same(t *testing.T, data []byte) {
	t.Helper()
	a, b := consume(t, data, 1<<16, 1<<20), consume(t, data, 1, 7)
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
}

func FuzzPcap(f *testing.F) {
	f.Add(newOld(binary.LittleEndian, magicNano, 1).add(1, 2, "abc", 5).add(1, 2, "", 0).data)
	f.Add(newOld(binary.BigEndian, magicModified, 113).add(1, 2, "abc", 5).data)
	f.Fuzz(same)
}

func FuzzPcapng(f *testing.F) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		f.Add(new(blocks).section(order).iface(1, 0, opt{2, "eth0"}, opt{9, "\x89"}, opt{14, "12345678"}).packet(0, 1<<40, "abc", 5).
			block(99, make([]byte, 20)).oldPacket(0, 1, 7, "x", 2).simple("abc", 3).statistics(0, 7).section(order).data)
	}
	f.Fuzz(same)
}

// FuzzPacked begins where a file is recognised: what is no packed capture is
// packed first, so that the parser behind is reached as well.
func FuzzPacked(f *testing.F) {
	plain := newOld(binary.LittleEndian, magicNano, 1).add(1, 2, "abc", 5).data
	f.Add(packGzip(f, plain))
	f.Add(packZstd(f, plain))
	f.Add(append(packGzip(f, plain[:20]), packGzip(f, plain[20:])...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		consume(t, data, 1, 1000)
		if len(data) < 8 {
			return
		}
		if unpack, err := unpacker(data[:8]); unpack == nil && err == nil { // packed twice is not unpacked twice
			if d := cmp.Diff(consume(t, data, 1, 100).Packets, consume(t, packGzip(t, data), 1, 10).Packets); d != "" {
				t.Error(d)
			}
		}
	})
}

package pcapfile

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// benchFile is a capture of packets of mixed sizes, about 650 bytes on average;
// size is that of its content as plain pcap.
func benchFile(b *testing.B, form string) (path string, size int64) {
	b.Helper()
	o, ng := newOld(binary.LittleEndian, magicNano, 1), new(blocks).section(binary.LittleEndian).iface(1, 0, opt{9, "\x09"})
	data := string(make([]byte, 1514))
	for i := range benchPackets {
		l := []int{66, 1514, 66, 1514, 590}[i%5]
		o.add(uint32(i), uint32(i), data[:l], l)
		if form == "pcapng" {
			ng.packet(0, uint64(i), data[:l], l)
		}
	}
	file := o.data
	switch form {
	case "pcapng":
		file = ng.data
	case "gzip":
		file = packGzip(b, file)
	case "zstd":
		file = packZstd(b, file)
	}
	path = filepath.Join(b.TempDir(), "bench")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		b.Fatal(err)
	}
	return path, int64(len(o.data))
}

const benchPackets = 200_000

// BenchmarkRead reads a file in the page cache; ns/packet is what counts.
func BenchmarkRead(b *testing.B) {
	for _, form := range []string{"pcap", "pcapng", "gzip", "zstd"} {
		b.Run(form, func(b *testing.B) { benchRead(b, form) })
	}
}

func benchRead(b *testing.B, form string) {
	path, size := benchFile(b, form)
	batch := make([]packet.Packet, 64)
	b.SetBytes(size)
	b.ReportAllocs()
	b.ResetTimer()
	sum := 0
	for range b.N {
		cfg := DefaultConfig()
		cfg.Paths = []string{path}
		src, err := Open(cfg)
		if err != nil {
			b.Fatal(err)
		}
		for {
			n, err := src.Read(batch)
			if err == io.EOF {
				break
			}
			for i := range batch[:n] {
				sum += len(batch[i].Data)
			}
		}
		if src.Stats().Received != benchPackets {
			b.Fatal(src.Stats())
		}
		_ = src.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPackets, "ns/packet")
}

// BenchmarkMemory is the bound: the same records, read into the same window
// from memory (one copy, as read(2) does), without any structure around.
func BenchmarkMemory(b *testing.B) {
	path, size := benchFile(b, "pcap")
	file, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	window := make([]byte, DefaultConfig().Buffer)
	b.SetBytes(size)
	b.ResetTimer()
	sum := 0
	for range b.N {
		r, w, at := 0, 0, 24
		for {
			for w-r >= 16 {
				n := 16 + int(binary.LittleEndian.Uint32(window[r+8:]))
				if w-r < n {
					break
				}
				sum += len(window[r+16 : r+n])
				r += n
			}
			w = copy(window, window[r:w])
			r = 0
			k := copy(window[w:], file[at:])
			if k == 0 {
				break
			}
			at, w = at+k, w+k
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPackets, "ns/packet")
	_ = sum
}

// BenchmarkSyscalls is only the read(2) calls.
func BenchmarkSyscalls(b *testing.B) {
	path, size := benchFile(b, "pcap")
	window := make([]byte, DefaultConfig().Buffer)
	b.SetBytes(size)
	b.ResetTimer()
	for range b.N {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := f.Read(window); err != nil {
				break
			}
		}
		_ = f.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPackets, "ns/packet")
}

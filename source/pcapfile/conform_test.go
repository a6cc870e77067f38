package pcapfile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/sourcetest"
)

func packGzip(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packZstd(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(data, nil)
}

func TestConformance(t *testing.T) {
	file := newOld(binary.LittleEndian, magicNano, 1)
	ng := new(blocks).section(binary.LittleEndian).iface(1, 0, opt{9, "\x09"})
	var want []sourcetest.Packet
	for i := range 100 {
		data := strings.Repeat(string(rune('a'+i%26)), 1+i*7%300)
		file.add(uint32(i+1), uint32(i), data, len(data)+i%2)
		ng.packet(0, uint64(i+1)*1e9+uint64(i), data, len(data)+i%2).block(99, []byte(data))
		want = append(want, sourcetest.Packet{Time: packet.Time(i+1)*1e9 + packet.Time(i), Data: data, Length: len(data) + i%2, Link: packet.LinkEthernet})
	}
	for name, data := range map[string][]byte{"plain": file.data, "pcapng": ng.data, "gzip": packGzip(t, file.data), "zstd": packZstd(t, file.data)} {
		t.Run(name, func(t *testing.T) {
			path := write(t, name, data)
			for _, buffer := range []int{1, 0} {
				sourcetest.Run(t, sourcetest.Case{Want: want, Open: func(t *testing.T) source.Source {
					return open(t, func(c *Config) { c.Buffer = buffer }, path)
				}})
			}
		})
		t.Run(name+" growing", func(t *testing.T) {
			path := write(t, name, data)
			sourcetest.Run(t, sourcetest.Case{Want: want, Endless: true, Open: func(t *testing.T) source.Source {
				return open(t, func(c *Config) { c.Follow = true }, path)
			}})
		})
		t.Run(name+" pipe", func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Case{Want: want, Endless: true, Open: func(t *testing.T) source.Source {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _, _ = r.Close(), w.Close() })
				go func() { _, _ = w.Write(data) }()
				return open(t, func(c *Config) { c.Stdin = r }, "-")
			}})
		})
		t.Run(name+" reader", func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Case{Want: want, Open: func(t *testing.T) source.Source {
				return open(t, func(c *Config) { c.Stdin = io.LimitReader(bytes.NewReader(data), 1<<30) }, "-")
			}})
		})
	}
}

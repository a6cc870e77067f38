package pcapfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// got is a packet with its own bytes.
type got struct {
	Time      packet.Time
	Data      string
	Length    int
	Link      packet.Link
	Interface int
}

// drain reads src to its end with batches of size n.
func drain(t *testing.T, src source.Source, n int) ([]got, error) {
	t.Helper()
	var all []got
	batch := make([]packet.Packet, n)
	for {
		k, err := src.Read(batch)
		if err != nil && k != 0 {
			t.Fatalf("Read returned %d packets and %v", k, err)
		}
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		for _, p := range batch[:k] {
			all = append(all, got{p.Time, string(p.Data), p.Length, p.Link, p.Interface})
		}
	}
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, change func(*Config), paths ...string) source.Source {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Paths = paths
	if change != nil {
		change(&cfg)
	}
	src, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// old writes a pcap file.
type old struct {
	order binary.AppendByteOrder
	magic uint32
	minor uint16
	link  uint32
	data  []byte
}

func newOld(order binary.AppendByteOrder, magic uint32, link uint32) *old {
	o := &old{order: order, magic: magic, minor: 4, link: link}
	o.data = order.AppendUint32(o.data, magic)
	o.data = order.AppendUint16(o.data, 2)
	o.data = order.AppendUint16(o.data, o.minor)
	o.data = append(o.data, make([]byte, 8)...)
	o.data = order.AppendUint32(o.data, 65535)
	o.data = order.AppendUint32(o.data, link)
	return o
}

func (o *old) add(sec, frac uint32, data string, wire int) *old {
	for _, v := range []uint32{sec, frac, uint32(len(data)), uint32(wire)} {
		o.data = o.order.AppendUint32(o.data, v)
	}
	if o.magic == magicModified {
		o.data = append(o.data, 1, 0, 0, 0, 8, 0, 4, 0)
	}
	o.data = append(o.data, data...)
	return o
}

func TestPcapVariants(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for magic, unit := range map[uint32]packet.Time{magicMicro: 1000, magicNano: 1, magicModified: 1000} {
			file := newOld(order, magic, 113).add(4000000000, 7, "first", 5).add(1, 999999, "", 60).add(1, 2, "third", 3).data
			want := []got{
				{4000000000_000000000 + 7*unit, "first", 5, packet.LinkSLL, 0},
				{1_000000000 + 999999*unit, "", 60, packet.LinkSLL, 0},
				{1_000000000 + 2*unit, "third", 5, packet.LinkSLL, 0}, // never shorter than what is there
			}
			src := open(t, nil, write(t, "x.pcap", file))
			all, err := drain(t, src, 2)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, all); d != "" {
				t.Errorf("%v %x: %s", order, magic, d)
			}
			if d := cmp.Diff([]source.Interface{{Name: "x.pcap", Link: packet.LinkSLL}}, src.Interfaces()); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(source.Stats{Received: 3}, src.Stats()); d != "" {
				t.Error(d)
			}
		}
	}
}

func TestEveryCutOfAFile(t *testing.T) {
	file := newOld(binary.LittleEndian, magicNano, 1).add(1, 0, "one", 3).add(2, 0, "three", 5).data
	for n := 8; n < len(file); n++ {
		cfg := DefaultConfig()
		cfg.Paths = []string{write(t, "x", file[:n])}
		src, err := Open(cfg)
		if n < pcapHeader {
			if err == nil || !strings.Contains(err.Error(), "in the middle of its header") {
				t.Fatalf("%d bytes: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all, err := drain(t, src, 8)
		if err != nil {
			t.Fatal(err)
		}
		whole, cut := 0, uint64(1)
		if n >= pcapHeader+19 {
			whole = 1
		}
		if n == pcapHeader || n == pcapHeader+19 {
			cut = 0
		}
		if st := src.Stats(); len(all) != whole || st.Cut != cut || st.Received != uint64(whole) {
			t.Errorf("%d bytes: %d packets, %+v", n, len(all), st)
		}
	}
}

func TestCorruptLengthComesAfterThePacketsBefore(t *testing.T) {
	file := newOld(binary.BigEndian, magicMicro, 1).add(1, 0, "one", 3).data
	file = append(file, bytes.Repeat([]byte{0xff}, 100)...)
	path := write(t, "x", file)
	src := open(t, nil, path)
	all, err := drain(t, src, 8)
	if len(all) != 1 || err == nil {
		t.Fatalf("%d packets, %v", len(all), err)
	}
	want := "read " + path + ": packet 2 at byte 43 has 4294967295 bytes, more than 16777216: the file is corrupt"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if _, again := src.Read(make([]packet.Packet, 1)); again != err {
		t.Errorf("the error did not stay: %v", again)
	}
}

// What is no capture is told so however short it is.
func TestForeign(t *testing.T) {
	for content, want := range map[string]string{
		"hello": "begins with 68 65 6c 6c: not a pcap", "x": "begins with 78: not a pcap", `{"schema":"other/1"}`: "not a pcap", "snoop\x00\x00\x00\x00\x00\x00\x02": "editcap -F pcap",
		"\xd4\xc3": "in the middle of its header", "\xa1\xb2\xc3\xd4": "in the middle of its header", "\x0a\x0d\x0d\x0a\x1c": "in the middle of its header",
		"\x1f\x8b\x08": "in the middle of its header", "\x28\xb5\x2f": "in the middle of its header", "": "is empty",
	} {
		cfg := DefaultConfig()
		cfg.Paths = []string{write(t, "x", []byte(content))}
		src, err := Open(cfg)
		if err == nil {
			_, err = src.Read(make([]packet.Packet, 1))
			src.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

package bpfdev

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"

	"github.com/passiflow/passiflow/packet"
)

var layouts = map[string]layout{
	"macOS":   {stamp: 8, align: 4},
	"FreeBSD": {stamp: 16, align: 8},
}

// add appends a record as the kernel lays it out.
func (l layout) add(b []byte, sec, micro uint64, head int, data string, wire int) []byte {
	order := binary.NativeEndian
	if l.stamp == 8 {
		b = order.AppendUint32(order.AppendUint32(b, uint32(sec)), uint32(micro))
	} else {
		b = order.AppendUint64(order.AppendUint64(b, sec), micro)
	}
	b = order.AppendUint32(order.AppendUint32(b, uint32(len(data))), uint32(wire))
	b = order.AppendUint16(b, uint16(head))
	b = append(b, make([]byte, head-l.stamp-10)...)
	b = append(b, data...)
	for len(b)%l.align != 0 {
		b = append(b, 0xee)
	}
	return b
}

type record struct {
	Time   packet.Time
	Data   string
	Length int
}

func (l layout) all(b []byte) (list []record, whole bool) {
	for len(b) > 0 {
		var p packet.Packet
		rest, ok := l.next(b, &p, packet.LinkEthernet, 3)
		if !ok {
			return list, false
		}
		if p.Link != packet.LinkEthernet || p.Interface != 3 || cap(p.Data) != len(p.Data) || len(rest) >= len(b) {
			return list, false
		}
		list = append(list, record{p.Time, string(p.Data), p.Length})
		b = rest
	}
	return list, true
}

func TestRecords(t *testing.T) {
	for name, l := range layouts {
		var b []byte
		b = l.add(b, 1_700_000_000, 999_999, l.stamp+10, "first", 5)
		b = l.add(b, 1, 2, l.stamp+12, "", 60)
		b = l.add(b, 3, 4, l.stamp+10, "third one", 2)
		b = l.add(b, 4_000_000_000, 0, l.stamp+10, "x", 1)
		want := []record{
			{1_700_000_000_999_999_000, "first", 5}, {1_000_002_000, "", 60}, {3_000_004_000, "third one", 9}, {4_000_000_000_000_000_000, "x", 1},
		}
		got, whole := l.all(b)
		if d := cmp.Diff(want, got); d != "" || !whole {
			t.Errorf("%s: %v %s", name, whole, d)
		}
		// The last record may come without its padding, and may not be cut.
		end := len(b)
		for b[end-1] == 0xee {
			end--
		}
		if got, whole := l.all(b[:end]); !whole || len(got) != 4 {
			t.Errorf("%s: without padding %d records", name, len(got))
		}
		if got, whole := l.all(b[:end-1]); whole || len(got) != 3 {
			t.Errorf("%s: cut, %d records", name, len(got))
		}
		// A header that says it is shorter than it is.
		bad := l.add(nil, 1, 2, l.stamp+10, "abc", 3)
		binary.NativeEndian.PutUint16(bad[l.stamp+8:], uint16(l.stamp+9))
		if got, whole := l.all(bad); whole || len(got) != 0 {
			t.Errorf("%s: short header, %v", name, got)
		}
	}
}

func FuzzRecords(f *testing.F) {
	for _, l := range layouts {
		f.Add(l.stamp == 8, l.add(l.add(nil, 1, 2, l.stamp+10, "abc", 5), 1, 2, l.stamp+10, "d", 5))
	}
	f.Fuzz(func(t *testing.T, small bool, b []byte) {
		l := layouts["FreeBSD"]
		if small {
			l = layouts["macOS"]
		}
		list, _ := l.all(b)
		for _, r := range list {
			if r.Length < len(r.Data) {
				t.Errorf("%d bytes of %d", len(r.Data), r.Length)
			}
		}
	})
}

func TestLinks(t *testing.T) {
	for _, c := range []struct {
		number  uint32
		openBSD bool
		want    packet.Link
	}{
		{1, false, packet.LinkEthernet}, {0, false, packet.LinkNull}, {12, false, packet.LinkRaw}, {12, true, packet.LinkLoop}, {14, true, packet.LinkRaw}, {108, false, packet.LinkLoop},
	} {
		if got := linkType(c.number, c.openBSD); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestProgramIsCutToTheSnaplen(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Snaplen = 100
	got, err := cfg.program(packet.LinkEthernet)
	if d := cmp.Diff([]bpf.RawInstruction{{Op: 6, K: 100}}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	cfg.Filter = func(link packet.Link) ([]bpf.RawInstruction, error) {
		if link != packet.LinkEthernet {
			return nil, errors.New("no")
		}
		return []bpf.RawInstruction{{Op: 0x28, K: 12}, {Op: 0x15, K: 0x800, Jf: 1}, {Op: 6, K: 262144}, {Op: 6}}, nil
	}
	got, err = cfg.program(packet.LinkEthernet)
	want := []bpf.RawInstruction{{Op: 0x28, K: 12}, {Op: 0x15, K: 0x800, Jf: 1}, {Op: 6, K: 100}, {Op: 6}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	if _, err := cfg.program(packet.LinkNull); err == nil || err.Error() != "filter: no" {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Snaplen = 0 }, "snaplen"},
		{func(c *Config) { c.BufferBytes = 1 }, "buffer_bytes"},
		{func(c *Config) { c.Wait = time.Hour }, "wait"},
	} {
		cfg := DefaultConfig()
		c.change(&cfg)
		if _, err := Open(cfg); err == nil || !strings.HasPrefix(err.Error(), c.want+": ") {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}

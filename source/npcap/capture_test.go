package npcap

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/bpf"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/sourcetest"
)

// fake is a device whose packets are known. Like the library it keeps one
// packet at a time.
type fake struct {
	waiting []string
	head    header
	one     [2000]byte
	drops   uint32
	fault   error
	closed  int
}

func (f *fake) next() (*header, []byte, error) {
	if len(f.waiting) == 0 {
		return nil, nil, f.fault
	}
	n := copy(f.one[:], f.waiting[0])
	f.waiting = f.waiting[1:]
	f.head = header{sec: 4_000_000_000, micro: 5, size: uint32(n), wire: uint32(n) + 1}
	return &f.head, f.one[:n], nil
}

func (f *fake) lost() (uint32, bool) { return f.drops, true }
func (f *fake) close()               { f.closed++ }

func newCapture(ports ...*fake) *capture {
	c := &capture{wait: 10 * time.Millisecond, await: func(d time.Duration) error { time.Sleep(d); return nil }}
	for i, p := range ports {
		c.add(p, source.Interface{Name: string(rune('a' + i)), Link: packet.LinkEthernet})
	}
	return c
}

func TestConformance(t *testing.T) {
	var first, second []string
	var want []sourcetest.Packet
	for i := range 100 {
		name, to := "a", &first
		if i >= 50 {
			name, to = "b", &second
		}
		data := strings.Repeat(string(rune('a'+i%26)), 1+i*13%1000)
		*to = append(*to, data)
		want = append(want, sourcetest.Packet{Time: 4_000_000_000_000_005_000, Data: data, Length: len(data) + 1, Link: packet.LinkEthernet, Name: name})
	}
	sourcetest.Run(t, sourcetest.Case{Want: want, Endless: true, Open: func(t *testing.T) source.Source {
		return newCapture(&fake{waiting: first}, &fake{waiting: second})
	}})
}

func TestDropsAndFaults(t *testing.T) {
	a, b := &fake{waiting: []string{"x"}, fault: errors.New("went away")}, &fake{drops: 1<<32 - 1}
	c := newCapture(a, b)
	batch := make([]packet.Packet, 4)
	if n, err := c.Read(batch); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := c.Read(batch); n != 0 || err == nil || err.Error() != "read a: went away" {
		t.Error(n, err)
	}
	c.countDrops()
	b.drops = 2 // the count wrapped
	a.drops = 5
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := c.Stats(); got != (source.Stats{Received: 1, Dropped: 1<<32 - 1 + 3 + 5}) {
		t.Errorf("%+v", got)
	}
	if a.closed != 1 || b.closed != 1 {
		t.Errorf("closed %d and %d times", a.closed, b.closed)
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
		{func(c *Config) { c.Interfaces = make([]string, 65) }, "interfaces"},
	} {
		cfg := DefaultConfig()
		c.change(&cfg)
		if _, err := Open(cfg); err == nil || !strings.HasPrefix(err.Error(), c.want+": ") {
			t.Errorf("%s: %v", c.want, err)
		}
	}
	cfg := DefaultConfig()
	if code, err := cfg.program(packet.LinkEthernet); code != nil || err != nil {
		t.Error(code, err)
	}
	cfg.Filter = func(packet.Link) ([]bpf.RawInstruction, error) { return nil, errors.New("no") }
	if _, err := cfg.program(packet.LinkEthernet); err == nil || err.Error() != "filter: no" {
		t.Error(err)
	}
}

func TestLinks(t *testing.T) {
	for n, want := range map[int]packet.Link{0: packet.LinkNull, 1: packet.LinkEthernet, 12: packet.LinkRaw} {
		if got, err := linkType(n); got != want || err != nil {
			t.Errorf("%d: %d, %v", n, got, err)
		}
	}
	if _, err := linkType(-1); err == nil {
		t.Error("no link type is taken for one")
	}
}

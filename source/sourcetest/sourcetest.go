// Package sourcetest checks what every source promises (see package source).
package sourcetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// Packet is one packet that a source must give. Data, Length, Link and the tag
// are compared always, Time and Name where they are set.
type Packet struct {
	Time    packet.Time
	Data    string
	Length  int
	Link    packet.Link
	Name    string // of its interface
	TagType uint16
	Tag     uint16
	Outer   packet.Tunnel
}

// Case is one source to check.
type Case struct {
	// Open makes a source that gives Want in this order. It is called once for
	// each check.
	Open func(t *testing.T) source.Source
	// Want are the packets. At least three make the checks worth it.
	Want []Packet
	// Endless tells that no io.EOF follows: after Want nothing comes.
	Endless bool
	// Patience is how long a Read may take that has nothing to give, how long
	// packets may take to come, and how long Close may take to make a Read
	// return. A machine may have other things to do: default 30 s.
	Patience time.Duration
}

// Run checks the case.
func Run(t *testing.T, c Case) {
	t.Helper()
	if c.Patience == 0 {
		c.Patience = 30 * time.Second
	}
	for _, n := range []int{1, 2, 3, source.Batch, len(c.Want) + 1} {
		t.Run(fmt.Sprintf("batch of %d", n), func(t *testing.T) { c.batches(t, n) })
	}
	t.Run("empty batch", c.emptyBatch)
	t.Run("written data", c.written)
	t.Run("end", c.end)
	t.Run("close", c.closeTwice)
	t.Run("close at once", c.closeAtOnce)
	t.Run("close during read", c.closeDuringRead)
	t.Run("allocations", c.allocations)
}

func (c *Case) open(t *testing.T) source.Source {
	t.Helper()
	s := c.Open(t)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// junk is what a batch holds before it is read into: all that a source has to
// reset.
func junk(batch []packet.Packet) {
	for i := range batch {
		batch[i] = packet.Packet{
			Time: -1, Data: []byte("junk"), Length: -1, Link: 9999, Interface: -1, TagType: 1, Tag: 1,
			Outer:  packet.Tunnel{Kind: packet.GRE, ID: 9},
			Tunnel: packet.Tunnel{Kind: packet.GRE, ID: 9}, Proto: 99, Hash: 9, VLAN: 9, Payload: []byte("junk"), Missing: 9,
			TCP: packet.TCPHeader{Seq: 9, Ack: 9, Flags: packet.SYN},
		}
	}
}

// read calls Read until packets or an error come. It returns 0 and nil when
// nothing came for patience.
func (c *Case) read(t *testing.T, s source.Source, batch []packet.Packet) (int, error) {
	t.Helper()
	for end := time.Now().Add(c.Patience); time.Now().Before(end); {
		start := time.Now()
		n, err := s.Read(batch)
		if took := time.Since(start); took > c.Patience {
			t.Errorf("Read took %v", took)
		}
		switch {
		case n < 0 || n > len(batch):
			t.Fatalf("Read into %d packets returned %d", len(batch), n)
		case n > 0 && err != nil:
			t.Fatalf("Read returned %d packets and %v: an error comes alone", n, err)
		case n > 0 || err != nil:
			return n, err
		}
	}
	return 0, nil
}

// check compares one packet and what Read must have reset.
func (c *Case) check(t *testing.T, s source.Source, i int, p *packet.Packet) {
	t.Helper()
	if i >= len(c.Want) {
		t.Fatalf("packet %d of %d: % x", i+1, len(c.Want), p.Data)
	}
	w := c.Want[i]
	got := Packet{Time: p.Time, Data: string(p.Data), Length: p.Length, Link: p.Link, TagType: p.TagType, Tag: p.Tag, Outer: p.Outer}
	if w.Time == 0 {
		got.Time = 0
	}
	all := s.Interfaces()
	if p.Interface < 0 || p.Interface >= len(all) {
		t.Fatalf("packet %d: interface %d of %d", i+1, p.Interface, len(all))
	}
	if w.Name != "" {
		got.Name = all[p.Interface].Name
	}
	if d := cmp.Diff(w, got); d != "" {
		t.Fatalf("packet %d (-want +got):\n%s", i+1, d)
	}
	if p.Length < len(p.Data) {
		t.Errorf("packet %d: length %d, and there are %d bytes", i+1, p.Length, len(p.Data))
	}
	if p.Src.IsValid() || p.Dst.IsValid() || p.Proto != 0 || p.Tunnel != (packet.Tunnel{}) || p.Hash != 0 || p.VLAN != 0 || p.Payload != nil || p.Missing != 0 || p.TCP != (packet.TCPHeader{}) {
		t.Errorf("packet %d: what Parse sets was not reset: %+v", i+1, *p)
	}
}

func (c *Case) batches(t *testing.T, n int) {
	s := c.open(t)
	batch := make([]packet.Packet, n)
	var kept [][]byte // of the Read before
	for i := 0; i < len(c.Want); {
		for k := range kept {
			if !bytes.Equal(kept[k], batch[k].Data) {
				t.Fatalf("data changed before the next Read: % x, was % x", batch[k].Data, kept[k])
			}
		}
		junk(batch)
		k, err := c.read(t, s, batch)
		if k == 0 {
			t.Fatalf("after %d of %d packets: %v", i, len(c.Want), err)
		}
		kept = kept[:0]
		for j := range batch[:k] {
			c.check(t, s, i, &batch[j])
			kept = append(kept, bytes.Clone(batch[j].Data))
			i++
		}
		if got := s.Stats().Received; got < uint64(i) {
			t.Errorf("after %d packets Stats says %d were received", i, got)
		}
	}
	if got := s.Stats(); got.Received != uint64(len(c.Want)) {
		t.Errorf("%d packets, and %+v", len(c.Want), got)
	}
	if !c.Endless {
		if k, err := c.read(t, s, batch); k != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("after all packets: %d, %v", k, err)
		}
	}
}

func (c *Case) emptyBatch(t *testing.T) {
	s := c.open(t)
	batch := make([]packet.Packet, 1)
	for i := range c.Want {
		for _, none := range [][]packet.Packet{nil, {}} {
			if n, err := s.Read(none); n != 0 || err != nil {
				t.Fatalf("Read into nothing: %d, %v", n, err)
			}
		}
		if n, err := c.read(t, s, batch); n != 1 {
			t.Fatalf("after %d of %d packets: %v", i, len(c.Want), err)
		}
		c.check(t, s, i, &batch[0])
	}
}

// written lets the reader write into each packet's data, and past its end by
// append, as masks in place do: no other packet may change.
func (c *Case) written(t *testing.T) {
	s := c.open(t)
	batch := make([]packet.Packet, source.Batch)
	for i := 0; i < len(c.Want); {
		n, err := c.read(t, s, batch)
		if n == 0 {
			t.Fatalf("after %d of %d packets: %v", i, len(c.Want), err)
		}
		for j := range batch[:n] {
			c.check(t, s, i, &batch[j])
			i++
			d := batch[j].Data
			for k := range d {
				d[k] = 0xa5
			}
			_ = append(d, 0xa5)
		}
	}
}

func (c *Case) end(t *testing.T) {
	if c.Endless {
		t.Skip("has no end")
	}
	s := c.open(t)
	batch := make([]packet.Packet, source.Batch)
	for {
		n, err := c.read(t, s, batch)
		if errors.Is(err, io.EOF) {
			break
		}
		if n == 0 {
			t.Fatalf("no end: %v", err)
		}
	}
	for range 3 {
		if n, err := s.Read(batch); n != 0 || !errors.Is(err, io.EOF) {
			t.Fatalf("after the end: %d, %v", n, err)
		}
	}
}

func (c *Case) closeTwice(t *testing.T) {
	s := c.open(t)
	n, err := c.read(t, s, make([]packet.Packet, 2))
	if n == 0 {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if got := s.Stats().Received; got < uint64(n) {
		t.Errorf("after Close: %d received, and %d were read", got, n)
	}
	if len(s.Interfaces()) == 0 {
		t.Error("after Close: no interfaces")
	}
	for range 2 {
		if n, err := s.Read(make([]packet.Packet, 2)); n != 0 || err == nil {
			t.Errorf("Read after Close: %d, %v", n, err)
		}
	}
}

func (c *Case) closeAtOnce(t *testing.T) {
	s := c.open(t)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_ = s.Stats()
}

// closeDuringRead closes from another goroutine while this one reads on and on.
func (c *Case) closeDuringRead(t *testing.T) {
	s := c.open(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		batch := make([]packet.Packet, 1)
		for {
			if _, err := s.Read(batch); err != nil {
				return
			}
			_ = batch[0].Data
		}
	}()
	time.Sleep(20 * time.Millisecond)
	_ = s.Stats()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(c.Patience):
		t.Fatalf("Read goes on %v after Close", c.Patience)
	}
}

// allocations reads one packet at a time: once warm, that costs none.
func (c *Case) allocations(t *testing.T) {
	s := c.open(t)
	batch := make([]packet.Packet, 1)
	if n, err := c.read(t, s, batch); n != 1 {
		t.Fatal(err)
	}
	if rest := len(c.Want) - 2; rest > 0 {
		// AllocsPerRun calls once more than it is told.
		if got := testing.AllocsPerRun(rest, func() {
			if n, err := c.read(t, s, batch); n != 1 {
				t.Fatalf("%d, %v", n, err)
			}
		}); got > 0 && rest >= 16 {
			t.Errorf("%v allocations per packet", got)
		}
	}
}

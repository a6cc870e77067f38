package pcap

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/source"
)

// disk is a file whose disk has room for so many bytes more.
type disk struct {
	*os.File
	room int
	dead bool // it cannot be cut
}

func (d *disk) Write(b []byte) (int, error) {
	n, err := d.File.Write(b[:min(d.room, len(b))])
	if d.room -= n; err == nil && n < len(b) {
		err = errors.New("no space left")
	}
	return n, err
}

func (d *disk) Truncate(size int64) error {
	if d.dead {
		return errors.New("dead")
	}
	return d.File.Truncate(size)
}

type headed struct{ told bool }

func (*headed) Add(source.Interface) {}
func (*headed) Append(dst []byte, _ *packet.Packet, _ *source.Interface) []byte {
	return dst
}
func (h *headed) Head(dst []byte) []byte {
	if !h.told {
		h.told = true
		dst = append(dst, "head\n"...)
	}
	return dst
}
func (h *headed) Restart()          { h.told = false }
func (*headed) ContentType() string { return "text/plain" }

// What a full disk cut off is written whole when there is room again.
func TestFullDisk(t *testing.T) {
	for room := range 13 {
		c := DefaultConfig()
		c.Path = filepath.Join(t.TempDir(), "x")
		s, err := Open(c, &headed{})
		if err != nil {
			t.Fatal(err)
		}
		w := s.(*writer)
		d := &disk{File: w.file.(*os.File), room: room}
		w.file = d
		batch := []*sink.Block{{Data: []byte("one\n")}, {Data: []byte("two\n")}}
		for err = s.Write(context.Background(), batch); err != nil; err = s.Write(context.Background(), batch) {
			if sink.IsBroken(err) || sink.IsPermanent(err) {
				t.Fatal(err)
			}
			batch = batch[sink.Delivered(err):]
			d.room += 20
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(c.Path); string(b) != "head\none\ntwo\n" {
			t.Errorf("room for %d: %q", room, b)
		}
	}
	c := DefaultConfig()
	c.Path = filepath.Join(t.TempDir(), "x")
	s, _ := Open(c, &headed{})
	w := s.(*writer)
	w.file = &disk{File: w.file.(*os.File), room: 7, dead: true}
	if err := s.Write(context.Background(), []*sink.Block{{Data: []byte("one\n")}}); !sink.IsBroken(err) {
		t.Error(err)
	}
}

// A file that cannot be begun, as on a full disk, is begun later; until then
// nothing is lost.
func TestRotateOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	c := DefaultConfig()
	c.Path, c.RotateBytes = filepath.Join(dir, "x"), 5
	s, err := Open(c, &headed{})
	if err != nil {
		t.Fatal(err)
	}
	batch := []*sink.Block{{Data: []byte("one\n")}, {Data: []byte("two\n")}}
	if err := os.Mkdir(c.Path+"-2", 0o700); err != nil { // what cannot be opened
		t.Fatal(err)
	}
	for range 3 {
		err := s.Write(context.Background(), batch)
		if err == nil || sink.IsBroken(err) || sink.IsPermanent(err) {
			t.Fatal(err)
		}
		batch = batch[sink.Delivered(err):]
	}
	if err := os.Remove(c.Path + "-2"); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"x": "head\none\n", "x-2": "head\ntwo\n"} {
		if b, _ := os.ReadFile(filepath.Join(dir, name)); string(b) != want {
			t.Errorf("%s: %q, want %q", name, b, want)
		}
	}
}

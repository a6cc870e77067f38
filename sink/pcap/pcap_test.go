package pcap_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/pcap"
	"github.com/passiflow/passiflow/source"
)

// plain is a format of frames whose head is a line and whose frames are bytes.
type plain struct{ files, heads int }

func (*plain) Add(source.Interface) {}
func (*plain) Append(dst []byte, p *packet.Packet, _ *source.Interface) []byte {
	return append(dst, p.Data...)
}
func (f *plain) Head(dst []byte) []byte {
	if f.heads < f.files {
		f.heads++
		return fmt.Appendf(dst, "head\n")
	}
	return dst
}
func (f *plain) Restart()          { f.files++ }
func (*plain) ContentType() string { return "text/plain" }

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	c := pcap.DefaultConfig()
	c.Path, c.RotateBytes, c.KeepFiles = filepath.Join(dir, "x.pcapng"), 20, 2
	s, err := pcap.Open(c, &plain{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := s.Write(context.Background(), []*sink.Block{{Data: fmt.Appendf(nil, "frame %d..\n", i), Frames: 1}, {Data: []byte("more\n"), Frames: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"x.pcapng": "", "x-3.pcapng": "", "x-4.pcapng": "head\nframe 3..\nmore\n", "x-5.pcapng": "head\nframe 4..\nmore\n"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if want == "" && err == nil || string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if err := s.Write(context.Background(), []*sink.Block{{}}); !sink.IsBroken(err) {
		t.Error(err)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	c := pcap.DefaultConfig()
	if _, err := pcap.Open(c, &plain{}); err == nil {
		t.Error("no path")
	}
	c.Path = filepath.Join(t.TempDir(), "none", "x")
	if _, err := pcap.Open(c, &plain{}); err == nil {
		t.Error("no folder")
	}
	c.Path = filepath.Join(t.TempDir(), "x")
	f := &plain{}
	s, err := pcap.Open(c, f)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(c.Path); err != nil || string(b) != "head\n" {
		t.Errorf("%q %v: a file without packets has a head", b, err)
	}
	if i, err := os.Stat(c.Path); err != nil || i.Mode().Perm()&0o077 != 0 {
		t.Error(i.Mode(), err)
	}
}

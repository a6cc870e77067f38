package pcap_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/pcap"
	"github.com/passiflow/passiflow/sink/sinktest"
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

// fill writes files until there are n.
func fill(t *testing.T, c pcap.Config, n int) {
	t.Helper()
	s, err := pcap.Open(c, &plain{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := s.Write(context.Background(), []*sink.Block{{Data: fmt.Appendf(nil, "frame %d of a file\n", i), Frames: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// The files of an earlier run count; those of others do not, whatever they are
// called.
func TestKeepCountsEarlierRuns(t *testing.T) {
	dir := t.TempDir()
	c := pcap.DefaultConfig()
	c.Path, c.RotateBytes, c.KeepFiles = filepath.Join(dir, "x.pcapng"), 20, 3
	fill(t, c, 7)
	for _, name := range []string{"x-2024.pcapng", "x-08.pcapng", "x-8.pcap", "xx-9.pcapng"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("not ours"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	others := []string{"x-08.pcapng", "x-2024.pcapng", "x-8.pcap"}
	if d := cmp.Diff(append(others, "x-5.pcapng", "x-6.pcapng", "x-7.pcapng", "xx-9.pcapng"), sinktest.Files(t, dir), sorted); d != "" {
		t.Fatal(d)
	}
	for n, want := range map[int][]string{1: {"x.pcapng", "x-6.pcapng", "x-7.pcapng"}, 2: {"x.pcapng", "x-2.pcapng", "x-7.pcapng"}, 6: {"x-4.pcapng", "x-5.pcapng", "x-6.pcapng"}} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := c
			c.Path = filepath.Join(t.TempDir(), "x.pcapng")
			if err := os.CopyFS(filepath.Dir(c.Path), os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			for i, name := range []string{"x-5.pcapng", "x-6.pcapng", "x-7.pcapng"} {
				at := time.Now().Add(time.Duration(i-10) * time.Minute)
				if err := os.Chtimes(filepath.Join(filepath.Dir(c.Path), name), at, at); err != nil {
					t.Fatal(err)
				}
			}
			fill(t, c, n)
			if d := cmp.Diff(append(want, append(others, "xx-9.pcapng")...), sinktest.Files(t, filepath.Dir(c.Path)), sorted); d != "" {
				t.Error(d)
			}
		})
	}
}

var sorted = cmpopts.SortSlices(func(a, b string) bool { return a < b })

// What cannot be removed stays: the sink goes on, and says so once.
func TestWhatCannotBeRemoved(t *testing.T) {
	dir := t.TempDir()
	c := pcap.DefaultConfig()
	var log strings.Builder
	c.Path, c.RotateBytes, c.KeepFiles, c.Log = filepath.Join(dir, "x"), 20, 1, slog.New(slog.NewTextHandler(&log, nil))
	s, err := pcap.Open(c, &plain{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := s.Write(context.Background(), []*sink.Block{{Data: []byte("a frame of twenty bytes\n"), Frames: 1}}); err != nil {
			t.Fatal(err)
		}
		if i > 1 {
			continue
		}
		path := c.Path // a folder that is not empty cannot be removed, by nobody
		if i == 1 {
			path += "-2"
		}
		if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "in the way"), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "was not removed"); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
	if d := cmp.Diff([]string{"x", "x-2", "x-5"}, sinktest.Files(t, dir)); d != "" {
		t.Error(d)
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

package pcapfile

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// await reads until n packets came and returns their data.
func await(t *testing.T, src source.Source, n int) []string {
	t.Helper()
	var all []string
	batch := make([]packet.Packet, 8)
	for end := time.Now().Add(30 * time.Second); len(all) < n; {
		if time.Now().After(end) {
			t.Fatalf("only %q came", all)
		}
		k, err := src.Read(batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range batch[:k] {
			all = append(all, string(p.Data))
		}
	}
	return all
}

// none reads once, in which nothing comes: after the wait, which is 10 ms or
// more, and not never.
func none(t *testing.T, src source.Source) {
	t.Helper()
	start := time.Now()
	if n, err := src.Read(make([]packet.Packet, 8)); n != 0 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if took := time.Since(start); took < 10*time.Millisecond || took > 30*time.Second {
		t.Errorf("waited %v", took)
	}
}

func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	head := newOld(binary.LittleEndian, magicNano, 1).data
	record := func(s string) []byte {
		return newOld(binary.LittleEndian, magicNano, 1).add(1, 1, s, len(s)).data[len(head):]
	}
	add := func(b []byte) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	add(nil)
	src := open(t, func(c *Config) { c.Follow, c.Wait = true, 10*time.Millisecond }, write(t, "before", newOld(binary.BigEndian, magicMicro, 1).add(1, 1, "before", 6).data), path)
	if !src.(source.Live).Live() {
		t.Error("is not live")
	}
	if d := cmp.Diff([]string{"before"}, await(t, src, 1)); d != "" {
		t.Error(d)
	}
	none(t, src)
	add(head[:10])
	none(t, src)
	add(head[10:])
	none(t, src)
	r := record("one")
	add(r[:17])
	none(t, src)
	add(append(r[17:], record("two")...))
	if d := cmp.Diff([]string{"one", "two"}, await(t, src, 2)); d != "" {
		t.Error(d)
	}

	// Another file takes the name; the one before ends in the middle.
	add(r[:18])
	none(t, src)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	none(t, src)
	add(append(append([]byte{}, head...), record("three")...))
	if d := cmp.Diff([]string{"three"}, await(t, src, 1)); d != "" {
		t.Error(d)
	}
	if got := src.Stats().Cut; got != 1 {
		t.Errorf("cut %d", got)
	}

	// The file is cut to nothing and written again.
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	none(t, src)
	add(append(append([]byte{}, head...), record("four")...))
	if d := cmp.Diff([]string{"four"}, await(t, src, 1)); d != "" {
		t.Error(d)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
}

func TestPipeDeliversAsItComes(t *testing.T) {
	file := newOld(binary.LittleEndian, magicNano, 1).add(1, 1, "one", 3)
	mark := len(file.data)
	file.add(1, 2, "two", 3)
	packed := [2][]byte{packGzip(t, file.data[:mark]), packGzip(t, file.data[mark:])}
	for name, parts := range map[string][2][]byte{"plain": {file.data[:mark], file.data[mark:]}, "gzip": packed} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			src := open(t, func(c *Config) { c.Stdin, c.Wait = r, 10*time.Millisecond }, "-")
			none(t, src)
			for i, want := range []string{"one", "two"} {
				if _, err := w.Write(parts[i]); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff([]string{want}, await(t, src, 1)); d != "" {
					t.Error(d)
				}
				none(t, src)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if all, err := drain(t, src, 8); err != nil || len(all) != 0 {
				t.Errorf("%v, %v", all, err)
			}
			if _, err := r.Stat(); err != nil {
				t.Errorf("standard input was closed: %v", err)
			}
		})
	}
}

func TestSeveralFilesInOrder(t *testing.T) {
	a := newOld(binary.LittleEndian, magicNano, 1).add(1, 1, "a", 1).data
	cut := newOld(binary.BigEndian, magicMicro, 113).add(1, 1, "b", 1).add(1, 1, "gone", 4).data
	dir := t.TempDir()
	var paths []string
	var total int64
	for name, data := range map[string][]byte{"1": a, "2": packGzip(t, cut[:len(cut)-1]), "3": packZstd(t, a)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		total += int64(len(data))
	}
	for _, n := range []string{"1", "2", "3"} {
		paths = append(paths, filepath.Join(dir, n))
	}
	var log bytes.Buffer
	src := open(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) }, paths...)
	if _, all := src.(source.Progress).Progress(); all != total {
		t.Errorf("total %d, want %d", all, total)
	}
	all, err := drain(t, src, 8)
	if err != nil {
		t.Fatal(err)
	}
	want := []got{{1e9 + 1, "a", 1, 1, 0}, {1e9 + 1000, "b", 1, 113, 1}, {1e9 + 1, "a", 1, 1, 2}}
	if d := cmp.Diff(want, all); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(source.Stats{Received: 3, Cut: 1}, src.Stats()); d != "" {
		t.Error(d)
	}
	if done, all := src.(source.Progress).Progress(); done != total || all != total {
		t.Errorf("progress %d of %d, want all of %d", done, all, total)
	}
	if !strings.Contains(log.String(), "file="+paths[1]) {
		t.Errorf("log: %s", log.String())
	}
}

func TestPackedFileEndsEarly(t *testing.T) {
	file := newOld(binary.LittleEndian, magicNano, 1)
	for i := range 3000 {
		file.add(1, uint32(i), strings.Repeat(string(rune('a'+i%26)), i%100), 100)
	}
	for name, packed := range map[string][]byte{"gzip": packGzip(t, file.data), "zstd": packZstd(t, file.data)} {
		src := open(t, nil, write(t, name, packed[:len(packed)-9]))
		all, err := drain(t, src, 64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %d packets, %+v", name, len(all), src.Stats())
		whole := open(t, nil, write(t, name, append(packed, 0, 0, 0, 0, 0, 0, 0, 0)))
		all, err = drain(t, whole, 64)
		if len(all) != 3000 || name == "gzip" && err != nil {
			t.Errorf("%s with padding: %d packets, %v", name, len(all), err)
		}
		broken := bytes.Clone(packed)
		broken[len(broken)-2] ^= 0xff // of the checksum
		if _, err := drain(t, open(t, nil, write(t, name, broken)), 64); err == nil || !strings.Contains(err.Error(), "unpack") {
			t.Errorf("%s broken: %v", name, err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	z, err := zstd.NewWriter(nil, zstd.WithZeroFrames(true))
	if err != nil {
		t.Fatal(err)
	}
	packed, nothing := z.EncodeAll(bytes.Repeat([]byte("a capture that is packed in one block, "), 9), nil), z.EncodeAll(nil, nil)
	for _, c := range []struct {
		paths []string
		want  string
	}{
		{nil, "no file given"},
		{[]string{"-", "-"}, "given twice"},
		{[]string{t.TempDir()}, "is a directory: give the files in it"},
		{[]string{"/nowhere/x.pcap"}, "no such file"},
		{[]string{write(t, "x", nil)}, "is empty"},
		{[]string{write(t, "x", []byte("hello, this is no capture at all"))}, "begins with 68 65 6c 6c: not a pcap or pcapng capture"},
		{[]string{write(t, "x", []byte("\xfd7zXZ\x00 and so on and so on"))}, "packed with xz"},
		{[]string{write(t, "x", []byte("\xd4\xc3\xb2\xa1\x01\x00\x00\x00 and so on and so"))}, "version 1.0"},
		{[]string{write(t, "x", []byte{0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6})}, "packed capture is cut off"},
		{[]string{write(t, "x", packed[:len(packed)/2])}, "packed capture is cut off"},
		{[]string{write(t, "x", packed[:8])}, "packed capture is cut off"},
		{[]string{write(t, "x", nothing)}, "is empty"},
	} {
		cfg := DefaultConfig()
		cfg.Paths = c.paths
		_, err := Open(cfg)
		ok := false
		for _, w := range strings.Split(c.want, "|") {
			ok = ok || err != nil && strings.Contains(err.Error(), w)
		}
		if !ok {
			t.Errorf("%v: got %v, want %s", c.paths, err, c.want)
		}
	}
}

package pcapfile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet"
)

// captures lists the corpora's files, of all or of one project.
func captures(t *testing.T) []string {
	t.Helper()
	root := os.Getenv("PASSIFLOW_SHARED")
	if root == "" {
		t.Skip("PASSIFLOW_SHARED is not set")
	}
	var all []string
	err := filepath.WalkDir(filepath.Join(root, "corpora"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".json", ".txt", ".md", ".py":
			return nil
		}
		all = append(all, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no captures")
	}
	return all
}

// readAll reads a capture to its end, bounded in time.
func readAll(t *testing.T, path string) ([]got, error) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Paths = []string{path}
	src, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	var all []got
	batch := make([]packet.Packet, 64)
	for end := time.Now().Add(20 * time.Second); ; {
		if time.Now().After(end) {
			t.Fatalf("%s: hangs", path)
		}
		n, err := src.Read(batch)
		for _, p := range batch[:n] {
			all = append(all, got{p.Time, string(p.Data), p.Length, p.Link, p.Interface})
		}
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// TestCorporaAgainstTcpdump lets tcpdump write each capture again, in the one
// plain form, and compares every packet.
func TestCorporaAgainstTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	files, same, packets, theirs, ours := 0, 0, 0, 0, 0
	for _, path := range captures(t) {
		files++
		all, err := readAll(t, path)
		cmd := exec.Command("tcpdump", "-n", "-r", "-", "--time-stamp-precision=nano", "-w", "-")
		cmd.Stdin = unpacked(t, path)
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, failed := cmd.Output()
		want := rewritten(out)
		if failed != nil {
			theirs++
		}
		if err != nil {
			ours++
			t.Logf("%s: %v (tcpdump: %v %d packets)", filepath.Base(path), err, failed, len(want))
		}
		if err != nil && failed == nil {
			t.Errorf("%s: %v, and tcpdump reads it", path, err)
		}
		if len(all) < len(want) || failed == nil && len(all) != len(want) {
			t.Errorf("%s: %d packets, tcpdump has %d (%s)", path, len(all), len(want), complaint.String())
			continue
		}
		for i, w := range want {
			g := all[i]
			g.Interface = 0
			if len(g.Data) > len(w.Data) { // libpcap cuts at the file's snapshot length
				g.Data = g.Data[:len(w.Data)]
			}
			w.Length = max(w.Length, len(w.Data))
			w.Link = g.Link
			if g != w && len(all[i].Data) == g.Length { // and then leaves the length alone
				g.Length = w.Length
			}
			if d := g.Time - w.Time; d > 0 && d%(1<<32) == 0 { // it keeps a fraction in 32 bits, also an impossible one
				w.Time = g.Time
			}
			if g != w {
				t.Errorf("%s: packet %d: time %d length %d/%d, tcpdump %d %d/%d", path, i+1, g.Time, len(g.Data), g.Length, w.Time, len(w.Data), w.Length)
				break
			}
		}
		packets += len(want)
		same++
	}
	t.Logf("%d files, %d compared, %d packets; refused by tcpdump %d, by us %d", files, same, packets, theirs, ours)
}

// unpacked is the file's content: tcpdump does not unpack.
func unpacked(t *testing.T, path string) io.Reader {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) == ".gz" {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.NewReader(data)
}

// rewritten reads what tcpdump -w wrote, without the code under test.
func rewritten(b []byte) []got {
	if len(b) < 24 {
		return nil
	}
	u32 := func(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
	if u32(b) != magicNano && bits.ReverseBytes32(u32(b)) == magicNano {
		u32 = func(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
	}
	var all []got
	for b = b[24:]; len(b) >= 16; {
		n := u32(b[8:])
		all = append(all, got{Time: packet.Time(u32(b))*1e9 + packet.Time(u32(b[4:])), Data: string(b[16 : 16+n]), Length: int(u32(b[12:]))})
		b = b[16+n:]
	}
	return all
}

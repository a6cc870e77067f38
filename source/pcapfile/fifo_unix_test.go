//go:build unix

package pcapfile

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	src := open(t, func(c *Config) { c.Wait = 10 * time.Millisecond }, path)
	none(t, src) // nobody writes yet
	none(t, src)
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	none(t, src)
	file := newOld(binary.LittleEndian, magicNano, 1).add(1, 1, "one", 3).data
	if _, err := w.Write(file); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"one"}, await(t, src, 1)); d != "" {
		t.Error(d)
	}
	none(t, src)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if all, err := drain(t, src, 8); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

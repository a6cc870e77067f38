package pcapfile

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/passiflow/passiflow/source/sourcetest"
)

func TestSignalsDoNotEndTheWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	const wait = 30 * time.Millisecond
	src := open(t, func(c *Config) { c.Wait = wait }, path)
	none(t, src) // the pipe is open now
	sourcetest.Signalled(t, src, wait)
}

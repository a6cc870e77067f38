//go:build linux

package afpacket

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpu returns what this process has spent.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

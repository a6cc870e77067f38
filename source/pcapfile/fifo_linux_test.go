package pcapfile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The Go scheduler sends signals to its threads when it likes to; a wait in the
// system goes on after one.
func TestSignalsDoNotEndTheWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	src := open(t, func(c *Config) { c.Wait = 30 * time.Millisecond }, path)
	none(t, src) // the pipe is open now
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	reader, quit, done := unix.Gettid(), make(chan struct{}), make(chan int)
	go func() {
		sent := 0
		for {
			select {
			case <-quit:
				done <- sent
				return
			case <-time.After(time.Millisecond):
				if err := unix.Tgkill(os.Getpid(), reader, unix.SIGURG); err != nil {
					t.Error(err)
				}
				sent++
			}
		}
	}()
	start := time.Now()
	for n := range 5 {
		none(t, src)
		if took, least := time.Since(start), time.Duration(n+1)*30*time.Millisecond; took < least {
			t.Errorf("%d waits took %v, want %v at least", n+1, took, least)
		}
	}
	close(quit)
	if sent := <-done; sent == 0 {
		t.Error("no signal was sent")
	}
}

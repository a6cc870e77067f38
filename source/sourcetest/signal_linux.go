package sourcetest

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// Signalled reads s, which shows nothing and waits for wait at least, while the
// thread that reads gets signals, as the Go scheduler sends them when it likes
// to: they must not end a Read early.
func Signalled(t *testing.T, s source.Source, wait time.Duration) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	reader, quit := unix.Gettid(), make(chan struct{})
	var sent atomic.Int64
	var sender sync.WaitGroup
	sender.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond):
			}
			if err := unix.Tgkill(os.Getpid(), reader, unix.SIGURG); err != nil {
				t.Error(err)
			}
			sent.Add(1)
		}
	})
	// A busy machine may leave the sender out of a whole wait.
	for signalled, end := 0, time.Now().Add(30*time.Second); signalled < 3 && !t.Failed(); {
		start, before := time.Now(), sent.Load()
		if start.After(end) {
			t.Error("no signals were sent")
		}
		if n, err := s.Read(make([]packet.Packet, 1)); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if took := time.Since(start); took < wait {
			t.Errorf("took %v, want %v", took, wait)
		}
		if sent.Load() > before {
			signalled++
		}
	}
	close(quit)
	sender.Wait()
}

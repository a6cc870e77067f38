package tunnel

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/passiflow/passiflow/packet"
)

// The Go scheduler sends signals to its threads when it likes to; a wait in the
// system goes on after one.
func TestSignalsDoNotEndTheWait(t *testing.T) {
	const wait = 50 * time.Millisecond
	s := listen(t, func(c *Config) { c.Wait = wait })
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
	for range 3 {
		start := time.Now()
		if n, err := s.Read(make([]packet.Packet, 1)); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if took := time.Since(start); took < wait {
			t.Errorf("took %v, want %v", took, wait)
		}
	}
	close(quit)
	if sent := <-done; sent == 0 {
		t.Error("no signal was sent")
	}
}

//go:build unix

package pcapfile

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	canPoll = true
	noWait  = unix.O_NONBLOCK // for open
)

// poll tells whether a read of f would return at once; it waits for that. The
// Go scheduler's signals end the system's wait early, which is taken up again.
func poll(f *os.File, wait time.Duration) (bool, error) {
	c, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var n int
	var failed error
	end := time.Now().Add(wait)
	err = c.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for left := wait; ; left = max(time.Until(end), 0) {
			// Rounded up: no wait would make the caller turn without a pause.
			n, failed = unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond))
			if !errors.Is(failed, unix.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return false, err
	}
	if failed != nil {
		return false, fmt.Errorf("wait: %w", failed)
	}
	return n > 0, nil
}

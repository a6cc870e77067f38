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

// poll tells whether a read of f would return at once.
func poll(f *os.File, wait time.Duration) (bool, error) {
	c, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var n int
	var failed error
	err = c.Control(func(fd uintptr) {
		n, failed = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(wait.Milliseconds()))
	})
	if err != nil {
		return false, err
	}
	if errors.Is(failed, unix.EINTR) {
		return false, nil
	}
	if failed != nil {
		return false, fmt.Errorf("wait: %w", failed)
	}
	return n > 0, nil
}

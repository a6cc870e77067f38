//go:build unix

package sink

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// LockFile refuses f while another program writes it: each would cut off what
// the other is writing. The lock ends when f is closed.
func LockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%s: it is being written already, here or by another program", f.Name())
	}
	return nil // a file system without locks is no reason not to write
}

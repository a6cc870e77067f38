package sink

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// modesMatter tells whether the mode of a file says who may read it.
const modesMatter = false

// lockSpool opens a file that nobody else has locked, and locks it until it is
// closed.
func lockSpool(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if err != nil {
		_ = f.Close()
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			return nil, ErrSpoolLocked
		}
		return nil, &os.PathError{Op: "lock", Path: name, Err: err}
	}
	return f, nil
}

// syncDirectory makes the names in a directory durable; the system does it by
// itself.
func syncDirectory(string) error { return nil }

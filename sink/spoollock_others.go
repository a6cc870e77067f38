//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package sink

import "os"

// modesMatter tells whether the mode of a file says who may read it.
const modesMatter = false

// lockSpool opens a file. Nothing keeps another process from the spool on this
// system.
func lockSpool(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}

// syncDirectory makes the names in a directory durable where the system can.
func syncDirectory(string) error { return nil }

//go:build !unix

package sink

import "os"

// LockFile refuses f while another program writes it, where the system can tell.
func LockFile(*os.File) error { return nil }

// SyncDirectory makes new names in dir durable, where the system can do that.
func SyncDirectory(string) {}

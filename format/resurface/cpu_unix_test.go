//go:build unix

package resurface

import (
	"syscall"
	"time"
)

// spent is the processor's time that this process has had, of which other
// programs take nothing.
func spent() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

package main

import (
	"os"
	"syscall"
)

// resident returns the most bytes the process had in memory at once.
func resident(s *os.ProcessState) int64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}

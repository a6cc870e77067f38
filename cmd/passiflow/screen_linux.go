package main

import "golang.org/x/sys/unix"

// screenWidth returns the columns of the terminal, 0 where there is none.
func screenWidth(p *process) int {
	size, err := unix.IoctlGetWinsize(int(p.stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

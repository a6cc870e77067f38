//go:build !linux

package main

import "os"

// rights names what lets this process capture, "" for nothing.
func rights() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	return ""
}

// cure says how to get the right to capture.
func cure() string { return "run it as root or administrator" }

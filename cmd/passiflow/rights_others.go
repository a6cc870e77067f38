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

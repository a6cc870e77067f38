package main

import "golang.org/x/sys/unix"

// rights names what lets this process capture, "" for nothing.
func rights() string {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if unix.Capget(&h, &d[0]) != nil || d[0].Effective&(1<<unix.CAP_NET_RAW) == 0 {
		return ""
	}
	return "CAP_NET_RAW"
}

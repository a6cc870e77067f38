package libpcap

// cure says how to get the right to capture on a system.
func cure(system string) string {
	switch system {
	case "linux":
		return "run as root, or give the program the right CAP_NET_RAW"
	case "darwin", "freebsd", "openbsd", "netbsd", "dragonfly":
		return "run as root, or let a group read /dev/bpf*"
	}
	return "run as root"
}

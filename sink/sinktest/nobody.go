package sinktest

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
)

// Nobody returns an address of this machine at which nobody listens: on Linux one
// of this process alone, where nobody else takes a port and from where nobody's
// connections come.
func Nobody(t testing.TB) string {
	t.Helper()
	host := "127.0.0.1"
	if pid := os.Getpid(); runtime.GOOS == "linux" {
		host = fmt.Sprintf("127.%d.%d.%d", 64|pid>>16, pid>>8&255, pid&255)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

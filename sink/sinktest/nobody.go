package sinktest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Nobody returns an address of this machine at which nobody listens, with a port
// of TCP that the system gives to nobody who did not ask for it.
func Nobody(t testing.TB) string {
	t.Helper()
	for range 100 {
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(20_000))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

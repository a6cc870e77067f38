package e2e

import (
	"fmt"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/passiflow/passiflow/source/netnstest"
)

// tunnels puts a card t0 here and a card t1 into s and carries what they send to
// each other from one address to the other, as the payload of datagrams with
// head before it. network is one of package net. A datagram that does not fit
// its way goes in fragments.
func tunnels(t *testing.T, s *netnstest.Space, network string, port int, here, there string, head []byte) {
	t.Helper()
	end := func(name, local, remote string) {
		card, err := tap(name)
		if err != nil {
			t.Skipf("no card of one's own: %v", err)
		}
		var c net.PacketConn
		var to net.Addr
		if network[:2] == "ip" {
			c, err = net.ListenPacket(network, local)
			to = &net.IPAddr{IP: net.ParseIP(remote)}
		} else {
			c, err = net.ListenPacket(network, net.JoinHostPort(local, fmt.Sprint(port)))
			to = &net.UDPAddr{IP: net.ParseIP(remote), Port: port}
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(); card.Close() })
		go func() {
			b := make([]byte, 1<<16)
			for n := copy(b, head); ; {
				m, err := card.Read(b[n:])
				if err != nil {
					return
				}
				_, _ = c.WriteTo(b[:n+m], to)
			}
		}()
		go func() {
			for b := make([]byte, 1<<16); ; {
				n, _, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				if n > len(head) {
					_, _ = card.Write(b[len(head):n])
				}
			}
		}()
	}
	end("t0", here, there)
	s.Do(t, func() { end("t1", there, here) })
}

// tap makes a card whose other end is the file.
func tap(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	r, err := unix.NewIfreq(name)
	if err == nil {
		r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

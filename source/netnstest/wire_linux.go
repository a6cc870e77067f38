package netnstest

import (
	"net"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Wire sends frames out of a device as they are.
type Wire struct {
	fd       int
	messages [wireBatch]message
	vectors  [wireBatch]unix.Iovec
}

const wireBatch = 64

// message is struct mmsghdr.
type message struct {
	unix.Msghdr
	sent uint32
	_    [4]byte
}

// NewWire opens a device of the namespace of the calling thread (see Space.Do).
func NewWire(t testing.TB, device string) *Wire {
	t.Helper()
	ifi, err := net.InterfaceByName(device)
	if err != nil {
		t.Errorf("wire %s: %v", device, err)
		return nil
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: ifi.Index})
	}
	if err != nil {
		t.Errorf("wire %s: %v", device, err)
		return nil
	}
	t.Cleanup(func() { unix.Close(fd) })
	return &Wire{fd: fd}
}

// Send sends frames in order and returns how many were sent.
func (w *Wire) Send(frames ...[]byte) (int, error) {
	sent := 0
	for sent < len(frames) {
		n := min(len(frames)-sent, wireBatch)
		for i := range n {
			f := frames[sent+i]
			w.vectors[i].Base = &f[0]
			w.vectors[i].SetLen(len(f))
			w.messages[i].Iov = &w.vectors[i]
			w.messages[i].SetIovlen(1)
		}
		m, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&w.messages[0])), uintptr(n), 0, 0, 0)
		if errno == unix.ENOBUFS || errno == unix.EAGAIN || errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return sent, errno
		}
		sent += int(m)
	}
	return sent, nil
}

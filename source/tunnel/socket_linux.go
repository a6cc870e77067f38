package tunnel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

const (
	datagram = 64 << 10 // the largest there is
	control  = 96       // a time stamp and a drop count, with headers
)

// message is struct mmsghdr.
type message struct {
	head unix.Msghdr
	size [unsafe.Sizeof(uintptr(0)) / 4]uint32 // in the first one; where pointers are long, padding behind it
}

// socket receives batches of datagrams, each into room of its own; pages that
// no datagram reached are never touched and cost no memory.
type socket struct {
	file     *os.File
	fd       int
	messages []message
	vectors  []unix.Iovec
	data     []byte
	control  []byte
	drops    uint64
	last     uint32 // the kernel's drop count, which wraps
}

func isInUse(err error) bool { return errors.Is(err, unix.EADDRINUSE) }

// open returns the address it listens on.
func (s *socket) open(cfg *Config) (string, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = prepare(int(fd), cfg) })
		return errors.Join(err, failed)
	}}
	conn, err := lc.ListenPacket(context.Background(), "udp", cfg.Address)
	if err != nil {
		return "", err
	}
	defer conn.Close() // the file below is a duplicate
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return "", fmt.Errorf("%T is no UDP socket", conn)
	}
	if s.file, err = udp.File(); err != nil {
		return "", err
	}
	s.fd = int(s.file.Fd())
	if cfg.Share > 1 {
		if err := s.share(cfg); err != nil {
			return "", errors.Join(err, s.file.Close())
		}
	}
	s.messages = make([]message, source.Batch)
	s.vectors = make([]unix.Iovec, source.Batch)
	s.data = make([]byte, source.Batch*datagram)
	s.control = make([]byte, source.Batch*control)
	for i := range s.messages {
		v, h := &s.vectors[i], &s.messages[i].head
		v.Base = &s.data[i*datagram]
		v.SetLen(datagram)
		h.Iov = v
		h.SetIovlen(1)
		h.Control = &s.control[i*control]
	}
	return conn.LocalAddr().String(), nil
}

func prepare(fd int, cfg *Config) error {
	if cfg.Share > 1 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return os.NewSyscallError("setsockopt SO_REUSEPORT", err)
		}
	}
	for name, option := range map[string]int{"SO_TIMESTAMPNS": unix.SO_TIMESTAMPNS, "SO_RXQ_OVFL": unix.SO_RXQ_OVFL} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1); err != nil {
			return os.NewSyscallError("setsockopt "+name, err)
		}
	}
	// The first call passes the system's limit and needs CAP_NET_ADMIN.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, cfg.Buffer) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, cfg.Buffer); err != nil {
			return os.NewSyscallError("setsockopt SO_RCVBUF", err)
		}
	}
	given, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return os.NewSyscallError("getsockopt SO_RCVBUF", err)
	}
	if given /= 2; given < cfg.Buffer { // the kernel doubles, for its own needs
		cfg.Log.Warn("the kernel gives a smaller receive buffer: bursts may be dropped; raise net.core.rmem_max",
			"address", cfg.Address, "asked_bytes", cfg.Buffer, "given_bytes", given)
	}
	return nil
}

// receive fills Time and Data of as many packets as there are datagrams, and
// waits for the first.
func (s *socket) receive(batch []packet.Packet, wait time.Duration) (int, error) {
	n, err := s.take(len(batch))
	if errors.Is(err, unix.EAGAIN) {
		ready, err := s.poll(wait)
		if err != nil {
			return 0, os.NewSyscallError("poll", err)
		}
		if !ready {
			s.countDrops()
			return 0, nil
		}
		if n, err = s.take(len(batch)); errors.Is(err, unix.EAGAIN) {
			return 0, nil
		} else if err != nil {
			return 0, os.NewSyscallError("recvmmsg", err)
		}
	} else if err != nil {
		return 0, os.NewSyscallError("recvmmsg", err)
	}
	for i := range n {
		m := &s.messages[i]
		at := i * datagram
		batch[i].Data = s.data[at : at+int(m.size[0]) : at+int(m.size[0])]
		batch[i].Time = s.ancillary(s.control[i*control:][:int(m.head.Controllen)])
	}
	return n, nil
}

// poll waits for a datagram. The Go scheduler's signals end the system's wait
// early, which is taken up again.
func (s *socket) poll(wait time.Duration) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	end := time.Now().Add(wait)
	for left := wait; ; left = max(time.Until(end), 0) {
		n, err := unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond))
		if !errors.Is(err, unix.EINTR) {
			return n > 0, err
		}
	}
}

func (s *socket) take(n int) (int, error) {
	n = min(n, len(s.messages))
	for i := range n {
		s.messages[i].head.SetControllen(control)
	}
	for {
		got, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.messages[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(got), nil
		case unix.EINTR, unix.ECONNREFUSED: // the second is about a datagram somebody sent before
			continue
		}
		return 0, errno
	}
}

// ancillary reads the time stamp and the drop count beside a datagram.
func (s *socket) ancillary(b []byte) packet.Time {
	t := packet.Time(0)
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(b) {
			break
		}
		data := b[unix.CmsgLen(0):size]
		if h.Level == unix.SOL_SOCKET {
			switch {
			case h.Type == unix.SCM_TIMESTAMPNS && len(data) >= 16:
				t = packet.Time(int64(binary.NativeEndian.Uint64(data))*1e9 + int64(binary.NativeEndian.Uint64(data[8:])))
			case h.Type == unix.SCM_TIMESTAMPNS && len(data) >= 8: // 32-bit systems
				t = packet.Time(int64(int32(binary.NativeEndian.Uint32(data)))*1e9 + int64(binary.NativeEndian.Uint32(data[4:])))
			case h.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
				s.setDrops(binary.NativeEndian.Uint32(data))
			}
		}
		b = b[min(unix.CmsgSpace(size-unix.CmsgLen(0)), len(b)):]
	}
	if t == 0 {
		t = packet.Time(time.Now().UnixNano())
	}
	return t
}

func (s *socket) setDrops(now uint32) {
	// A count read from a datagram that waited is older than one read from the
	// socket: only what is ahead counts.
	if ahead := now - s.last; ahead < 1<<31 {
		s.drops += uint64(ahead)
		s.last = now
	}
}

// countDrops asks the socket, because no datagram need come after a drop.
func (s *socket) countDrops() {
	const dropsIndex = 8 // SK_MEMINFO_DROPS
	var info [dropsIndex + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno == 0 && size >= uint32(unsafe.Sizeof(info)) {
		s.setDrops(info[dropsIndex])
	}
}

func (s *socket) dropped() uint64 { return s.drops }

// wake is not needed: the wait in the kernel is short.
func (s *socket) wake() {}

func (s *socket) close() error {
	s.countDrops()
	return s.file.Close()
}

package afpacket

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher hears of changes to devices.
type watcher struct {
	netlink int
	end     int // eventfd

	mu   sync.Mutex
	done bool
}

func newWatcher() (*watcher, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen for interfaces: %w", err)
	}
	end, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return &watcher{netlink: fd, end: end}, nil
}

// wait returns after something changed, or after limit milliseconds (-1:
// never); false means stop was called.
func (w *watcher) wait(limit int) bool {
	polls := []unix.PollFd{{Fd: int32(w.end), Events: unix.POLLIN}, {Fd: int32(w.netlink), Events: unix.POLLIN}}
	if _, err := unix.Poll(polls, limit); err != nil && err != unix.EINTR {
		return false
	}
	if polls[0].Revents != 0 {
		return false
	}
	// What changed is asked of the system; the messages only say when. An
	// overrun (ENOBUFS) is a reason to ask, too.
	var buf [8192]byte
	for {
		if _, _, err := unix.Recvfrom(w.netlink, buf[:], 0); err == unix.EAGAIN || err == unix.EBADF {
			return true
		}
	}
}

func (w *watcher) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done {
		_, _ = unix.Write(w.end, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done {
		w.done = true
		unix.Close(w.netlink)
		unix.Close(w.end)
	}
}

const (
	retryMillis = 1000   // while a device is missing or could not be opened
	checkMillis = 10_000 // for drops
)

// follow picks devices up that appear, and logs drops; it ends with the last
// worker.
func (g *group) follow() {
	defer g.watch.close()
	var dropped, freezes uint64
	for {
		g.mu.Lock()
		limit := checkMillis
		if len(g.live) < len(g.cfg.Interfaces) {
			limit = retryMillis
		}
		g.mu.Unlock()
		if !g.watch.wait(limit) {
			return
		}
		if err := g.scan(false); err != nil {
			g.log.Error("interfaces cannot be listed", "error", err)
		}
		var d, f uint64
		for _, w := range g.workers {
			st, n := w.stats()
			d, f = d+st.Dropped, f+n
		}
		if d > dropped {
			g.log.Warn("packets dropped by the kernel: the reader is too slow or the buffer too small",
				"packets", d-dropped, "freezes", f-freezes, "buffer_bytes", g.cfg.BufferBytes)
		}
		dropped, freezes = d, f
	}
}

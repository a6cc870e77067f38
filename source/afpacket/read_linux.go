package afpacket

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// patience is how long Read waits for a packet.
const patience = 100 * time.Millisecond

// worker is one Source: a ring of each live device. The packets of several
// rings come in the order of their times, as far as that can be known: a
// packet waits until every other ring has shown what it got before.
type worker struct {
	group *group
	wake  int // eventfd: something changed under mu

	// Owned by the reader, while it is busy.
	rings []*ring
	polls []unix.PollFd
	names map[int]int // index of the system → index in the list, for any
	last  [2]int      // the entry of names that was used last
	brisk bool        // packets came during the last wait, and there is a processor to spare: see ppoll
	homes homes

	mu       sync.Mutex
	busy     bool    // in Read, or its packets are still lent
	closed   bool    // Close was called
	released bool    // and everything given back
	all      []*ring // rings and those the reader has not picked up yet
	fresh    bool    // all changed
	past     source.Stats
	freezes  uint64 // of the rings that are no more
}

func newWorker(g *group) (*worker, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return &worker{group: g, wake: wake, names: map[int]int{}, last: [2]int{-1, 0}}, nil
}

// Live says that time passes while nothing is read.
func (w *worker) Live() bool { return true }

// Read implements source.Source. Data points into the rings. After Close it
// returns io.EOF.
func (w *worker) Read(batch []packet.Packet) (int, error) {
	if !w.begin() {
		return 0, io.EOF
	}
	if w.leisure() {
		unix.RawSyscallNoError(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	for _, r := range w.rings {
		r.release()
	}
	if len(batch) == 0 {
		return w.end(0)
	}
	n, wait := w.fill(batch)
	if n > 0 {
		return w.end(n)
	}
	for end, changed := time.Now().Add(patience), false; n == 0 && !changed; {
		left := time.Until(end)
		if left <= 0 {
			break
		}
		if err := w.poll(min(wait, left)); err != nil {
			_, _ = w.end(0)
			return 0, err
		}
		w.mu.Lock()
		changed = w.fresh || w.closed
		w.mu.Unlock()
		// Also then: that nothing is returned means that nothing was there.
		n, wait = w.fill(batch)
	}
	w.brisk = n > 0 && w.spare()
	return w.end(n)
}

// leisure tells whether this is a moment to let others have the processor: in the
// middle of a block, when no further one waits. Whoever serves what is watched
// has then to wait for a batch at most and not for a block, which takes a
// millisecond; and who is late gives way to nobody.
func (w *worker) leisure() bool {
	begun := false
	for _, r := range w.rings {
		if r.follows() {
			return false
		}
		begun = begun || r.left > 0
	}
	return begun
}

// begin takes over what changed since the last Read and tells whether there is
// still something to read.
func (w *worker) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		w.release()
		return false
	}
	w.busy = true
	drop := false
	for _, r := range w.rings {
		drop = drop || r.gone.Load() && w.spent(r)
	}
	if !w.fresh && !drop {
		return true
	}
	w.fresh = false
	w.rings, w.polls = w.rings[:0], append(w.polls[:0], unix.PollFd{Fd: int32(w.wake), Events: unix.POLLIN})
	kept := w.all[:0]
	for _, r := range w.all {
		if r.gone.Load() && w.spent(r) {
			w.retire(r)
			continue
		}
		kept = append(kept, r)
		w.rings = append(w.rings, r)
		w.polls = append(w.polls, unix.PollFd{Fd: int32(r.fd), Events: unix.POLLIN})
	}
	clear(w.all[len(kept):])
	w.all = kept
	return true
}

// lateness is how much later than it should a busy kernel may hand a block over.
const lateness = time.Second

// spent tells whether a ring whose device is gone has nothing left: its last
// block is handed over within BlockTimeout, so it is asked for some time, and for
// longer while the kernel has counted packets that it has not shown. It is called
// under mu.
func (w *worker) spent(r *ring) bool {
	r.release()
	if r.ready() {
		return false
	}
	if r.over == 0 {
		r.over = time.Now().UnixNano() + r.wait
	}
	late := time.Now().UnixNano() - r.over
	if late <= 0 {
		return false
	}
	r.tally()
	return r.counted.Received <= r.read.Load() || late > int64(lateness)
}

func (w *worker) retire(r *ring) {
	r.close()
	w.past.Received += r.counted.Received
	w.past.Dropped += r.counted.Dropped
	w.past.Unread += r.counted.Unread
	w.freezes += r.freezes
}

// end lends n packets, or nothing.
func (w *worker) end(n int) (int, error) {
	if n > 0 {
		return n, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = false
	if w.closed {
		w.release()
		return 0, io.EOF
	}
	return 0, nil
}

// fill sets packets from the rings, the oldest first, and tells how long to
// wait when it found none.
func (w *worker) fill(batch []packet.Packet) (int, time.Duration) {
	if len(w.rings) == 1 {
		return w.drain(w.rings[0], batch, -1), patience
	}
	n, wait := 0, patience
	var now int64
	for n < len(batch) {
		// The oldest ring that has a packet, the second oldest, and whether
		// some ring may still show an older one.
		var first *ring
		var oldest, second packet.Time = 0, -1
		quiet := int64(0)
		for _, r := range w.rings {
			if !r.ready() {
				quiet = max(quiet, r.wait)
				continue
			}
			switch t := r.time(); {
			case first == nil:
				first, oldest = r, t
			case t < oldest:
				first, oldest, second = r, t, oldest
			case second < 0 || t < second:
				second = t
			}
		}
		if first == nil {
			break
		}
		if quiet > 0 {
			if now == 0 {
				now = time.Now().UnixNano()
			}
			// What was captured before limit is all there. A clock that was set
			// back must not hold packets from its future.
			limit := packet.Time(now - quiet)
			if oldest > limit && int64(oldest) <= now+int64(time.Second) {
				// Wait for the whole block rather than for each packet of it.
				d := time.Duration(first.newest() - limit)
				wait = min(max(d, time.Millisecond), patience)
				break
			}
			if oldest <= limit && (second < 0 || second > limit) {
				second = limit
			}
		}
		n += w.drain(first, batch[n:], second)
	}
	return n, wait
}

// drain takes packets from one ring, none that is younger than until unless it
// is the first, all when until is negative.
func (w *worker) drain(r *ring, batch []packet.Packet, until packet.Time) int {
	n := 0
	for n < len(batch) && r.ready() && (n == 0 || until < 0 || r.time() <= until) {
		r.take(&batch[n])
		if r.any {
			batch[n].Interface = w.device(&batch[n])
		}
		n++
	}
	r.read.Add(uint64(n))
	return n
}

// device returns the index of the device that a packet of the ring of all
// devices came from.
func (w *worker) device(p *packet.Packet) int {
	ifindex, hardware := address(p)
	if w.last[0] == ifindex {
		return w.last[1]
	}
	at, ok := w.names[ifindex]
	if !ok {
		at = w.group.seen(ifindex, hardware)
		w.names[ifindex] = at
	}
	w.last = [2]int{ifindex, at}
	return at
}

func (w *worker) poll(wait time.Duration) error {
	for i, r := range w.rings {
		// A ring that holds packets back would end the wait at once.
		if w.polls[1+i].Fd = int32(r.fd); r.ready() {
			w.polls[1+i].Fd = -1
		}
	}
	ts := unix.NsecToTimespec(int64(wait))
	n, err := w.ppoll(&ts)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wait for packets: %w", err)
	}
	if n == 0 {
		return nil
	}
	if w.polls[0].Revents != 0 {
		var b [8]byte
		_, _ = unix.Read(w.wake, b[:])
	}
	for i := range w.polls[1:] {
		// A device that goes down leaves ENETDOWN behind, which would end each
		// wait at once. The kernel takes up again by itself when it comes back.
		if p := &w.polls[1+i]; p.Revents&unix.POLLERR != 0 {
			_, _ = unix.GetsockoptInt(int(p.Fd), unix.SOL_SOCKET, unix.SO_ERROR)
		}
	}
	return nil
}

// ppoll waits for the rings. While packets come it does so without telling the
// Go scheduler, which would watch each wait from a thread of its own, some 2,000
// times a second, and look for other work for this processor: that costs more
// than reading the packets does. Whatever the runtime wants of the goroutine it
// asks for by a signal, which ends the wait. It also does that after 10 ms, for
// the sake of others, so that waits in which nothing comes are left to it.
func (w *worker) ppoll(ts *unix.Timespec) (int, error) {
	if !w.brisk {
		return unix.Ppoll(w.polls, ts, nil)
	}
	n, _, e := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(w.polls))), uintptr(len(w.polls)), uintptr(unsafe.Pointer(ts)), 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// spare tells whether the program has more processors than workers, so that some
// may be held while they wait.
func (w *worker) spare() bool { return runtime.GOMAXPROCS(0) > w.group.cfg.Workers }

// attach swaps the filter of a ring that may have been closed meanwhile.
func (w *worker) attach(r *ring, filter []bpf.RawInstruction) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.fd < 0 {
		return nil
	}
	return r.attach(filter)
}

// add hands a ring to the reader.
func (w *worker) add(r *ring) {
	w.mu.Lock()
	if w.closed {
		r.close()
	} else {
		w.all = append(w.all, r)
		w.fresh = true
	}
	w.mu.Unlock()
	w.rouse()
}

// Place implements source.Shared.
func (w *worker) Place(l packet.Link, frame []byte) int {
	return int(w.homes.hash(&w.group.cfg, l, frame) % uint32(w.group.cfg.Workers))
}

func (w *worker) rouse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.released {
		_, _ = unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// Interfaces names the devices behind Packet.Interface.
func (w *worker) Interfaces() []source.Interface { return w.group.interfaces() }

// Stats returns what this worker's rings counted.
func (w *worker) Stats() source.Stats {
	st, _ := w.stats()
	return st
}

func (w *worker) stats() (source.Stats, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	st, freezes := w.past, w.freezes
	for _, r := range w.all {
		r.tally()
		st.Received += r.counted.Received
		st.Dropped += r.counted.Dropped
		st.Unread += r.counted.Unread
		freezes += r.freezes
	}
	return st, freezes
}

// SetFilter swaps the kernel's filter of all workers; it needs Config.Swap.
// Packets that the old one accepted may still be read.
func (w *worker) SetFilter(filter func(packet.Link) ([]bpf.RawInstruction, error)) error {
	return w.group.setFilter(filter)
}

// Close ends the capture of this worker. While packets are lent, or another
// goroutine reads, the next Read gives the memory back.
func (w *worker) Close() error {
	w.mu.Lock()
	first := !w.closed
	w.closed = true
	if !w.busy {
		w.release()
	}
	w.mu.Unlock()
	w.rouse()
	if first {
		w.group.leave()
	}
	return nil
}

// release gives everything back, under mu.
func (w *worker) release() {
	w.busy = false
	if w.released {
		return
	}
	w.released = true
	for _, r := range w.all {
		w.retire(r)
	}
	w.all, w.rings, w.polls = nil, nil, nil
	unix.Close(w.wake)
}

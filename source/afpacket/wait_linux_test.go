package afpacket

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A wait of which the scheduler does not know holds up nobody: a collection, which
// stops every goroutine, ends it.
func TestBriskWait(t *testing.T) {
	w, err := newWorker(&group{cfg: Config{Workers: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(w.wake)
	w.brisk = true
	w.polls = []unix.PollFd{{Fd: int32(w.wake), Events: unix.POLLIN}}
	type result struct {
		n   int
		err error
	}
	done := make(chan result)
	go func() {
		ts := unix.NsecToTimespec(int64(20 * time.Second))
		n, err := w.ppoll(&ts)
		done <- result{n, err}
	}()
	for { // until it waits indeed
		time.Sleep(5 * time.Millisecond)
		began := time.Now()
		runtime.GC()
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("a collection took %v", d)
		}
		select {
		case r := <-done:
			if !errors.Is(r.err, unix.EINTR) {
				t.Errorf("the wait ended with %d, %v, want EINTR", r.n, r.err)
			}
			return
		default:
		}
	}
}

// Without a processor for the rest of the program every wait is left to the
// scheduler.
func TestSpareProcessor(t *testing.T) {
	for workers, want := range map[int]bool{runtime.GOMAXPROCS(0): false, 0: true} {
		w := worker{group: &group{cfg: Config{Workers: workers}}}
		if got := w.spare(); got != want {
			t.Errorf("%d workers on %d processors: %v", workers, runtime.GOMAXPROCS(0), got)
		}
	}
}

// The processor is given away in the middle of a block, and never by who is late.
func TestLeisure(t *testing.T) {
	const size = 4096
	for name, c := range map[string]struct {
		left  uint32
		ready []int // blocks that are full
		want  bool
	}{
		"nothing was begun":      {0, nil, false},
		"a block waits":          {0, []int{2}, false},
		"in the middle":          {3, []int{2}, true},
		"another waits":          {3, []int{2, 0}, false},
		"the one before is lent": {3, []int{2, 1}, true},
	} {
		r := &ring{memory: make([]byte, 3*size), size: size, count: 3, free: 1, block: 2, left: c.left}
		for _, i := range c.ready {
			r.descriptor(i).Block_status = unix.TP_STATUS_USER
		}
		w := worker{rings: []*ring{{memory: make([]byte, size), size: size, count: 1}, r}}
		if got := w.leisure(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

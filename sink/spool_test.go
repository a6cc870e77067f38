package sink_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/passiflow/passiflow/sink"
)

// intCodec writes a number with bytes behind it that follow from it, so that a
// torn or mixed record is seen.
type intCodec struct{}

var errNotInt = errors.New("not a number with its tail")

func (intCodec) Append(dst []byte, v int) []byte {
	dst = binary.LittleEndian.AppendUint64(append(dst, 'i'), uint64(v))
	for i := range v * 7919 % 200 {
		dst = append(dst, byte(v+i))
	}
	return dst
}

func (intCodec) Decode(b []byte) (int, error) {
	if len(b) < 9 || b[0] != 'i' {
		return 0, errNotInt
	}
	v := int(binary.LittleEndian.Uint64(b[1:]))
	if v < 0 || len(b) != 9+v*7919%200 {
		return 0, errNotInt
	}
	for i, c := range b[9:] {
		if c != byte(v+i) {
			return 0, errNotInt
		}
	}
	return v, nil
}

func spoolConfig(dir string) sink.QueueConfig {
	c := sink.DefaultQueueConfig()
	c.Bytes = 1 << 20
	c.Retry.Max = 5 * time.Second
	c.Spool.Directory = dir
	return c
}

// quickDir returns a directory in memory where there is one: the test syncs often.
func quickDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "spool")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func openInts(t testing.TB, to sink.Writer[int], c sink.QueueConfig) *sink.Queue[int] {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	q, err := sink.OpenQueue[int](to, c, ten, intCodec{})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func segments(t testing.TB, dir string) (names []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.segment"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func closeQueue(t testing.TB, q *sink.Queue[int]) sink.Stats {
	t.Helper()
	if err := q.Close(t.Context()); err != nil {
		t.Error(err)
	}
	s := q.Stats()
	adds(t, s)
	return s
}

func TestSpoolOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		s := &script{answer: func([]int) error {
			if up.Load() {
				return nil
			}
			return errDown
		}}
		dir := t.TempDir()
		q := openInts(t, s, spoolConfig(dir))
		n := 0
		push := func(k int) {
			for range k {
				q.Push(t.Context(), []int{n})
				n++
			}
		}
		for range 60 {
			push(100)
			time.Sleep(time.Second)
			if st := q.Stats(); st.Depth.Records > 100 || st.Spooled.Records+st.Depth.Records != int64(n) {
				t.Fatalf("%+v", st)
			}
		}
		if st := q.Stats(); st.Depth.Records != 0 || len(segments(t, dir)) == 0 {
			t.Errorf("after an outage of a minute: %+v", st)
		}
		up.Store(true)
		for range 20 {
			push(100)
			time.Sleep(time.Second)
		}
		if st := q.Stats(); st.Written.Records != int64(n) || st.Spool.Bytes != 0 || st.Spool.Segments != 0 {
			t.Errorf("%+v", st)
		}
		if all := segments(t, dir); len(all) != 0 {
			t.Errorf("left behind: %v", all)
		}
		push(100)
		closeQueue(t, q)
		inOrder(t, s.got, n)
	})
}

// While a sink works, nothing touches the disk, and while nothing comes, no timer
// runs.
func TestSpoolUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func([]int) error { return nil }}
		dir := t.TempDir()
		q := openInts(t, s, spoolConfig(dir))
		for n := range 10_000 {
			q.Push(t.Context(), []int{n})
			time.Sleep(time.Millisecond)
		}
		if all := segments(t, dir); len(all) != 0 {
			t.Errorf("written: %v", all)
		}
		closeQueue(t, q)
		inOrder(t, s.got, 10_000)
	})
}

func TestSpoolRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	c := spoolConfig(dir)
	c.Retry.Min, c.Retry.Max = time.Millisecond, time.Millisecond
	s := &script{answer: func([]int) error { return errDown }}
	q := openInts(t, s, c)
	q.Push(t.Context(), numbers(1000))
	if _, err := sink.OpenQueue[int](s, c, ten, intCodec{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("two queues share a spool: %v", err)
	}
	if st := closeQueue(t, q); st.Spooled.Records != 1000 || st.Lost().Records != 0 {
		t.Errorf("%+v", st)
	}
	for name, want := range map[string]fs.FileMode{dir: 0o700, segments(t, dir)[0]: 0o600, filepath.Join(dir, "position"): 0o600, filepath.Join(dir, "lock"): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	// Some are delivered, and no more.
	c.Records = 10
	left := 30
	s = &script{answer: func([]int) error {
		if left--; left < 0 {
			return errDown
		}
		return nil
	}}
	q = openInts(t, s, c)
	for q.Stats().Retries == 0 {
		time.Sleep(time.Millisecond)
	}
	q.Push(t.Context(), []int{1000, 1001})
	if st := closeQueue(t, q); st.Recovered.Records != 1000 || st.Written.Records != 300 || st.Spooled.Records != 702 {
		t.Errorf("%+v", st)
	}
	inOrder(t, s.got, 300)
	// The rest is.
	first := s.got
	s = &script{answer: func([]int) error { return nil }}
	q = openInts(t, s, c)
	q.Push(t.Context(), []int{1002})
	if st := closeQueue(t, q); st.Recovered.Records != 702 || st.Written.Records != 703 {
		t.Errorf("%+v", st)
	}
	inOrder(t, append(first, s.got...), 1003)
	if all := segments(t, dir); len(all) != 0 {
		t.Errorf("left behind: %v", all)
	}
	if err := os.WriteFile(filepath.Join(dir, "00000000000000ff.segment"), []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.OpenQueue[int](s, c, ten, intCodec{}); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("takes what is none: %v", err)
	}
}

// A spool that is full drops its oldest segment; what is delivered later is what
// was not dropped.
func TestSpoolFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		s := &script{answer: func([]int) error {
			if up.Load() {
				return nil
			}
			return errDown
		}}
		dir := t.TempDir()
		c := spoolConfig(dir)
		c.Spool.Bytes, c.Spool.Segment = 64<<10, 8<<10
		q := openInts(t, s, c)
		for n := range 2000 {
			q.Push(t.Context(), []int{n})
			time.Sleep(10 * time.Millisecond)
			if st := q.Stats(); st.Spool.Bytes > c.Spool.Bytes {
				t.Fatalf("the spool has %d bytes", st.Spool.Bytes)
			}
		}
		var onDisk int64
		for _, name := range segments(t, dir) {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			onDisk += info.Size()
		}
		if st := q.Stats(); onDisk != st.Spool.Bytes || st.Dropped[sink.SpoolFull].Records == 0 || onDisk < 48<<10 {
			t.Errorf("%d bytes on the disk, %+v", onDisk, st)
		}
		up.Store(true)
		time.Sleep(time.Minute)
		st := closeQueue(t, q)
		if st.Spooled.Records != 0 || st.Written.Records+st.Dropped[sink.SpoolFull].Records != 2000 {
			t.Errorf("%+v", st)
		}
		// The first batch was the sink's all the time, and is delivered.
		last := -1
		for _, v := range s.got {
			if v <= last {
				t.Fatalf("%d after %d", v, last)
			}
			last = v
		}
		if last != 1999 {
			t.Errorf("the last is %d", last)
		}
	})
}

// With the policy Wait nothing is dropped: who pushes waits.
func TestSpoolFullWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := &script{answer: func([]int) error {
			if time.Since(began) < time.Minute {
				return errDown
			}
			return nil
		}}
		c := spoolConfig(t.TempDir())
		c.Spool.Bytes, c.Spool.Segment, c.Policy, c.Bytes = 64<<10, 8<<10, sink.Wait, 5000
		q := openInts(t, s, c)
		for n := range 3000 {
			q.Push(t.Context(), []int{n})
		}
		if time.Since(began) < time.Minute {
			t.Error("nobody waited")
		}
		closeQueue(t, q)
		inOrder(t, s.got, 3000)
	})
}

// A sink that is stuck in the operating system keeps nothing from the disk.
func TestSpoolStuck(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		p := &place{hold: make(chan struct{}), stuck: stuck}
		c := spoolConfig(t.TempDir())
		c.Spool.Sync = 10 * time.Millisecond
		q := openInts(t, p, c)
		q.Push(t.Context(), numbers(500))
		for q.Stats().Spooled.Records < 500 { // also what the sink has
			time.Sleep(time.Millisecond)
		}
		q.Push(t.Context(), []int{500, 501})
		ctx, cancel := context.WithCancel(t.Context())
		closed := make(chan error)
		go func() { closed <- q.Close(ctx) }()
		for q.Stats().Spooled.Records < 502 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		adds(t, q.Stats())
		close(p.hold)
		<-time.After(10 * time.Millisecond)
		adds(t, q.Stats())
		s := &script{answer: func([]int) error { return nil }}
		closeQueue(t, openInts(t, s, c))
		inOrder(t, s.got, 502)
	}
}

// A sink that is broken for good is no reason to lose what the next run may
// deliver.
func TestSpoolBroken(t *testing.T) {
	c := spoolConfig(t.TempDir())
	c.Spool.Sync = 10 * time.Millisecond
	q := openInts(t, &script{answer: func([]int) error { return sink.Broken(errDown) }}, c)
	q.Push(t.Context(), numbers(100))
	<-q.Failed()
	q.Push(t.Context(), []int{100})
	if err := q.Close(t.Context()); !errors.Is(err, errDown) {
		t.Error(err)
	}
	adds(t, q.Stats())
	s := &script{answer: func([]int) error { return nil }}
	closeQueue(t, openInts(t, s, c))
	inOrder(t, s.got, 101)
}

// Whatever a sink does and whenever the queue is closed and opened again: each
// record is delivered once and in order, or dropped and counted.
func TestSpoolModel(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	for seed := range rounds {
		synctest.Test(t, func(t *testing.T) { spoolModel(t, rand.New(rand.NewPCG(uint64(seed), 1)), seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func spoolModel(t *testing.T, r *rand.Rand, seed int) {
	c := spoolConfig(quickDir(t))
	c.Bytes = int64(200 + r.IntN(20_000))
	c.Batch = int64(10 + r.IntN(500))
	c.Records = 1 + r.IntN(50)
	c.Retry.Min, c.Retry.Max = time.Duration(1+r.IntN(300))*time.Millisecond, time.Second
	c.Retry.Probe = 1 + r.IntN(3)
	c.Spool.Bytes, c.Spool.Segment = 64<<10, 4<<10
	c.Spool.Sync = time.Duration(5+r.IntN(300)) * time.Millisecond
	if r.IntN(2) == 0 {
		c.Policy = sink.Wait
	}
	if r.IntN(4) == 0 {
		c.Retry.Attempts = 1 + r.IntN(4)
	}
	trouble := r.IntN(100)
	own := rand.New(rand.NewPCG(uint64(seed), 2)) // the sink's
	answer := func(batch []int) error {
		if own.IntN(3) == 0 {
			time.Sleep(time.Duration(own.IntN(150)) * time.Millisecond)
		}
		if own.IntN(100) >= trouble {
			return nil
		}
		switch k := own.IntN(len(batch) + 1); own.IntN(8) {
		case 0:
			return sink.Partial(k, errDown)
		case 1:
			return sink.Partial(k, sink.Permanent(errDown))
		case 2:
			return sink.Permanent(errDown)
		}
		return errDown
	}
	var got []int
	var in, out int64
	n := 0
	for range 1 + r.IntN(4) {
		s := &script{answer: answer}
		q := openInts(t, s, c)
		for range r.IntN(300) {
			batch := make([]int, r.IntN(20))
			for i := range batch {
				batch[i] = n
				n++
			}
			q.Push(t.Context(), batch)
			if r.IntN(3) == 0 {
				time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
			}
			adds(t, q.Stats())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(2000))*time.Millisecond)
		err := q.Close(ctx)
		cancel()
		st := q.Stats()
		adds(t, st)
		if st.Depth.Records != 0 || err != nil && st.Dropped[sink.Undelivered].Records == 0 {
			t.Fatalf("%v, %+v", err, st)
		}
		if st.Recovered.Records != in-out {
			t.Fatalf("found %d in the spool, left were %d", st.Recovered.Records, in-out)
		}
		lost := st.Lost()
		in, out = in+st.Pushed.Records, out+st.Written.Records+lost.Records
		got = append(got, s.got...)
	}
	s := &script{answer: func([]int) error { return nil }}
	st := closeQueue(t, openInts(t, s, c))
	got = append(got, s.got...)
	lost := st.Lost()
	out += st.Written.Records + lost.Records
	if in != out || st.Spooled.Records != 0 {
		t.Fatalf("%d went in, %d came out: %+v", in, out, st)
	}
	last := -1
	for i, v := range got {
		if v <= last {
			t.Fatalf("%d after %d, place %d of %d", v, last, i, len(got))
		}
		last = v
	}
}

// A record's age goes on while the program is not running.
func TestSpoolAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := spoolConfig(t.TempDir())
		c.Retry.Age = time.Hour
		q := openInts(t, &script{answer: func([]int) error { return errDown }}, c)
		q.Push(t.Context(), numbers(10))
		time.Sleep(30 * time.Minute)
		q.Push(t.Context(), []int{10, 11})
		closeQueue(t, q)
		time.Sleep(45 * time.Minute)
		s := &script{answer: func([]int) error { return nil }}
		st := closeQueue(t, openInts(t, s, c))
		if st.Dropped[sink.Expired].Records != 10 || len(s.got) != 2 || s.got[0] != 10 {
			t.Errorf("got %v, %+v", s.got, st)
		}
	})
}

// What goes to the disk costs no allocation for each record either.
func TestSpoolAllocatesNothing(t *testing.T) {
	c := spoolConfig(quickDir(t))
	c.Bytes, c.Spool.Bytes, c.Policy = 1<<20, 1<<30, sink.Wait
	q := openInts(t, &script{answer: func([]int) error { return errDown }}, c)
	batch := numbers(64)
	for range 1000 {
		q.Push(t.Context(), batch)
	}
	n := testing.AllocsPerRun(2000, func() { q.Push(t.Context(), batch) })
	closeQueue(t, q)
	if n > 2 { // for 64 records: the lists grow again after each flush
		t.Errorf("%v allocations a batch of 64", n)
	}
}

package sink_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// place is a sink for numbers that a test can hold up and make fail.
type place struct {
	mu      sync.Mutex
	got     []int
	batches []int
	hold    chan struct{} // Write receives from it before it returns, if not nil
	fail    error
	stuck   bool // hold ignores the context
	closed  bool
}

func (p *place) Write(ctx context.Context, batch []int) error {
	if p.hold != nil {
		if p.stuck {
			<-p.hold
		} else {
			select {
			case <-p.hold:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	p.got = append(p.got, batch...)
	p.batches = append(p.batches, len(batch))
	return nil
}

func (p *place) Close(context.Context) error { p.closed = true; return nil }

func ten(int) (int64, int64) { return 1, 10 }

func adds(t testing.TB, s sink.Stats) {
	t.Helper()
	lost := s.Lost()
	in, out := s.Pushed.Records+s.Recovered.Records, s.Written.Records+lost.Records+s.Spooled.Records+s.Depth.Records
	inBytes, outBytes := s.Pushed.Bytes+s.Recovered.Bytes, s.Written.Bytes+lost.Bytes+s.Spooled.Bytes+s.Depth.Bytes
	if in != out || inBytes != outBytes {
		t.Errorf("the counts do not add up: %+v", s)
	}
}

func inOrder(t *testing.T, got []int, n int) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("got %d of %d", len(got), n)
	}
	for i, v := range got {
		if v != i {
			t.Fatalf("place %d holds %d", i, v)
		}
	}
}

func TestQueueDeliversInOrder(t *testing.T) {
	for _, policy := range []sink.Policy{sink.Drop, sink.Wait} {
		p := &place{}
		c := sink.DefaultQueueConfig()
		c.Policy, c.Batch = policy, 1000
		if policy == sink.Wait {
			c.Bytes = 500
		}
		q := sink.NewQueue[int](p, c, ten, nil)
		n := 0
		batch := make([]int, 0, 64)
		for n < 5000 {
			batch = batch[:0]
			for range 1 + n%63 {
				batch = append(batch, n)
				n++
			}
			q.Push(t.Context(), batch)
			clear(batch)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		inOrder(t, p.got, n)
		s := q.Stats()
		adds(t, s)
		if !p.closed || s.Depth != (sink.Count{}) || s.Written.Records != int64(n) {
			t.Errorf("closed %v, %+v", p.closed, s)
		}
		if policy == sink.Wait && s.Peak > c.Bytes {
			t.Errorf("held %d bytes, at most %d", s.Peak, c.Bytes)
		}
	}
}

func TestQueueManyProducers(t *testing.T) {
	for _, policy := range []sink.Policy{sink.Drop, sink.Wait} {
		p := &place{}
		q := sink.NewQueue[int](p, sink.QueueConfig{Bytes: 300, Policy: policy, Linger: time.Millisecond, Batch: 100}, ten, nil)
		var all sync.WaitGroup
		for w := range 8 {
			all.Go(func() {
				for i := range 500 {
					q.Push(t.Context(), []int{w*1000 + i})
				}
			})
		}
		all.Wait()
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := q.Stats()
		adds(t, s)
		if s.Pushed.Records != 4000 || policy == sink.Wait && len(p.got) != 4000 {
			t.Errorf("got %d, %+v", len(p.got), s)
		}
		var last [8]int
		for _, v := range p.got {
			if v%1000 < last[v/1000] {
				t.Fatal("one producer's order is broken")
			}
			last[v/1000] = v % 1000
		}
	}
}

func TestQueueDropsAndCounts(t *testing.T) {
	p := &place{hold: make(chan struct{})}
	var released atomic.Int64
	q := sink.NewQueue[int](p, sink.QueueConfig{Bytes: 100, Batch: 10}, ten, func(int) { released.Add(1) })
	for i := range 25 {
		q.Push(t.Context(), []int{i})
	}
	if s := q.Stats(); s.Dropped[sink.Full] != (sink.Count{Records: 15, Bytes: 150}) || s.Depth.Records != 10 || s.Peak != 100 {
		t.Errorf("%+v", s)
	}
	close(p.hold)
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, p.got, 10)
	adds(t, q.Stats())
	if released.Load() != 25 {
		t.Errorf("released %d", released.Load())
	}
	q.Push(t.Context(), []int{1})
	if s := q.Stats(); s.Dropped[sink.Undelivered].Records != 1 {
		t.Errorf("pushed after the end: %+v", s)
	}
}

func TestQueueTakesOneThatIsLargerThanItself(t *testing.T) {
	p := &place{}
	q := sink.NewQueue[int](p, sink.QueueConfig{Bytes: 5, Batch: 1, Policy: sink.Wait}, ten, nil)
	q.Push(t.Context(), []int{0, 1, 2})
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, p.got, 3)
}

func TestQueueFails(t *testing.T) {
	boom := sink.Broken(errors.New("boom"))
	p := &place{fail: boom}
	q := sink.NewQueue[int](p, sink.QueueConfig{Bytes: 20, Batch: 10, Policy: sink.Wait}, ten, nil)
	for i := range 100 {
		q.Push(t.Context(), []int{i}) // must not wait for room for ever
	}
	<-q.Failed()
	if err := q.Close(t.Context()); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	s := q.Stats()
	adds(t, s)
	if s.Dropped[sink.Failed].Records != 100 || !p.closed {
		t.Errorf("%+v", s)
	}
}

func TestQueueWaitEndsWithContext(t *testing.T) {
	p := &place{hold: make(chan struct{})}
	q := sink.NewQueue[int](p, sink.QueueConfig{Bytes: 20, Batch: 10, Policy: sink.Wait}, ten, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	q.Push(ctx, []int{0, 1, 2, 3})
	if s := q.Stats(); s.Dropped[sink.Undelivered].Records != 2 {
		t.Errorf("%+v", s)
	}
	close(p.hold)
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, p.got, 2)
}

// The counts add up at any moment, also while somebody waits to push.
func TestQueueAddsUpWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{hold: make(chan struct{})}
		q := sink.NewQueue[int](p, sink.QueueConfig{Bytes: 20, Batch: 10, Policy: sink.Wait}, ten, nil)
		go q.Push(t.Context(), []int{0, 1, 2, 3})
		synctest.Wait()
		adds(t, q.Stats())
		if s := q.Stats(); s.Depth.Records != 2 {
			t.Errorf("nobody waits: %+v", s)
		}
		close(p.hold)
		synctest.Wait()
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		adds(t, q.Stats())
		inOrder(t, p.got, 4)

		hold := make(chan struct{})
		to := newStreams(2)
		to.before = func(*message.Chunk) error { <-hold; return nil }
		c := config(5_000)
		c.Policy = sink.Wait
		chunks := sink.NewChunks(to.sink(), c)
		b := &pusher{flow: &flow.Flow{ID: 1}}
		go chunks.Push(t.Context(), []*message.Chunk{b.chunk(4000, false), b.chunk(4000, true)})
		synctest.Wait()
		sum(t, chunks)
		if s := chunks.Stats(); s.Depth.Records != 1 {
			t.Errorf("nobody waits: %+v", s)
		}
		close(hold)
		synctest.Wait()
		if err := chunks.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		sum(t, chunks)
	})
}

func TestQueueCloseEndsWithContext(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		p := &place{hold: make(chan struct{}), stuck: stuck}
		q := sink.NewQueue[int](p, sink.QueueConfig{Bytes: 1000, Batch: 10}, ten, nil)
		q.Push(t.Context(), []int{0, 1, 2, 3})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		err := q.Close(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stuck %v: %v", stuck, err)
		}
		if want := "close: 4 records not delivered in time: context deadline exceeded"; err.Error() != want {
			t.Errorf("got %q", err)
		}
		adds(t, q.Stats())
		close(p.hold)
		if stuck {
			_ = q.Close(t.Context())
			adds(t, q.Stats())
		}
		if q.Stats().Depth.Records != 0 {
			t.Errorf("%+v", q.Stats())
		}
	}
}

// A busy producer wakes the sink once per Linger, an idle one at once.
func TestQueueLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		q := sink.NewQueue[int](p, sink.QueueConfig{Bytes: 1 << 20, Batch: 1000, Linger: 2 * time.Millisecond}, ten, nil)
		synctest.Wait()
		n := 0
		push := func() { q.Push(t.Context(), []int{n}); n++; synctest.Wait() }
		for range 200 { // 20 ms
			push()
			time.Sleep(100 * time.Microsecond)
		}
		if w := q.Stats().Writes; w < 10 || w > 12 {
			t.Errorf("%d deliveries in 20 ms", w)
		}
		time.Sleep(time.Second)
		before := q.Stats().Writes
		push()
		if s := q.Stats(); s.Writes != before+1 || s.Depth.Records != 0 {
			t.Errorf("a lone record waits: %+v", s)
		}
		for range 100 { // a full batch ends the collecting
			push()
		}
		if s := q.Stats(); s.Writes != before+2 || s.Depth.Records != 0 {
			t.Errorf("a full batch waits: %+v", s)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		inOrder(t, p.got, n)
	})
}

func TestQueueConfig(t *testing.T) {
	if err := sink.DefaultQueueConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := (sink.QueueConfig{Linger: -1}).Validate(); err == nil {
		t.Error("no error")
	}
}

func TestPermanent(t *testing.T) {
	inner := errors.New("x")
	if sink.IsPermanent(inner) || sink.Permanent(nil) != nil {
		t.Error("not marked")
	}
	if err := fmt.Errorf("write: %w", sink.Permanent(inner)); !sink.IsPermanent(err) || !errors.Is(err, inner) || err.Error() != "write: x" {
		t.Error(err)
	}
}

func TestPushAllocatesNothing(t *testing.T) {
	p := &silent{}
	q := sink.NewQueue[int](p, sink.DefaultQueueConfig(), ten, nil)
	batch := make([]int, 64)
	for range 1000 {
		q.Push(t.Context(), batch)
	}
	if n := testing.AllocsPerRun(1000, func() { q.Push(t.Context(), batch) }); n > 0.1 {
		t.Errorf("%v allocations a batch", n)
	}
	_ = q.Close(t.Context())
}

type silent struct{}

func (silent) Write(context.Context, []int) error { return nil }
func (silent) Close(context.Context) error        { return nil }

// What a record costs from Push to a sink that does nothing: without a spool,
// with one that is not needed, and while everything goes through it.
func BenchmarkPushPerRecord(b *testing.B) {
	c := sink.DefaultQueueConfig()
	c.Policy = sink.Wait
	weigh := func(int) (int64, int64) { return 1, 4000 }
	run := func(b *testing.B, q *sink.Queue[int]) {
		batch := make([]int, 16)
		b.ReportAllocs()
		for i := 0; i < b.N; i += len(batch) {
			q.Push(b.Context(), batch)
		}
		if err := q.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("memory", func(b *testing.B) { run(b, sink.NewQueue[int](silent{}, c, weigh, nil)) })
	b.Run("spool unused", func(b *testing.B) {
		c := c
		c.Spool.Directory = b.TempDir()
		q, err := sink.OpenQueue[int](silent{}, c, weigh, intCodec{})
		if err != nil {
			b.Fatal(err)
		}
		run(b, q)
	})
}

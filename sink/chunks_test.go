package sink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// streams is a sink that keeps what comes, by stream.
type streams struct {
	width  int // 0: not parallel
	before func(c *message.Chunk) error
	mu     sync.Mutex
	got    map[uint64]*arrived
	order  []uint64
	now    map[uint64]bool
	faults []string
	closed int
}

type arrived struct {
	data       []byte
	ends, shed int
}

func newStreams(width int) *streams {
	return &streams{width: width, got: map[uint64]*arrived{}, now: map[uint64]bool{}}
}

func (s *streams) Write(ctx context.Context, batch []*message.Chunk) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.width > 0 {
		id := batch[0].Flow.ID
		s.mu.Lock()
		if s.now[id] {
			s.faults = append(s.faults, fmt.Sprintf("stream %d is written twice at a time", id))
		}
		s.now[id] = true
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			delete(s.now, id)
			s.mu.Unlock()
		}()
	}
	for i, c := range batch {
		if s.before != nil {
			if err := s.before(c); err != nil {
				return sink.Partial(i, err)
			}
		}
		s.mu.Lock()
		a := s.got[c.Flow.ID]
		if a == nil {
			if a = (&arrived{}); !c.First {
				s.faults = append(s.faults, fmt.Sprintf("stream %d begins in its middle", c.Flow.ID))
			}
			s.got[c.Flow.ID] = a
		}
		if a.ends > 0 || c.Offset != uint64(len(a.data)) || s.width > 0 && c.Flow.ID != batch[0].Flow.ID {
			s.faults = append(s.faults, fmt.Sprintf("stream %d, offset %d behind %d bytes and %d ends", c.Flow.ID, c.Offset, len(a.data), a.ends))
		}
		a.data = append(a.data, c.Data...)
		if c.End {
			a.ends++
		}
		if c.Shed {
			a.shed++
		}
		s.order = append(s.order, c.Flow.ID)
		s.mu.Unlock()
	}
	return nil
}

func (s *streams) Close(context.Context) error { s.closed++; return nil }

// parallel makes a Parallel of streams.
type parallel struct{ *streams }

func (p parallel) Parallel() int { return p.width }

func (s *streams) sink() sink.ChunkSink {
	if s.width > 0 {
		return parallel{s}
	}
	return s
}

// pusher makes the chunks of streams, each of bytes that tell its place.
type pusher struct {
	flow *flow.Flow
	at   uint64
}

func (p *pusher) chunk(n int, end bool) *message.Chunk {
	b := make([]byte, n)
	for i := range b {
		b[i] = content(p.flow.ID, p.at+uint64(i))
	}
	c := &message.Chunk{Flow: p.flow, Offset: p.at, Data: b, First: p.at == 0, End: end}
	p.at += uint64(n)
	return c
}

func content(id, at uint64) byte { return byte((at*0x9e3779b97f4a7c15 + id*0xff51afd7ed558ccd) >> 56) }

func sum(t *testing.T, q *sink.Chunks) {
	t.Helper()
	s, f := q.Stats(), q.Streams()
	lost := s.Lost()
	if s.Pushed.Records != s.Written.Records+lost.Records+s.Depth.Records || s.Pushed.Bytes != s.Written.Bytes+lost.Bytes+s.Depth.Bytes {
		t.Errorf("it does not add up: %+v", s)
	}
	if f.Opened != f.Whole+f.Shed+f.Cut+f.Open {
		t.Errorf("streams do not add up: %+v", f)
	}
}

func config(bytes int64) sink.QueueConfig {
	c := sink.DefaultQueueConfig()
	c.Bytes = bytes
	c.Retry.Min, c.Retry.Max = time.Millisecond, 4*time.Millisecond
	return c
}

func TestChunksInOrder(t *testing.T) {
	for _, width := range []int{0, 1, 8} {
		for _, policy := range []sink.Policy{sink.Drop, sink.Wait} {
			to := newStreams(width)
			c := config(64 << 10)
			c.Policy, c.Batch = policy, 4096
			if policy == sink.Drop {
				c.Bytes = 64 << 20
			}
			q := sink.NewChunks(to.sink(), c)
			var all sync.WaitGroup
			for w := range 4 {
				all.Go(func() {
					rnd := rand.New(rand.NewPCG(1, uint64(w)))
					open := make([]*pusher, 20)
					for i := range open {
						open[i] = &pusher{flow: &flow.Flow{ID: uint64(w*100 + i)}}
					}
					for range 100 {
						var batch []*message.Chunk
						for range rnd.IntN(30) {
							batch = append(batch, open[rnd.IntN(len(open))].chunk(1+rnd.IntN(2000), false))
						}
						q.Push(t.Context(), batch)
					}
					for _, p := range open {
						q.Push(t.Context(), []*message.Chunk{p.chunk(0, true)})
					}
				})
			}
			all.Wait()
			if err := q.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			sum(t, q)
			if s, f := q.Stats(), q.Streams(); s.Lost().Records != 0 || f.Whole != 80 || f.Peak > c.Bytes && policy == sink.Drop || to.closed != 1 {
				t.Errorf("width %d: %+v %+v", width, s, f)
			}
			to.check(t)
		}
	}
}

func (s *streams) check(t *testing.T) {
	t.Helper()
	for _, f := range s.faults {
		t.Error(f)
	}
	for id, a := range s.got {
		for i, b := range a.data {
			if b != content(id, uint64(i)) {
				t.Errorf("stream %d: byte %d is another", id, i)
				break
			}
		}
	}
}

// A stream that cannot go on holds up no other where the sink is parallel; it is
// shed when the room is used up, and goes on only to its end.
func TestChunksShedWholeStreams(t *testing.T) {
	to := newStreams(10)
	hold := make(chan struct{})
	to.before = func(c *message.Chunk) error {
		if c.Flow.ID == 1 {
			<-hold
		}
		return nil
	}
	q := sink.NewChunks(to.sink(), config(100_000))
	stuck, fine := &pusher{flow: &flow.Flow{ID: 1}}, &pusher{flow: &flow.Flow{ID: 2}}
	for range 300 {
		q.Push(t.Context(), []*message.Chunk{stuck.chunk(1000, false), fine.chunk(100, false)})
		for q.Streams().Shed == 0 && q.Stats().Depth.Bytes > 95_000 && q.Stats().Dropped[sink.Full].Records == 0 {
			time.Sleep(time.Millisecond) // room for the other
			break
		}
		time.Sleep(50 * time.Microsecond)
	}
	if s := q.Stats(); s.Dropped[sink.Full].Records == 0 || s.Dropped[sink.Shed].Records < 100 {
		t.Errorf("%+v", s)
	}
	close(hold)
	q.Push(t.Context(), []*message.Chunk{stuck.chunk(1, true), fine.chunk(0, true)})
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	sum(t, q)
	to.check(t)
	f := q.Streams()
	if f.Shed < 1 || f.Peak > 100_000 || f.Opened != 2 {
		t.Errorf("%+v", f)
	}
	if a := to.got[1]; a.shed != 1 || a.ends != 1 || len(a.data) == 0 || len(a.data) >= 300_000 {
		t.Errorf("%d bytes, %d ends, %d shed", len(a.data), a.ends, a.shed)
	}
}

// A stream for whose beginning there is no room never begins.
func TestChunksRefuseEntry(t *testing.T) {
	to := newStreams(1)
	hold := make(chan struct{})
	to.before = func(*message.Chunk) error { <-hold; return nil }
	q := sink.NewChunks(to.sink(), config(10_000))
	a, b := &pusher{flow: &flow.Flow{ID: 1}}, &pusher{flow: &flow.Flow{ID: 2}}
	q.Push(t.Context(), []*message.Chunk{a.chunk(9000, false), b.chunk(1000, false)})
	close(hold)
	for q.Stats().Depth.Bytes > 0 {
		time.Sleep(time.Millisecond)
	}
	q.Push(t.Context(), []*message.Chunk{a.chunk(10, true), b.chunk(1000, false), b.chunk(0, true)})
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	sum(t, q)
	to.check(t)
	if f := q.Streams(); f.Refused != 1 || f.Opened != 1 || f.Whole != 1 || len(to.got) != 1 {
		t.Errorf("%+v", f)
	}
}

func TestChunksErrors(t *testing.T) {
	boom := errors.New("boom")
	for _, width := range []int{0, 4} {
		// What may pass is tried again, from where it stopped.
		to := newStreams(width)
		tries := 0
		to.before = func(c *message.Chunk) error {
			if c.Flow.ID == 1 && c.Offset == 20 {
				if tries++; tries < 4 {
					return boom
				}
			}
			return nil
		}
		q := sink.NewChunks(to.sink(), config(1<<20))
		a, b := &pusher{flow: &flow.Flow{ID: 1}}, &pusher{flow: &flow.Flow{ID: 2}}
		q.Push(t.Context(), []*message.Chunk{a.chunk(10, false), b.chunk(5, false), a.chunk(10, false), a.chunk(10, false), b.chunk(5, true), a.chunk(1, true)})
		for q.Stats().Retries < 3 {
			time.Sleep(time.Millisecond)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		sum(t, q)
		to.check(t)
		if f := q.Streams(); f.Whole != 2 || q.Stats().Retries != 3 {
			t.Errorf("width %d: %+v", width, f)
		}

		// What will not ends its stream alone.
		to = newStreams(width)
		to.before = func(c *message.Chunk) error {
			if c.Flow.ID == 1 && c.Offset == 10 {
				return sink.Permanent(boom)
			}
			return nil
		}
		q = sink.NewChunks(to.sink(), config(1<<20))
		a, b = &pusher{flow: &flow.Flow{ID: 1}}, &pusher{flow: &flow.Flow{ID: 2}}
		q.Push(t.Context(), []*message.Chunk{a.chunk(10, false), b.chunk(5, false), a.chunk(10, false)})
		for q.Stats().Depth.Records > 0 {
			time.Sleep(time.Millisecond)
		}
		q.Push(t.Context(), []*message.Chunk{a.chunk(10, false), b.chunk(5, true), a.chunk(1, true)})
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		sum(t, q)
		to.check(t)
		s := q.Stats()
		if f := q.Streams(); f.Whole != 1 || f.Cut != 1 || s.Dropped[sink.Refused].Records != 1 || s.Dropped[sink.Shed].Records != 2 || to.got[1].ends != 0 {
			t.Errorf("width %d: %+v %+v", width, f, s)
		}

		// A sink that is broken ends everything.
		to = newStreams(width)
		to.before = func(*message.Chunk) error { return sink.Broken(io.ErrClosedPipe) }
		q = sink.NewChunks(to.sink(), config(1<<20))
		a, b = &pusher{flow: &flow.Flow{ID: 1}}, &pusher{flow: &flow.Flow{ID: 2}}
		q.Push(t.Context(), []*message.Chunk{a.chunk(10, false), b.chunk(5, false), a.chunk(10, true)})
		<-q.Failed()
		q.Push(t.Context(), []*message.Chunk{b.chunk(5, true), (&pusher{flow: &flow.Flow{ID: 3}}).chunk(1, true)})
		if err := q.Close(t.Context()); !errors.Is(err, io.ErrClosedPipe) || to.closed != 1 {
			t.Errorf("%v, closed %d times", err, to.closed)
		}
		sum(t, q)
		if f := q.Streams(); f.Cut != 2 || f.Open != 0 {
			t.Errorf("width %d: %+v", width, f)
		}

		// Attempts have a bound if that is asked for.
		to = newStreams(width)
		to.before = func(c *message.Chunk) error {
			if c.Flow.ID == 1 {
				return boom
			}
			return nil
		}
		c := config(1 << 20)
		c.Retry.Attempts = 3
		q = sink.NewChunks(to.sink(), c)
		a, b = &pusher{flow: &flow.Flow{ID: 1}}, &pusher{flow: &flow.Flow{ID: 2}}
		q.Push(t.Context(), []*message.Chunk{a.chunk(10, false), b.chunk(5, false), a.chunk(10, true), b.chunk(5, true)})
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		sum(t, q)
		if s := q.Stats(); s.Dropped[sink.GaveUp].Records != 2 || s.Retries != 2 || len(to.got[2].data) != 10 {
			t.Errorf("width %d: %+v", width, s)
		}
	}
}

// A stream that has been waiting for too long is given up; later ones are not.
func TestChunksAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := newStreams(4)
		to.before = func(c *message.Chunk) error {
			if c.Flow.ID == 1 {
				return errors.New("boom")
			}
			return nil
		}
		c := config(1 << 20)
		c.Retry.Age = 30 * time.Millisecond
		q := sink.NewChunks(to.sink(), c)
		a, b := &pusher{flow: &flow.Flow{ID: 1}}, &pusher{flow: &flow.Flow{ID: 2}}
		q.Push(t.Context(), []*message.Chunk{a.chunk(10, false)})
		for q.Stats().Dropped[sink.Expired].Records == 0 {
			time.Sleep(time.Millisecond)
		}
		q.Push(t.Context(), []*message.Chunk{a.chunk(10, true), b.chunk(10, true)})
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		sum(t, q)
		if f, s := q.Streams(), q.Stats(); f.Cut != 1 || f.Whole != 1 || s.Dropped[sink.Shed].Records != 1 {
			t.Errorf("%+v %+v", f, s)
		}
	})
}

func TestChunksCloseInTime(t *testing.T) {
	for name, before := range map[string]func(*message.Chunk) error{
		"fails": func(*message.Chunk) error { return errors.New("boom") },
	} {
		for _, width := range []int{0, 4} {
			to := newStreams(width)
			to.before = before
			q := sink.NewChunks(to.sink(), config(1<<20))
			for i := range 10 {
				q.Push(t.Context(), []*message.Chunk{(&pusher{flow: &flow.Flow{ID: uint64(i)}}).chunk(10, i%2 == 0)})
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			err := q.Close(ctx)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "close: 10 pieces of conversations not delivered in time: context deadline exceeded" {
				t.Errorf("%s, width %d: %v", name, width, err)
			}
			if s, f := q.Stats(), q.Streams(); s.Dropped[sink.Undelivered].Records != 10 || f.Cut+f.Shed != 10 || to.closed != 1 {
				t.Errorf("%s, width %d: %+v %+v, closed %d", name, width, s, f, to.closed)
			}
			sum(t, q)
		}
	}
}

// A sink that takes nothing at the end is not tried for ever; one that takes a
// little now and then is.
func TestChunksClosing(t *testing.T) {
	for _, width := range []int{0, 4} {
		synctest.Test(t, func(t *testing.T) {
			to := newStreams(width)
			began := time.Now()
			to.before = func(c *message.Chunk) error {
				if c.Flow.ID == 1 || time.Since(began) < time.Duration(c.Offset)*2*time.Second {
					return errors.New("boom")
				}
				return nil
			}
			c := config(1 << 20)
			c.Retry.Closing = 3 * time.Second
			q := sink.NewChunks(to.sink(), c)
			b := &pusher{flow: &flow.Flow{ID: 2}}
			for i := range 5 {
				q.Push(t.Context(), []*message.Chunk{b.chunk(1, i == 4)})
			}
			q.Push(t.Context(), []*message.Chunk{(&pusher{flow: &flow.Flow{ID: 1}}).chunk(10, true)})
			err := q.Close(t.Context())
			if err == nil || err.Error() != "close: 1 pieces of conversations not delivered in time: the sink took nothing for 3s: boom" {
				t.Errorf("width %d: %v", width, err)
			}
			if took := time.Since(began); took < 11*time.Second || took > 12*time.Second {
				t.Errorf("width %d: ended after %v", width, took)
			}
			if s, f := q.Stats(), q.Streams(); s.Dropped[sink.Undelivered].Records != 1 || f.Whole != 1 || f.Cut != 1 || to.closed != 1 {
				t.Errorf("width %d: %+v %+v, closed %d", width, s, f, to.closed)
			}
			sum(t, q)
			to.check(t)
		})
	}
}

// Attempts count from where the stream stands: one of which something was taken
// has them all again.
func TestChunksAttemptsBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := newStreams(4)
		tries := map[uint64]int{}
		to.before = func(c *message.Chunk) error {
			if tries[c.Offset]++; tries[c.Offset] < 3 {
				return errors.New("boom")
			}
			return nil
		}
		c := config(1 << 20)
		c.Retry.Attempts = 3
		q := sink.NewChunks(to.sink(), c)
		b := &pusher{flow: &flow.Flow{ID: 2}}
		q.Push(t.Context(), []*message.Chunk{b.chunk(1, false), b.chunk(1, false), b.chunk(1, true)})
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := q.Stats(); s.Written.Records != 3 || s.Retries != 6 {
			t.Errorf("%+v", s)
		}
		sum(t, q)
	})
}

// A file is read no faster than its sink takes it.
func TestChunksWait(t *testing.T) {
	to := newStreams(2)
	q := sink.NewChunks(to.sink(), func() sink.QueueConfig { c := config(20_000); c.Policy = sink.Wait; return c }())
	var want bytes.Buffer
	p := &pusher{flow: &flow.Flow{ID: 1}}
	for range 200 {
		c := p.chunk(5000, false)
		want.Write(c.Data)
		q.Push(t.Context(), []*message.Chunk{c})
	}
	big := p.chunk(100_000, true) // more than the bound passes alone
	want.Write(big.Data)
	q.Push(t.Context(), []*message.Chunk{big})
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.Len(), len(to.got[1].data)); d != "" || !bytes.Equal(want.Bytes(), to.got[1].data) {
		t.Error(d)
	}
	// Who waits stops with its context, and the stream is shed.
	hold := make(chan struct{})
	to = newStreams(2)
	to.before = func(*message.Chunk) error { <-hold; return nil }
	q = sink.NewChunks(to.sink(), func() sink.QueueConfig { c := config(5_000); c.Policy = sink.Wait; return c }())
	p = &pusher{flow: &flow.Flow{ID: 1}}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	q.Push(ctx, []*message.Chunk{p.chunk(4000, false), p.chunk(4000, false), p.chunk(10, true)})
	close(hold)
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	sum(t, q)
	if f, s := q.Streams(), q.Stats(); f.Shed != 1 || s.Dropped[sink.Undelivered].Records != 1 || s.Dropped[sink.Shed].Records != 1 {
		t.Errorf("%+v %+v", f, s)
	}
	to.check(t)
}

func TestChunksAllocations(t *testing.T) {
	q := sink.NewChunks(discard{}, config(32<<20))
	f := &flow.Flow{ID: 1}
	first := &message.Chunk{Flow: f, First: true, Data: make([]byte, 100)}
	q.Push(t.Context(), []*message.Chunk{first})
	batch := make([]*message.Chunk, 64)
	for i := range batch {
		batch[i] = &message.Chunk{Flow: f, Data: make([]byte, 1000)}
	}
	if n := testing.AllocsPerRun(200, func() { q.Push(t.Context(), batch) }); n > 16 {
		t.Errorf("%v allocations for a batch of %d", n, len(batch))
	}
	_ = q.Close(t.Context())
}

type discard struct{}

func (discard) Write(context.Context, []*message.Chunk) error { return nil }
func (discard) Close(context.Context) error                   { return nil }

package sink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Writer is what stands behind a queue: a Sink, a FrameSink or their like.
type Writer[T any] interface {
	Write(ctx context.Context, batch []T) error
	Close(ctx context.Context) error
}

// Weight returns how many records v is and how many bytes it holds.
type Weight[T any] func(v T) (records, bytes int64)

// Queue is the one place where anything waits: bounded, before one sink. Any
// number of goroutines push batches, one goroutine of its own delivers them in
// the order pushed, and tries again what the sink did not take.
type Queue[T any] struct {
	to      Writer[T]
	weigh   Weight[T]
	release func(T)
	config  QueueConfig

	mu      sync.Mutex
	room    *sync.Cond // for who waits to push
	held    []T        // pushed and not yet taken
	entries []entry    // what is known of each of held
	load    load[T]    // taken by the delivering goroutine
	state   state
	closed  bool
	err     error
	stats   Stats

	wake   chan struct{} // room for one: the sender has moved state to awake
	ending chan struct{} // closed when Close is called
	failed chan struct{} // closed when err is set
	done   chan struct{} // closed when the goroutine has ended
	cancel context.CancelFunc
	pace   pace // of the delivering goroutine alone
}

// entry is what a queue knows of a value it holds.
type entry struct {
	Count
	at int64 // when it was pushed, in nanoseconds since 1970; 0: unknown
}

// state is what the delivering goroutine does.
type state uint8

const (
	awake   state = iota
	idle          // wants to be woken by the first record
	lingers       // wants to be woken by a full batch
)

// NewQueue returns a queue before to and starts its goroutine, which ends with
// Close. The queue owns to and closes it. Release, where it is not nil, is
// called with each value that is delivered or dropped, by any goroutine.
func NewQueue[T any](to Writer[T], c QueueConfig, weigh Weight[T], release func(T)) *Queue[T] {
	if release == nil {
		release = func(T) {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	c = c.filled()
	q := &Queue[T]{to: to, weigh: weigh, release: release, config: c, cancel: cancel, pace: newPace(c.Retry),
		wake: make(chan struct{}, 1), ending: make(chan struct{}), failed: make(chan struct{}), done: make(chan struct{})}
	q.room = sync.NewCond(&q.mu)
	go q.run(ctx)
	return q
}

// Push hands batch over. It does not keep the slice. With the policy Wait it
// waits for room until ctx ends; what then found none is dropped and counted.
func (q *Queue[T]) Push(ctx context.Context, batch []T) {
	if len(batch) == 0 {
		return
	}
	var now int64
	if q.config.Retry.Age > 0 {
		now = time.Now().UnixNano()
	}
	q.mu.Lock()
	for _, v := range batch {
		records, bytes := q.weigh(v)
		size := Count{records, bytes}
		q.stats.Pushed.add(size)
		// One value larger than the bound passes alone.
		for !q.over() && q.stats.Depth.Bytes > 0 && q.stats.Depth.Bytes+bytes > q.config.Bytes {
			if q.config.Policy == Drop || !q.waitForRoom(ctx) {
				break
			}
		}
		full := Full
		if q.config.Policy == Wait {
			full = Undelivered // it would have waited on
		}
		switch {
		case q.err != nil:
			q.drop(Failed, v, size)
		case q.closed:
			q.drop(Undelivered, v, size)
		case q.stats.Depth.Bytes > 0 && q.stats.Depth.Bytes+bytes > q.config.Bytes:
			q.drop(full, v, size)
		default:
			q.held = append(q.held, v)
			q.entries = append(q.entries, entry{size, now})
			q.stats.Depth.add(size)
			q.stats.Peak = max(q.stats.Peak, q.stats.Depth.Bytes)
		}
	}
	q.signal()
	q.mu.Unlock()
}

func (q *Queue[T]) over() bool { return q.closed || q.err != nil }

func (q *Queue[T]) drop(r Reason, v T, size Count) {
	q.stats.Dropped[r].add(size)
	q.release(v)
}

// full tells whether a batch is complete.
func (q *Queue[T]) full() bool {
	return q.stats.Depth.Bytes >= min(q.config.Batch, q.config.Bytes) || len(q.held) >= q.config.Records
}

// signal wakes the delivering goroutine if it wants that now.
func (q *Queue[T]) signal() {
	if q.state == idle && (len(q.held) > 0 || q.over()) || q.state == lingers && (q.full() || q.over()) {
		q.state = awake
		q.wake <- struct{}{}
	}
}

// waitForRoom waits until something was delivered. It reports false when ctx
// has ended.
func (q *Queue[T]) waitForRoom(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.room.Broadcast()
	})
	defer stop()
	if q.state != awake { // no full batch, and yet no room
		q.state = awake
		q.wake <- struct{}{}
	}
	q.room.Wait()
	return true
}

// Failed is closed when the sink has failed for good; Err then says why.
func (q *Queue[T]) Failed() <-chan struct{} { return q.failed }

// Err returns the error that ended delivery, nil while there is none.
func (q *Queue[T]) Err() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// Stats returns a copy of the counts.
func (q *Queue[T]) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats
}

// patience is how long Close waits, when its time is over, for a sink to notice.
const patience = 200 * time.Millisecond

// Close delivers what is held and closes the sink. When ctx ends first, what is
// left is dropped and counted as Undelivered, and the error says so; a sink
// that is stuck in the operating system is left behind, and what it holds stays
// in Depth. The error that ended delivery earlier is returned, too. Close may be
// called again, and then waits again.
func (q *Queue[T]) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.ending)
	}
	q.signal()
	q.room.Broadcast()
	q.mu.Unlock()
	select {
	case <-q.done:
		return q.Err()
	case <-ctx.Done():
	}
	q.cancel()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-q.done:
	case <-timer.C:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.err
	if left := q.stats.Dropped[Undelivered].Records + q.stats.Depth.Records; left > 0 {
		err = errors.Join(err, fmt.Errorf("close: %d records not delivered in time: %w", left, ctx.Err()))
	}
	return err
}

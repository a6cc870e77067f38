package sink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Policy says what happens to a record that finds the queue full.
type Policy uint8

// The policies.
const (
	Drop Policy = iota // it is dropped and counted: a live capture never waits
	Wait               // who pushes waits: a file can be read later
)

// QueueConfig is what can be set of a queue.
type QueueConfig struct {
	// Bytes bounds what is held for the sink, in bytes as the queue's weight
	// function counts them. Default 32 MiB.
	Bytes int64
	// Policy for records that find no room. Default Drop.
	Policy Policy
	// Linger is how long records are collected after a delivery before the next
	// one, so that a busy capture wakes the sink once per Linger and not once
	// per record. A record that comes after a pause longer than that is
	// delivered at once. Default 2 ms; 0: never collect.
	Linger time.Duration
	// Batch is how many bytes end a Linger early, and about how many one
	// delivery has at most. Default 256 KiB.
	Batch int64
}

// DefaultQueueConfig returns the defaults.
func DefaultQueueConfig() QueueConfig {
	return QueueConfig{Bytes: 32 << 20, Policy: Drop, Linger: 2 * time.Millisecond, Batch: 256 << 10}
}

// Validate returns what is wrong with c, nil for nothing.
func (c QueueConfig) Validate() error {
	var faults []error
	if c.Bytes < 1 {
		faults = append(faults, fmt.Errorf("queue bytes %d: must be at least 1", c.Bytes))
	}
	if c.Batch < 1 {
		faults = append(faults, fmt.Errorf("queue batch %d: must be at least 1", c.Batch))
	}
	if c.Linger < 0 || c.Linger > time.Second {
		faults = append(faults, fmt.Errorf("queue linger %v: must be between 0 and 1s", c.Linger))
	}
	return errors.Join(faults...)
}

// Writer is what stands behind a queue: a Sink, a FrameSink or their like.
type Writer[T any] interface {
	Write(ctx context.Context, batch []T) error
	Close(ctx context.Context) error
}

// Weight returns how many records v is and how many bytes it holds.
type Weight[T any] func(v T) (records, bytes int64)

// Queue is the one place where anything waits: bounded, before one sink. Any
// number of goroutines push batches, one goroutine of its own delivers them in
// the order pushed.
type Queue[T any] struct {
	to      Writer[T]
	weigh   Weight[T]
	release func(T)
	config  QueueConfig

	mu     sync.Mutex
	room   *sync.Cond // for who waits to push
	held   []T        // pushed and not yet taken
	counts []Count    // what each of held counts for
	state  state
	closed bool
	err    error
	stats  Stats

	wake   chan struct{} // room for one: the sender has moved state to awake
	failed chan struct{} // closed when err is set
	done   chan struct{} // closed when the goroutine has ended
	cancel context.CancelFunc
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
	q := &Queue[T]{to: to, weigh: weigh, release: release, config: c, cancel: cancel,
		wake: make(chan struct{}, 1), failed: make(chan struct{}), done: make(chan struct{})}
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
	q.mu.Lock()
	for _, v := range batch {
		records, bytes := q.weigh(v)
		q.stats.Pushed.add(records, bytes)
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
			q.drop(Failed, v, records, bytes)
		case q.closed:
			q.drop(Undelivered, v, records, bytes)
		case q.stats.Depth.Bytes > 0 && q.stats.Depth.Bytes+bytes > q.config.Bytes:
			q.drop(full, v, records, bytes)
		default:
			q.held = append(q.held, v)
			q.counts = append(q.counts, Count{records, bytes})
			q.stats.Depth.add(records, bytes)
			q.stats.Peak = max(q.stats.Peak, q.stats.Depth.Bytes)
		}
	}
	q.signal()
	q.mu.Unlock()
}

func (q *Queue[T]) over() bool { return q.closed || q.err != nil }

func (q *Queue[T]) drop(r Reason, v T, records, bytes int64) {
	q.stats.Dropped[r].add(records, bytes)
	q.release(v)
}

// signal wakes the delivering goroutine if it wants that now.
func (q *Queue[T]) signal() {
	if q.state == idle && (len(q.held) > 0 || q.over()) ||
		q.state == lingers && (q.stats.Depth.Bytes >= min(q.config.Batch, q.config.Bytes) || q.over()) {
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
	q.closed = true
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

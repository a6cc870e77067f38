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

	mu         sync.Mutex
	room       *sync.Cond // for who waits to push
	held       []T        // pushed and not yet taken
	entries    []entry    // what is known of each of held
	load       load[T]    // taken by the delivering goroutine
	state      state
	closed     bool
	keeper     *keeper[T] // nil: no spool
	err        error
	late       error // why Close ended early: the sink failed all the time
	trouble    error // why the sink took nothing when it was last tried
	complaints [Reasons]complaint
	stats      Stats

	wake   chan struct{} // room for one: the sender has moved state to awake
	ending chan struct{} // closed when Close is called
	failed chan struct{} // closed when err is set
	done   chan struct{} // closed when the goroutine has ended
	cancel context.CancelFunc
	pace   pace      // of the delivering goroutine alone
	warned time.Time // of records refused, by the same
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
	return newQueue(to, c.filled(), weigh, release, nil, nil)
}

// OpenQueue returns a queue before to that has a spool where c names a directory
// for it, and delivers first what an earlier run has left there. It starts the
// queue's goroutines, which end with Close. The queue owns to, unless there is an
// error.
func OpenQueue[T any](to Writer[T], c QueueConfig, weigh Weight[T], codec Codec[T]) (*Queue[T], error) {
	c = c.filled()
	if c.Spool.Directory == "" {
		return newQueue(to, c, weigh, nil, nil, nil), nil
	}
	known := func(value []byte) error {
		_, err := codec.Decode(value)
		return err
	}
	s, err := openSpool(c.Spool, c.Log, known)
	if err != nil {
		return nil, err
	}
	return newQueue(to, c, weigh, nil, s, codec), nil
}

func newQueue[T any](to Writer[T], c QueueConfig, weigh Weight[T], release func(T), s *spool, codec Codec[T]) *Queue[T] {
	if release == nil {
		release = func(T) {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	q := &Queue[T]{to: to, weigh: weigh, release: release, config: c, cancel: cancel, pace: newPace(c.Retry),
		wake: make(chan struct{}, 1), ending: make(chan struct{}), failed: make(chan struct{}), done: make(chan struct{})}
	q.room = sync.NewCond(&q.mu)
	if s != nil {
		q.startKeeper(s, codec)
	}
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
	added, dropped := 0, false
	for _, v := range batch {
		records, bytes := q.weigh(v)
		size := Count{records, bytes}
		// One value larger than the bound passes alone.
		for !q.over() && q.stats.Depth.Bytes > 0 && q.stats.Depth.Bytes+bytes > q.config.Bytes {
			if q.config.Policy == Drop || !q.waitForRoom(ctx) {
				break
			}
		}
		q.stats.Pushed.add(size) // not before it waits, or it is nowhere meanwhile
		full := Full
		if q.err != nil {
			full = Failed
		} else if q.config.Policy == Wait {
			full = Undelivered // it would have waited on
		}
		switch {
		case q.err != nil && q.keeper == nil: // else the next run may deliver it
			q.drop(Failed, v, size)
		case q.closed:
			q.drop(Undelivered, v, size)
		case q.stats.Depth.Bytes > 0 && q.stats.Depth.Bytes+bytes > q.config.Bytes:
			q.drop(full, v, size)
			dropped = dropped || full == Full
		default:
			q.held = append(q.held, v)
			q.entries = append(q.entries, entry{size, now})
			q.stats.Depth.add(size)
			q.stats.Peak = max(q.stats.Peak, q.stats.Depth.Bytes)
			added++
		}
	}
	q.noteHeld(added)
	q.signal()
	q.mu.Unlock()
	if dropped {
		q.complain(Full)
	}
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

// Trouble returns why the sink did not take what it was last given, nil where it
// took it.
func (q *Queue[T]) Trouble() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.trouble
}

// Stats returns a copy of the counts.
func (q *Queue[T]) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	if q.keeper != nil {
		s.Spool = q.keeper.stats
	}
	return s
}

// How long Close waits, when its time is over: for a sink to notice, and for the
// disk to take what is left.
const (
	patience      = 200 * time.Millisecond
	spoolPatience = 5 * time.Second
)

// Close delivers what is held and closes the sink. When ctx ends first, or the
// sink fails, what is left stays in the spool; without one it is dropped and
// counted as Undelivered, and the error says so. A sink that is stuck in the
// operating system is left behind, and what it holds stays in Depth. The error
// that ended delivery earlier is returned, too. Close may be called again, and
// then waits again.
func (q *Queue[T]) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.ending)
	}
	q.signal()
	q.room.Broadcast()
	q.mu.Unlock()
	var late error
	select {
	case <-q.done:
	case <-ctx.Done():
		late = context.Cause(ctx)
		q.cancel()
		expires(q.done, patience)
	}
	lost := q.closeKeeper()
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.err
	if late == nil {
		late = q.late
	}
	if left := q.stats.Dropped[Undelivered].Records + q.stats.Depth.Records; left > 0 && late != nil {
		err = errors.Join(err, fmt.Errorf("close: %d records not delivered in time: %w", left, late))
	} else if lost > 0 {
		err = errors.Join(err, fmt.Errorf("close: %d records neither delivered nor written to the spool: see what was logged of it", lost))
	}
	return err
}

// closeKeeper has all that is in memory written to the spool, and drops what the
// disk does not take; it returns how many records these are.
func (q *Queue[T]) closeKeeper() (lost int64) {
	k := q.keeper
	if k == nil {
		return 0
	}
	q.mu.Lock()
	k.final = true
	q.mu.Unlock()
	k.wake()
	expires(k.kept, spoolPatience)
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, v := range q.held {
		q.stats.Depth.take(q.entries[i].Count)
		q.drop(Undelivered, v, q.entries[i].Count)
		lost += q.entries[i].Records
	}
	q.held, q.entries = nil, nil
	select {
	case <-q.done: // what is left of the load is nobody's
		l := &q.load
		for i := l.next; i < len(l.values); i++ {
			switch size := l.entries[i].Count; {
			case l.spots == nil:
				q.stats.Depth.take(size)
				q.drop(Undelivered, l.values[i], size)
				lost += size.Records
			case l.spots[i].segment == 0: // its segment went when the spool was full
				q.stats.Depth.take(size)
				q.drop(SpoolFull, l.values[i], size)
			}
		}
		*l = load[T]{}
	default:
	}
	return lost
}

// expires waits for done, but not for longer than d.
func expires(done <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

package sink

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// load is what the delivering goroutine has taken and not yet settled: next is
// the first of it, and up to limit they are one batch, the sink's for now. It is
// guarded by the queue's lock but for the values before limit, which only that
// goroutine changes.
type load[T any] struct {
	values  []T
	entries []entry
	next    int
	limit   int
}

func (l *load[T]) empty() bool { return l.next == len(l.values) }

// run is the goroutine of a queue.
func (q *Queue[T]) run(ctx context.Context) {
	defer close(q.done)
	defer q.cancel()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	q.mu.Lock()
	for q.fetch() {
		q.mu.Unlock()
		q.deliver(ctx, timer)
		q.mu.Lock()
		if q.config.Linger == 0 || q.over() || q.full() {
			continue
		}
		q.state = lingers
		q.mu.Unlock()
		timer.Reset(q.config.Linger)
		select {
		case <-q.wake:
			timer.Stop()
			q.mu.Lock()
		case <-timer.C:
			q.mu.Lock()
			if q.state == awake { // woken in the same moment
				<-q.wake
			}
			q.state = awake
		}
	}
	failed := q.err != nil
	q.mu.Unlock()
	// The sink is closed even where it has failed: it may hold a file.
	if err := q.to.Close(ctx); err != nil && !failed {
		q.fail(fmt.Errorf("close: %w", err))
	}
}

// fetch waits for something to deliver and makes it the load. It reports false
// when there will be no more. The lock is held.
func (q *Queue[T]) fetch() bool {
	for len(q.held) == 0 {
		if q.over() {
			return false
		}
		q.state = idle
		q.mu.Unlock()
		<-q.wake
		q.mu.Lock()
	}
	l := &q.load
	l.values, q.held = q.held, l.values[:0]
	l.entries, q.entries = q.entries, l.entries[:0]
	l.next, l.limit = 0, 0
	return true
}

// deliver settles the load, in batches of about the size configured.
func (q *Queue[T]) deliver(ctx context.Context, timer *time.Timer) {
	stake := 0 // up to here the load was tried, as one batch
	for !q.load.empty() {
		if ctx.Err() != nil { // Close has run out of time
			q.settle(len(q.load.values)-q.load.next, Undelivered)
			return
		}
		if q.Err() != nil {
			q.settle(len(q.load.values)-q.load.next, Failed)
			return
		}
		if n := q.expired(); n > 0 {
			q.settle(n, Expired)
			continue
		}
		if stake <= q.load.next {
			stake = q.batch(q.config.Records)
			q.pace.fresh()
		}
		limit := stake
		if q.pace.open() {
			limit = min(stake, q.batch(q.config.Retry.Probe))
		}
		q.mu.Lock()
		q.load.limit = limit
		q.mu.Unlock()
		size := limit - q.load.next
		err := q.to.Write(ctx, q.load.values[q.load.next:limit])
		if err == nil {
			q.settle(size, written)
			q.took()
			continue
		}
		n := min(max(Delivered(err), 0), size)
		if n > 0 {
			q.settle(n, written)
			q.took()
		}
		switch {
		case IsBroken(err):
			q.fail(err)
		case ctx.Err() != nil || n == size:
		case IsPermanent(err):
			n = size - n
			if IsPartial(err) {
				n = 1
			}
			q.settle(n, Refused)
			q.took()
			q.config.Log.Debug("the sink refused records", "records", n, "error", err)
		default:
			q.again(ctx, timer, err, stake)
		}
	}
}

// again deals with a failure that may pass: it waits, or gives up what has been
// tried often enough.
func (q *Queue[T]) again(ctx context.Context, timer *time.Timer, err error, stake int) {
	again := q.pace.failed()
	if q.pace.failures == q.config.Retry.Failures {
		q.circuit(Open)
		q.config.Log.Warn("the sink fails: trying again with a small batch now and then", "failures", q.pace.failures, "error", err)
	}
	if !again {
		n := stake - q.load.next
		if IsPartial(err) && q.pace.gaveUp() {
			n = 1
		}
		q.settle(n, GaveUp)
		q.config.Log.Warn("records dropped: the attempts allowed are used up", "records", n, "error", err)
		return
	}
	q.mu.Lock()
	q.stats.Retries++
	q.mu.Unlock()
	q.sleep(ctx, timer, q.pace.wait(RetryAfter(err)))
}

// closingWait is the longest wait between attempts once the queue is closing:
// the time for that is short.
const closingWait = 250 * time.Millisecond

func (q *Queue[T]) sleep(ctx context.Context, timer *time.Timer, d time.Duration) {
	ending := q.ending
	select {
	case <-ending:
		d, ending = min(d, closingWait), nil
	default:
	}
	timer.Reset(d)
	select {
	case <-timer.C:
	case <-ctx.Done():
		timer.Stop()
	case <-ending:
		timer.Stop()
	}
}

// took notes that the sink works.
func (q *Queue[T]) took() {
	if q.pace.open() {
		q.circuit(Closed)
		q.config.Log.Info("the sink takes records again", slog.Int("failures", q.pace.failures))
	}
	q.pace.took()
}

func (q *Queue[T]) circuit(c Circuit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Circuit = c
	if c == Open {
		q.stats.Opened++
	}
}

// batch returns where a batch of at most n records ends that begins with the
// next of the load.
func (q *Queue[T]) batch(n int) int {
	l := &q.load
	var bytes int64
	end := l.next
	for end < len(l.values) && bytes < q.config.Batch && end-l.next < n {
		bytes += l.entries[end].Bytes
		end++
	}
	return end
}

// expired returns how many of the load are too old, from the next on.
func (q *Queue[T]) expired() int {
	if q.config.Retry.Age == 0 {
		return 0
	}
	oldest := time.Now().Add(-q.config.Retry.Age).UnixNano()
	n := 0
	for _, m := range q.load.entries[q.load.next:] {
		if m.at == 0 || m.at >= oldest {
			break
		}
		n++
	}
	return n
}

// written stands in place of a Reason for what was delivered.
const written = Reasons

// settle ends the next n of the load.
func (q *Queue[T]) settle(n int, why Reason) {
	l := &q.load
	done := l.values[l.next : l.next+n]
	var size Count
	for i, v := range done {
		size.add(l.entries[l.next+i].Count)
		q.release(v)
	}
	clear(done) // the records are the sink's no longer
	q.mu.Lock()
	defer q.mu.Unlock()
	l.next += n
	q.stats.Depth.take(size)
	if why == written {
		q.stats.Written.add(size)
		q.stats.Writes++
	} else {
		q.stats.Dropped[why].add(size)
	}
	// Who waits is woken once for many deliveries, not for each.
	if q.stats.Depth.Bytes <= q.config.Bytes/2 {
		q.room.Broadcast()
	}
}

// fail keeps the first error and tells everybody.
func (q *Queue[T]) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
		close(q.failed)
	}
	q.room.Broadcast()
}

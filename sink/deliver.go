package sink

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// load is what the delivering goroutine has taken and not yet settled: next is
// the first of it, and up to limit they are one batch, the sink's for now. The
// queue's lock guards it; next and limit are moved by that goroutine alone, and
// what is behind limit may be taken away from it.
type load[T any] struct {
	values  []T
	entries []entry
	spots   []spot // where they stand in the spool; nil: nowhere, all of them
	next    int
	limit   int
}

// run is the goroutine of a queue.
func (q *Queue[T]) run(ctx context.Context) {
	defer close(q.done)
	defer q.cancel()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	q.mu.Lock()
	for q.fetch(ctx) {
		q.mu.Unlock()
		more := q.deliver(ctx, timer)
		q.mu.Lock()
		if !more {
			break
		}
		if q.config.Linger == 0 || q.over() || q.full() || q.keeper != nil && q.keeper.unread > 0 {
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
	if q.keeper != nil {
		q.keeper.stopReading()
	}
	// The sink is closed even where it has failed: it may hold a file.
	if err := q.to.Close(ctx); err != nil && !failed {
		q.fail(fmt.Errorf("close: %w", err))
	}
}

// fetch waits for something to deliver and makes it the load. It reports false
// when there will be no more. The lock is held, and given up meanwhile.
func (q *Queue[T]) fetch(ctx context.Context) bool {
	for {
		k := q.keeper
		switch {
		case k != nil && k.unread > 0:
			if n := q.fetchSpooled(); n != nothing {
				return n == loaded
			}
		case k != nil && k.busy:
			k.moved.Wait()
		case len(q.held) > 0:
			l := &q.load
			l.values, q.held = q.held, l.values[:0]
			l.entries, q.entries = q.entries, l.entries[:0]
			l.spots, l.next, l.limit = nil, 0, 0
			return true
		case q.over():
			return false
		default:
			if k != nil {
				k.stopReading()
			}
			q.state = idle
			q.mu.Unlock()
			q.rest(ctx)
			q.mu.Lock()
		}
	}
}

// idleEvery is how often a sink may do something while nothing comes.
const idleEvery = time.Second

// rest waits to be woken.
func (q *Queue[T]) rest(ctx context.Context) {
	i, ok := q.to.(Idler)
	if !ok {
		<-q.wake
		return
	}
	tick := time.NewTicker(idleEvery)
	defer tick.Stop()
	for {
		select {
		case <-q.wake:
			return
		case <-tick.C:
			i.Idle(ctx)
		}
	}
}

// deliver settles the load, in batches of about the size configured. It reports
// false when delivery has come to its end; what is then left of the load the
// spool has or gets.
func (q *Queue[T]) deliver(ctx context.Context, timer *time.Timer) (more bool) {
	l := &q.load
	stake := 0 // up to here the load is tried as one batch
	for {
		if n := q.expired(); n > 0 {
			q.settle(n, Expired)
			q.complain(Expired)
			continue
		}
		batch, failed := q.batch(&stake)
		if failed || ctx.Err() != nil {
			if q.keeper != nil {
				return false
			}
			why := Undelivered // Close has run out of time
			if failed {
				why = Failed
			}
			q.settle(len(l.values)-l.next, why)
			return true // the others go the same way
		}
		if len(batch) == 0 {
			return true
		}
		err := q.to.Write(ctx, batch)
		if err == nil {
			q.settle(len(batch), written)
			q.took()
			continue
		}
		n := min(max(Delivered(err), 0), len(batch))
		if n > 0 {
			q.settle(n, written)
			q.took()
		}
		switch {
		case IsBroken(err):
			q.fail(err)
		case ctx.Err() != nil || n == len(batch):
		case IsPermanent(err):
			n = len(batch) - n
			if IsPartial(err) {
				n = 1
			}
			q.settle(n, Refused)
			q.took()
			q.tellRefused(ctx, n, err)
		case !q.again(ctx, timer, err, stake):
			return false
		}
	}
}

// tellRefused logs that records were refused: as a warning once in a minute, as
// it may concern each of many.
func (q *Queue[T]) tellRefused(ctx context.Context, n int, err error) {
	level := slog.LevelDebug
	if now := time.Now(); now.Sub(q.warned) >= time.Minute {
		level, q.warned = slog.LevelWarn, now
	}
	q.config.Log.Log(ctx, level, "the sink refuses records, which are dropped and counted", "records", n, "error", err)
}

// GaveUpText is what is logged of records that were tried as often as allowed.
const GaveUpText = "records dropped: the attempts allowed are used up"

// again deals with a failure that may pass: it waits, or gives up what has been
// tried often enough. It reports false when the queue is closing and the spool
// may keep what is left.
func (q *Queue[T]) again(ctx context.Context, timer *time.Timer, err error, stake int) (more bool) {
	again := q.pace.failed()
	q.mu.Lock()
	q.trouble = err
	q.mu.Unlock()
	if q.pace.failures == q.config.Retry.Failures {
		q.circuit(Open)
		q.config.Log.Warn("the sink fails: it gets a small batch now and then until it takes one", "failures", q.pace.failures, "error", err)
	}
	q.mu.Lock()
	if !again {
		// What is given up is the sink's until it is settled.
		q.load.limit = min(stake, len(q.load.values))
		n := q.load.limit - q.load.next
		q.mu.Unlock()
		if IsPartial(err) && q.pace.gaveUp() {
			n = 1
		}
		q.settle(n, GaveUp)
		q.config.Log.Warn(GaveUpText, "records", n, "error", err)
		return true
	}
	q.stats.Retries++
	if q.keeper != nil {
		q.keeper.failing = true
		q.hurry()
	}
	closed := q.closed
	q.mu.Unlock()
	if closed && q.keeper != nil {
		return false
	}
	if closed && q.pace.closing(time.Now()) {
		q.mu.Lock()
		q.late = fmt.Errorf("the sink took nothing for %v: %w", q.config.Retry.Closing, err)
		q.mu.Unlock()
		q.cancel()
		return true
	}
	return q.sleep(ctx, timer, RetryAfter(err))
}

// closingWait is the longest wait between attempts once the queue is closing:
// the time for that is short.
const closingWait = 250 * time.Millisecond

// sleep waits until the next attempt, for which the sink has asked to be left
// alone so long. That is kept also while the queue is closing, within the time
// for it; where there is a spool nobody waits then, and it reports false.
func (q *Queue[T]) sleep(ctx context.Context, timer *time.Timer, asked time.Duration) (more bool) {
	d, counted := q.pace.wait(0), q.pace.bounded()
	if len(q.config.Retry.Schedule) > 0 {
		asked = 0 // who wants these waits gets these
	}
	begin, wait, ending := time.Now(), max(d, asked), q.ending
	select {
	case <-ending:
		if !counted { // shorter waits would use up the attempts before the sink is back
			d = min(d, closingWait)
		}
		wait, ending = max(d, min(asked, q.pace.left(begin))), nil
	default:
	}
	timer.Reset(wait)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		timer.Stop()
		return true
	case <-ending:
		timer.Stop()
	}
	now := time.Now()
	passed := now.Sub(begin)
	if q.keeper != nil && asked > passed {
		return false
	}
	q.pace.closing(now)
	wait = min(asked-passed, q.pace.left(now))
	if counted {
		wait = max(wait, d-passed)
	}
	if wait > 0 {
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return true
}

// took notes that the sink works.
func (q *Queue[T]) took() {
	if q.pace.open() {
		q.circuit(Closed)
		q.config.Log.Info("the sink takes records again", "failures", q.pace.failures)
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

// batch returns what the sink gets next, nothing at the end of the load, and
// whether the sink has failed for good.
func (q *Queue[T]) batch(stake *int) (batch []T, failed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := &q.load
	if *stake = min(*stake, len(l.values)); *stake <= l.next {
		*stake = q.reach(q.config.Records)
		q.pace.fresh()
	}
	l.limit = *stake
	if q.pace.open() {
		l.limit = min(l.limit, q.reach(q.config.Retry.Probe))
	}
	return l.values[l.next:l.limit], q.err != nil
}

// reach returns where a batch of at most n values ends that begins with the next
// of the load.
func (q *Queue[T]) reach(n int) int {
	l := &q.load
	var bytes int64
	end := l.next
	for end < len(l.values) && bytes < q.config.Batch && end-l.next < n {
		bytes += l.entries[end].Bytes
		end++
	}
	return end
}

// expired makes those from the next on a batch that are too old, and returns how
// many there are.
func (q *Queue[T]) expired() int {
	if q.config.Retry.Age == 0 {
		return 0
	}
	oldest := time.Now().Add(-q.config.Retry.Age).UnixNano()
	q.mu.Lock()
	defer q.mu.Unlock()
	l := &q.load
	l.limit = l.next
	for l.limit < len(l.values) && l.entries[l.limit].at != 0 && l.entries[l.limit].at < oldest {
		l.limit++
	}
	return l.limit - l.next
}

// written stands in place of a Reason for what was delivered.
const written = Reasons

// settle ends the next n of the load.
func (q *Queue[T]) settle(n int, why Reason) {
	l := &q.load
	if q.keeper != nil {
		q.settleKept(n, why)
		return
	}
	var all Count
	for i := l.next; i < l.next+n; i++ { // nobody else looks at these: no lock is needed
		all.add(l.entries[i].Count)
		q.release(l.values[i])
	}
	clear(l.values[l.next : l.next+n]) // the records are the sink's no longer
	q.mu.Lock()
	l.next += n
	q.stats.Depth.take(all)
	q.settled(all, why)
	q.mu.Unlock()
}

// settled counts what became of records. The lock is held.
func (q *Queue[T]) settled(all Count, why Reason) {
	if why == written {
		q.stats.Written.add(all)
		q.trouble = nil
		q.stats.Writes++
	} else {
		q.stats.Dropped[why].add(all)
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

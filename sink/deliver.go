package sink

import (
	"context"
	"fmt"
	"time"
)

// run is the goroutine of a queue.
func (q *Queue[T]) run(ctx context.Context) {
	defer close(q.done)
	defer q.cancel()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	var taken []T
	var counts []Count
	q.mu.Lock()
	for {
		if len(q.held) == 0 {
			if q.over() {
				break
			}
			q.state = idle
			q.mu.Unlock()
			<-q.wake
			q.mu.Lock()
			continue
		}
		taken, q.held = q.held, taken[:0]
		counts, q.counts = q.counts, counts[:0]
		q.mu.Unlock()
		q.deliver(ctx, taken, counts)
		clear(taken) // the records are the sink's no longer
		q.mu.Lock()
		if q.config.Linger == 0 || q.over() || q.stats.Depth.Bytes >= min(q.config.Batch, q.config.Bytes) {
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

// deliver writes all in batches of about the size configured. It runs without
// the lock.
func (q *Queue[T]) deliver(ctx context.Context, all []T, counts []Count) {
	for len(all) > 0 {
		var weight Count
		n := 0
		for n < len(all) && weight.Bytes < q.config.Batch {
			weight.add(counts[n].Records, counts[n].Bytes)
			n++
		}
		err := q.Err()
		why := Failed
		if err == nil {
			if err = ctx.Err(); err == nil {
				err = q.to.Write(ctx, all[:n])
			}
			if err != nil && ctx.Err() != nil {
				why = Undelivered // Close has run out of time
			} else if err != nil {
				q.fail(err)
			}
		}
		for _, v := range all[:n] {
			q.release(v)
		}
		all, counts = all[n:], counts[n:]
		q.mu.Lock()
		q.stats.Depth.add(-weight.Records, -weight.Bytes)
		if err != nil {
			q.stats.Dropped[why].add(weight.Records, weight.Bytes)
		} else {
			q.stats.Written.add(weight.Records, weight.Bytes)
			q.stats.Writes++
		}
		// Who waits is woken once for many deliveries, not for each.
		if q.stats.Depth.Bytes <= q.config.Bytes/2 {
			q.room.Broadcast()
		}
		q.mu.Unlock()
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

package sink

import (
	"fmt"
	"slices"
	"time"

	"github.com/passiflow/passiflow/message"
)

// work is a goroutine that delivers what is ready until there is no more.
func (q *Chunks) work() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ready) > 0 {
		l := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		if why := q.hopeless(); why != written {
			q.drop(l, why)
			continue
		}
		n := q.batch(l)
		batch := l.held[:n:n]
		l.state = busy
		q.mu.Unlock()
		err := q.to.Write(q.ctx, batch)
		q.mu.Lock()
		q.settle(l, n, err)
	}
	q.running--
	q.end()
}

// hopeless returns why nothing is delivered any more, written where it is.
func (q *Chunks) hopeless() Reason {
	switch {
	case q.err != nil:
		return Failed
	case q.ctx.Err() != nil:
		return Undelivered
	}
	return written
}

// batch returns how many of l one delivery has.
func (q *Chunks) batch(l *lane) (n int) {
	for bytes := int64(0); n < len(l.held) && n < q.config.Records && bytes < q.config.Batch; n++ {
		bytes += weight(l.held[n]).Bytes
	}
	return n
}

// settle ends the delivery of the first n of l.
func (q *Chunks) settle(l *lane, n int, err error) {
	if err != nil {
		n = min(max(Delivered(err), 0), n)
	}
	if n > 0 {
		q.stats.Writes++
		q.take(l, n, written)
	}
	if n > 0 || IsPermanent(err) && !IsBroken(err) { // it works
		q.pace.began = time.Time{}
		if l.tries > 0 {
			q.took()
		}
		l.tries = 0
	}
	switch {
	case err == nil:
	case IsBroken(err):
		q.fail(err)
	case IsPermanent(err):
		q.config.Log.Debug("the sink refused the rest of a stream", "error", err)
		q.refuse(l, Refused)
	case q.ctx.Err() == nil:
		q.again(l, err)
		return
	}
	q.rest(l)
}

// rest gives l back.
func (q *Chunks) rest(l *lane) {
	if len(l.held) == 0 {
		l.held, l.state = nil, resting
		return
	}
	l.state = queued
	q.ready = append(q.ready, l)
}

// again keeps l for another attempt, or gives its stream up. While something
// waits, one of those that wait is tried now and then; the others go on with it
// when it was taken.
func (q *Chunks) again(l *lane, err error) {
	if l.tries++; l.tries == 1 {
		l.since = time.Now()
	}
	if q.closed && q.pace.closing(time.Now()) {
		q.late = fmt.Errorf("the sink took nothing for %v: %w", q.config.Retry.Closing, err)
		q.cancel()
	}
	if why := q.tired(l); why != written {
		l.tries = 0
		q.refuse(l, why)
		q.rest(l)
	} else {
		q.stats.Retries++
		l.state = queued
		q.waiting = append(q.waiting, l)
	}
	if q.armed || len(q.waiting) == 0 {
		return
	}
	q.pace.failures++
	q.pace.tries = q.waiting[0].tries
	if q.pace.open() {
		q.tell(Open, err)
	}
	d := q.pace.wait(RetryAfter(err))
	if q.closed && !q.pace.bounded() {
		d = min(d, closingWait)
	}
	q.armed = true
	q.timer.Reset(d)
}

// tired returns why the next of l is not tried again, written where it is.
func (q *Chunks) tired(l *lane) Reason {
	c := &q.config.Retry
	switch n := len(c.Schedule); {
	case c.Age > 0 && time.Since(l.since) > c.Age:
		return Expired
	case n > 0 && l.tries > n, n == 0 && c.Attempts > 0 && l.tries >= c.Attempts:
		return GaveUp
	}
	return written
}

// probe tries one of those that wait.
func (q *Chunks) probe() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.armed = false
	if len(q.waiting) > 0 {
		q.ready = slices.Insert(q.ready, 0, q.waiting[0])
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
	}
	q.dispatch()
}

// took lets all that wait go on.
func (q *Chunks) took() {
	q.tell(Closed, nil)
	q.pace.took()
	q.ready = append(q.ready, q.waiting...)
	q.waiting = nil
	q.timer.Stop()
	q.armed = false
	q.dispatch()
}

// take settles the first n of l.
func (q *Chunks) take(l *lane, n int, why Reason) {
	for i, c := range l.held[:n] {
		q.account(c, why)
		l.held[i] = nil
	}
	l.held = l.held[n:]
	if q.stats.Depth.Bytes <= max(q.config.Bytes-q.reserved, 0)/2 {
		q.room.Broadcast()
	}
}

// account settles one chunk.
func (q *Chunks) account(c *message.Chunk, why Reason) {
	size := weight(c)
	q.stats.Depth.take(size)
	if why == written {
		q.stats.Written.add(size)
	} else {
		q.stats.Dropped[why].add(size)
	}
	if !c.End {
		return
	}
	q.reserved -= streamBytes
	q.flows.Open--
	switch {
	case c.Shed:
		q.flows.Shed++
	case why == written:
		q.flows.Whole++
	default:
		q.flows.Cut++
	}
}

// refuse drops the stream of the first chunk of l, and what comes of it later.
func (q *Chunks) refuse(l *lane, why Reason) {
	if len(l.held) == 0 {
		return
	}
	key := streamKey{l.held[0].Flow, l.held[0].From}
	ended := false
	kept := l.held[:0]
	for _, c := range l.held {
		if c.Flow != key.flow || c.From != key.from {
			kept = append(kept, c)
			continue
		}
		if c.End {
			ended = true
			if c.Shed { // and cut before: nobody else has it
				c.Shed = false
			}
		}
		q.account(c, why)
	}
	clear(l.held[len(kept):])
	l.held = kept
	if !ended {
		delete(q.streams, key)
		q.account(&message.Chunk{End: true}, why)
	}
	q.room.Broadcast()
}

// drop drops all that l holds.
func (q *Chunks) drop(l *lane, why Reason) {
	for len(l.held) > 0 {
		q.refuse(l, why)
	}
	q.rest(l)
}

// dropAll drops what nobody delivers.
func (q *Chunks) dropAll() {
	why := q.hopeless()
	for _, l := range append(q.ready, q.waiting...) {
		q.drop(l, why)
	}
	q.ready, q.waiting = nil, nil
}

// end closes the sink when the queue is over and nothing is on its way.
func (q *Chunks) end() {
	if q.hopeless() != written {
		q.dropAll()
	}
	if !q.closed || q.ended || q.running > 0 || len(q.ready) > 0 || len(q.waiting) > 0 {
		return
	}
	q.ended = true
	q.timer.Stop()
	go func() {
		defer close(q.done)
		defer q.cancel()
		// The sink is closed even where it has failed: it may hold a file.
		err := q.to.Close(q.ctx)
		q.mu.Lock()
		defer q.mu.Unlock()
		if err != nil && q.err == nil {
			q.fail(fmt.Errorf("close: %w", err))
		}
	}()
}

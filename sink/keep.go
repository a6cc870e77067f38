package sink

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// keeper is what a queue with a spool has beside one without. Its goroutine is
// the only one that writes to the spool's segments.
type keeper[T any] struct {
	*spool
	codec Codec[T]

	// These are guarded by the queue's lock.
	entered int64 // values that came into memory
	gone    int64 // values that are no longer in memory alone; they go in the order they came
	armed   bool  // the alarm is set
	armedAt int64 // entered, when it was
	rang    bool  // it went off
	hurry   bool  // write now, however young what is there
	failing bool  // the sink failed and has taken nothing since
	trouble bool  // the disk failed or the spool is full: not before the alarm
	busy    bool  // values are being written that are neither held nor in the spool
	writing bool  // the load is being written
	final   bool  // Close wants all written
	moved   *sync.Cond

	alarm *time.Timer
	stir  chan struct{} // room for one: look whether there is something to do
	kept  chan struct{} // closed when the goroutine has ended

	// These are the goroutine's own.
	synced time.Time
	out    []byte
	ends   []int64
}

// errSpoolFull says that who pushes has to wait until the sink has taken more.
var errSpoolFull = errors.New("write to the spool: it is full")

func (q *Queue[T]) startKeeper(s *spool, codec Codec[T]) {
	k := &keeper[T]{spool: s, codec: codec, moved: sync.NewCond(&q.mu), stir: make(chan struct{}, 1), kept: make(chan struct{})}
	q.keeper = k
	for _, g := range s.segments {
		q.stats.Recovered.add(g.left)
		q.stats.Spooled.add(g.left)
	}
	k.alarm = time.AfterFunc(time.Hour, func() {
		q.mu.Lock()
		k.rang = true
		q.mu.Unlock()
		k.wake()
	})
	k.alarm.Stop()
	go q.keep()
}

// period is how often the keeping goroutine looks while something is in memory,
// so that nothing is there for longer than Sync.
func (q *Queue[T]) period() time.Duration {
	return max(q.config.Spool.Sync/2, 2*q.config.Linger)
}

// wake makes the goroutine look.
func (k *keeper[T]) wake() {
	select {
	case k.stir <- struct{}{}:
	default:
	}
}

// entered notes that n values were pushed. The lock is held.
func (q *Queue[T]) noteHeld(n int) {
	k := q.keeper
	if k == nil || n == 0 {
		return
	}
	k.entered += int64(n)
	q.arm()
	// Who waits need not overflow to the disk as long as the sink works.
	if q.stats.Depth.Bytes > q.config.Bytes/2 && (q.config.Policy == Drop || k.failing) {
		q.hurry()
	}
}

func (q *Queue[T]) arm() {
	if k := q.keeper; !k.armed {
		k.armed, k.armedAt = true, k.entered
		k.alarm.Reset(q.period())
	}
}

// hurry has what is in memory written now. The lock is held.
func (q *Queue[T]) hurry() {
	if k := q.keeper; k != nil && !k.hurry && !k.trouble {
		k.hurry = true
		k.wake()
	}
}

// keep is the goroutine that writes to the spool what the sink has not taken in
// time.
func (q *Queue[T]) keep() {
	k := q.keeper
	defer close(k.kept)
	for final := false; !final; {
		<-k.stir
		q.mu.Lock()
		final = k.final
		overdue := k.rang && k.gone < k.armedAt
		if k.rang {
			k.rang, k.armed, k.trouble = false, false, false
		}
		if final || overdue || k.hurry {
			k.note(q, q.flush())
			k.hurry = false
		}
		q.mu.Unlock()
		if k.dirty && (final || time.Since(k.synced) >= q.period()) {
			k.synced = time.Now()
			if err := k.sync(); err != nil {
				q.mu.Lock()
				k.note(q, err)
				q.mu.Unlock()
			}
		}
		q.sweep()
		q.mu.Lock()
		if !final && (k.entered > k.gone || k.dirty) {
			q.arm()
		}
		q.mu.Unlock()
	}
	k.alarm.Stop()
	if err := k.close(); err != nil {
		q.config.Log.Warn("close the spool", "error", err)
	}
}

// note keeps an error of the disk in mind. The lock is held.
func (k *keeper[T]) note(q *Queue[T], err error) {
	if err == nil {
		return
	}
	k.trouble = true
	if !errors.Is(err, errSpoolFull) {
		if k.stats.Errors++; k.stats.Errors == 1 {
			q.config.Log.Warn("the spool fails: records stay in memory, and it is tried again", "error", err)
		}
	}
}

// flush writes to the spool what is in memory. The lock is held, and given up
// meanwhile.
func (q *Queue[T]) flush() error {
	k, l := q.keeper, &q.load
	whole := 0 // so many are the sink's now, and stay in memory, too
	if l.spots == nil {
		// What is behind the sink's batch is as if it had never been taken.
		q.giveBack(l.values[l.limit:], l.entries[l.limit:])
		clear(l.values[l.limit:])
		l.values, l.entries = l.values[:l.limit], l.entries[:l.limit]
		whole = len(l.values) - l.next
	}
	if whole == 0 && len(q.held) == 0 {
		return nil
	}
	values, entries := q.held, q.entries
	if whole > 0 {
		values = slices.Concat(l.values[l.next:], q.held)
		entries = slices.Concat(l.entries[l.next:], q.entries)
	}
	q.held, q.entries = nil, nil
	k.busy, k.writing = true, whole > 0
	var err error
	done := 0
	for done < len(values) && err == nil {
		var n int
		n, err = q.flushChunk(values[done:], entries[done:], max(whole-done, 0))
		clear(values[done : done+n]) // there is room for others now
		done += n
	}
	done = max(done, whole)
	q.giveBack(values[done:], entries[done:])
	k.busy, k.writing = false, false
	k.moved.Broadcast()
	q.signal()
	return err
}

// giveBack puts values before those held.
func (q *Queue[T]) giveBack(values []T, entries []entry) {
	if len(values) > 0 {
		q.held = append(slices.Clone(values), q.held...)
		q.entries = append(slices.Clone(entries), q.entries...)
	}
}

// flushChunk writes as many of values as go out in one piece, but at least the
// first whole ones, and returns how many.
func (q *Queue[T]) flushChunk(values []T, entries []entry, whole int) (int, error) {
	k := q.keeper
	q.mu.Unlock()
	now := time.Now().UnixNano()
	limit := int(min(256<<10, k.segmentBytes()/2))
	b, ends := k.out[:0], k.ends[:0]
	for i, v := range values {
		e := entries[i]
		if e.at == 0 {
			e.at = now
		}
		before := len(b)
		b = appendFrame(b, k.codec, v, e)
		if i > 0 && i >= whole && len(b) > limit {
			b = b[:before]
			break
		}
		ends = append(ends, int64(len(b)))
	}
	n := len(ends)
	if k.out, k.ends = b, ends; cap(b) > 4<<20 {
		k.out = nil
	}
	q.mu.Lock()
	size := int64(len(b)) + spoolHead
	if size > k.config.Bytes {
		return q.tooLarge(values[:n], entries, whole), nil
	}
	full := k.stats.Bytes+size > k.config.Bytes
	for k.stats.Bytes+size > k.config.Bytes {
		if q.config.Policy == Wait && !q.over() {
			return 0, errSpoolFull
		}
		if err := q.dropOldest(); err != nil {
			return 0, err
		}
	}
	q.mu.Unlock()
	err := k.clean()
	at, writeErr := spot{}, error(nil)
	if err == nil {
		at, writeErr = k.append(b)
	}
	if full {
		q.complain(SpoolFull)
	}
	q.mu.Lock()
	if err = errors.Join(err, writeErr); err != nil {
		return 0, err
	}
	q.publish(at, ends, entries, whole)
	return n, nil
}

// publish makes what was written part of the spool: it begins at p and the
// values end, counted from there, at ends. The lock is held.
func (q *Queue[T]) publish(p spot, ends []int64, entries []entry, whole int) {
	k, l, g := q.keeper, &q.load, q.keeper.current
	if k.find(g.id) == nil {
		k.segments = append(k.segments, g)
		k.stats.Segments++
		k.stats.Bytes += g.size
	}
	if whole > 0 {
		l.spots = make([]spot, len(l.values))
	}
	begin := p.begin
	for i, end := range ends {
		p.end = begin + end
		g.values++
		g.left.add(entries[i].Count)
		q.stats.Depth.take(entries[i].Count)
		q.stats.Spooled.add(entries[i].Count)
		if i < whole {
			l.spots[l.next+i] = p
		} else {
			if k.unread == 0 {
				k.cursor = p
			}
			k.unread++
		}
		p.begin = p.end
	}
	k.gone += int64(len(ends))
	k.stats.Bytes += p.end - g.size
	g.size = p.end
	k.writing = false
	k.moved.Broadcast()
	if q.stats.Depth.Bytes <= q.config.Bytes/2 {
		q.room.Broadcast()
	}
}

// tooLarge deals with values that are larger than the whole spool: what the sink
// has now stays in memory, anything else is dropped. The lock is held.
func (q *Queue[T]) tooLarge(values []T, entries []entry, whole int) int {
	k := q.keeper
	if whole > 0 {
		q.load.spots = make([]spot, len(q.load.values))
		k.gone += int64(whole)
		k.writing = false
		k.moved.Broadcast()
		return whole
	}
	for i, v := range values {
		q.stats.Depth.take(entries[i].Count)
		q.drop(SpoolFull, v, entries[i].Count)
	}
	k.gone += int64(len(values))
	return len(values)
}

// dropOldest drops the oldest segment. What the sink has of it just now is in
// memory, too, and stays there. The lock is held, and may be given up meanwhile.
func (q *Queue[T]) dropOldest() error {
	k, l := q.keeper, &q.load
	if len(k.segments) == 0 {
		return errSpoolFull // files that could not be removed
	}
	g := k.segments[0]
	if g == k.current {
		q.mu.Unlock()
		err := k.seal()
		q.mu.Lock()
		if err != nil {
			return err
		}
	}
	if l.spots != nil {
		for i := l.next; i < len(l.values); i++ {
			if l.spots[i].segment != g.id {
				continue
			}
			l.spots[i] = spot{}
			g.values--
			g.left.take(l.entries[i].Count)
			q.stats.Spooled.take(l.entries[i].Count)
			q.stats.Depth.add(l.entries[i].Count)
		}
	}
	q.lose(g, SpoolFull)
	k.forget()
	return nil
}

// lose counts all that is left of g, none of which was read, as dropped. The
// lock is held.
func (q *Queue[T]) lose(g *segment, why Reason) {
	q.stats.Dropped[why].add(g.left)
	q.stats.Spooled.take(g.left)
	q.keeper.unread -= g.values
	g.values, g.left = 0, Count{}
}

// forget takes the oldest segment off the list. The lock is held.
func (s *spool) forget() {
	g := s.segments[0]
	s.segments = s.segments[1:]
	s.stats.Segments--
	s.stats.Bytes -= g.size
	s.garbage = append(s.garbage, s.path(g.id))
}

// sweep removes what is delivered.
func (q *Queue[T]) sweep() {
	k := q.keeper
	q.mu.Lock()
	for len(k.segments) > 0 && k.segments[0].values == 0 {
		if k.segments[0] == k.current {
			if k.unread > 0 {
				break
			}
			_ = k.active.Close() // what is in it is of no use any more
			k.active, k.current, k.dirty = nil, nil, false
		}
		k.forget()
	}
	q.mu.Unlock()
	if err := k.clean(); err != nil {
		q.mu.Lock()
		k.stats.Errors++
		q.mu.Unlock()
	}
}

// settleKept is settle for a queue with a spool.
func (q *Queue[T]) settleKept(n int, why Reason) {
	q.mu.Lock()
	k, l := q.keeper, &q.load
	for k.writing {
		k.moved.Wait()
	}
	var all Count
	var last spot
	swept := false
	for i := l.next; i < l.next+n; i++ {
		size := l.entries[i].Count
		all.add(size)
		switch {
		case l.spots == nil:
			q.stats.Depth.take(size)
			k.gone++
		case l.spots[i].segment == 0:
			q.stats.Depth.take(size)
		default:
			last = l.spots[i]
			q.stats.Spooled.take(size)
			if g := k.find(last.segment); g != nil {
				g.values--
				g.left.take(size)
				swept = swept || g.values == 0
			}
		}
		q.release(l.values[i])
	}
	clear(l.values[l.next : l.next+n])
	l.next += n
	if why == written {
		k.failing = false
	}
	q.settled(all, why)
	q.mu.Unlock()
	if last.segment == 0 {
		return
	}
	if err := k.settleTo(last); err != nil {
		q.mu.Lock()
		k.stats.Errors++
		q.mu.Unlock()
	}
	if swept {
		k.wake()
	}
}

package sink

import (
	"errors"
	"slices"
	"time"
)

// fetched is what came of reading from the spool.
type fetched uint8

const (
	nothing fetched = iota // look again
	loaded                 // there is a load
	later                  // what is there is for the next run
)

// fetchSpooled reads a batch from the spool and makes it the load. The lock is
// held, and given up meanwhile.
func (q *Queue[T]) fetchSpooled() fetched {
	k, l := q.keeper, &q.load
	g := k.toRead()
	if g == nil {
		k.unread = 0 // never: it counts what is in the segments
		return nothing
	}
	at, size := k.cursor.begin, g.size
	l.values, l.entries, l.spots, l.next, l.limit = l.values[:0], l.entries[:0], l.spots[:0], 0, 0
	q.mu.Unlock()
	values, entries, spots, end, err := q.readSpooled(g, at, size)
	q.mu.Lock()
	if k.find(g.id) == nil {
		return nothing // dropped meanwhile, with what was read
	}
	if errors.Is(err, errShut) {
		return q.shut(err)
	}
	k.shut, k.cursor.begin = false, end
	if err != nil {
		q.config.Log.Error("records of the spool are lost", "records", g.left.Records, "error", err)
		q.lose(g, SpoolLost)
		k.cursor.begin = g.size
		k.wake()
		return nothing
	}
	// What cannot be decoded, although it is what was written, is of another
	// version of the program.
	kept := 0
	for i, p := range spots {
		k.unread--
		if p.segment == 0 {
			g.values--
			g.left.take(entries[i].Count)
			q.stats.Spooled.take(entries[i].Count)
			q.stats.Dropped[SpoolLost].add(entries[i].Count)
			continue
		}
		values[kept], entries[kept], spots[kept] = values[i], entries[i], p
		kept++
	}
	l.values, l.entries, l.spots = values[:kept], entries[:kept], spots[:kept]
	if kept == 0 {
		k.wake() // the segment may be of no use any more
		return nothing
	}
	return loaded
}

// shutPause is how long a file of the spool that cannot be opened is left alone.
const shutPause = time.Second

// shut waits before the spool is read again, until the queue is closing. The
// lock is held, and given up meanwhile.
func (q *Queue[T]) shut(err error) fetched {
	k := q.keeper
	k.stats.Errors++
	if !k.shut {
		k.shut = true
		q.config.Log.Warn("the spool cannot be read: what is in it waits", "error", err)
	}
	q.mu.Unlock()
	defer q.mu.Lock()
	timer := time.NewTimer(shutPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nothing
	case <-q.ending:
		return later
	}
}

// toRead returns the segment to read on in, nil for none, and moves the cursor
// there. The lock is held.
func (s *spool) toRead() *segment {
	for _, g := range s.segments {
		if g.id < s.cursor.segment {
			continue
		}
		if g.id > s.cursor.segment {
			s.cursor = spot{segment: g.id, begin: spoolHead}
		}
		if s.cursor.begin < g.size {
			return g
		}
	}
	return nil
}

// readSpooled reads a batch of g from at on and returns where it ends. A value
// that cannot be decoded has the zero spot.
func (q *Queue[T]) readSpooled(g *segment, at, size int64) (values []T, entries []entry, spots []spot, end int64, err error) {
	k, l := q.keeper, &q.load
	values, entries, spots = l.values, l.entries, l.spots
	b, err := k.read(g.id, at, size)
	if err != nil {
		return nil, nil, nil, at, err
	}
	var bytes int64
	for bytes < q.config.Batch && len(values) < q.config.Records {
		n, err := frameLength(b)
		if err != nil || n > int64(len(b)) {
			break // the rest is for the next time
		}
		e, value, err := cutFrame(b[:n])
		b = b[n:]
		if err != nil && !slices.Contains(g.decay, at) {
			if len(values) > 0 {
				break
			}
			return nil, nil, nil, at, err
		}
		if err == nil {
			v, err := k.codec.Decode(value)
			p := spot{segment: g.id, begin: at, end: at + n}
			if err != nil {
				p = spot{}
			}
			values, entries, spots = append(values, v), append(entries, e), append(spots, p)
			bytes += e.Bytes
		}
		at += n
	}
	return values, entries, spots, at, nil
}

package sink

import (
	"slices"
)

// fetchSpooled reads a batch from the spool and makes it the load. It reports
// false when that was nothing and fetch has to look again. The lock is held, and
// given up meanwhile.
func (q *Queue[T]) fetchSpooled() bool {
	k, l := q.keeper, &q.load
	g := k.toRead()
	if g == nil {
		k.unread = 0 // never: it counts what is in the segments
		return false
	}
	at, size := k.cursor.begin, g.size
	l.values, l.entries, l.spots, l.next, l.limit = l.values[:0], l.entries[:0], l.spots[:0], 0, 0
	q.mu.Unlock()
	values, entries, spots, end, err := q.readSpooled(g, at, size)
	q.mu.Lock()
	if k.find(g.id) == nil {
		return false // dropped meanwhile, with what was read
	}
	k.cursor.begin = end
	if err != nil {
		q.config.Log.Error("records of the spool are lost", "records", g.left.Records, "error", err)
		q.lose(g, SpoolLost)
		k.cursor.begin = g.size
		k.wake()
		return false
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
	return kept > 0
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

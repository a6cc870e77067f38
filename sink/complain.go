package sink

import "time"

// cure says what helps against drops for a reason.
func (r Reason) cure() string {
	switch r {
	case Full:
		return "raise queue.bytes, or see why the sink is slow"
	case SpoolFull:
		return "raise spool.bytes, or see why the sink fails"
	case Expired:
		return "raise retry.age, or see why the sink fails"
	}
	return ""
}

// complaintPause is between two lines about one reason: the counters tell the
// rest.
const complaintPause = time.Minute

// complaint is when drops for one reason were last logged, and how many there
// were by then.
type complaint struct {
	at      time.Time
	records int64
}

// complains tells whether it is time to log drops for a reason, and how many came
// since the last time. The lock is held.
func (q *Queue[T]) complains(why Reason) (records int64, ok bool) {
	now, c := time.Now(), &q.complaints[why]
	if !c.at.IsZero() && now.Sub(c.at) < complaintPause {
		return 0, false
	}
	if records = q.stats.Dropped[why].Records - c.records; records == 0 {
		return 0, false
	}
	c.at, c.records = now, q.stats.Dropped[why].Records
	return records, true
}

// complain logs drops for a reason, unless it has just done so. The lock is not
// held.
func (q *Queue[T]) complain(why Reason) {
	q.mu.Lock()
	n, ok := q.complains(why)
	q.mu.Unlock()
	if ok {
		q.config.Log.Warn("records dropped", "records", n, "reason", why.String(), "cure", why.cure())
	}
}

package sink

// Stats are the counts of one queue. Pushed = Written + all Dropped + Depth.
type Stats struct {
	Pushed  Count
	Written Count // delivered by the sink
	Dropped [Reasons]Count
	Depth   Count // held now, what is being delivered included
	Peak    int64 // the most bytes that were ever held
	Writes  int64 // deliveries
}

// Count counts records and the bytes they hold in memory.
type Count struct{ Records, Bytes int64 }

func (c *Count) add(records, bytes int64) {
	c.Records += records
	c.Bytes += bytes
}

// Lost returns all that was dropped, whatever the reason.
func (s *Stats) Lost() Count {
	var all Count
	for _, c := range s.Dropped {
		all.add(c.Records, c.Bytes)
	}
	return all
}

// Reason says why a queue dropped a record.
type Reason uint8

// The reasons.
const (
	Full        Reason = iota // the queue was full: raise its bytes, or the sink is too slow
	Failed                    // the sink failed
	Undelivered               // the time for closing was over
	Reasons                   // how many there are
)

// String returns the counter name of the reason.
func (r Reason) String() string {
	switch r {
	case Full:
		return "queue_full"
	case Failed:
		return "sink_failed"
	}
	return "undelivered"
}

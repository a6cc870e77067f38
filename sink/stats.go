package sink

// Stats are the counts of one queue.
// Pushed + Recovered = Written + all Dropped + Spooled + Depth.
type Stats struct {
	Pushed    Count
	Recovered Count // found in the spool when the queue was opened
	Written   Count // delivered by the sink
	Dropped   [Reasons]Count
	Spooled   Count // in the spool and not yet delivered
	Depth     Count // in memory alone, what is being delivered included
	Peak      int64 // the most bytes that were ever in memory

	Writes  int64 // deliveries that the sink took, whole or in part
	Retries int64 // deliveries that the sink failed and that are tried again
	Circuit Circuit
	Opened  int64 // how often the circuit was opened

	Spool SpoolStats
}

// SpoolStats are the counts of a spool beside the sum.
type SpoolStats struct {
	Bytes    int64 // on the disk now
	Segments int64 // files now
	Errors   int64 // writes, syncs and attempts to read that failed; what they were about stays where it is and is tried again
	Torn     int64 // bytes cut off at opening: what was being written when an earlier run was killed
	Decayed  int64 // records skipped at opening: their checksum is wrong
}

// Circuit says how the queue stands to its sink.
type Circuit uint8

// The states of a circuit.
const (
	Closed Circuit = iota // deliveries go out as they come
	Open                  // the sink has failed several times in a row: it gets a small batch now and then, until it takes one
)

// String returns the name of the state.
func (c Circuit) String() string {
	if c == Open {
		return "open"
	}
	return "closed"
}

// Count counts records and the bytes they hold in memory.
type Count struct{ Records, Bytes int64 }

func (c *Count) add(d Count) {
	c.Records += d.Records
	c.Bytes += d.Bytes
}

func (c *Count) take(d Count) {
	c.Records -= d.Records
	c.Bytes -= d.Bytes
}

// Lost returns all that was dropped, whatever the reason.
func (s *Stats) Lost() Count {
	var all Count
	for _, c := range s.Dropped {
		all.add(c)
	}
	return all
}

// Reason says why a queue dropped a record.
type Reason uint8

// The reasons.
const (
	Full        Reason = iota // the queue was full: raise its bytes, or the sink is too slow
	Failed                    // the sink failed for good
	Undelivered               // the time for closing was over
	Refused                   // the sink said that it will never take it
	GaveUp                    // the attempts allowed were used up
	Expired                   // it had become older than allowed
	SpoolFull                 // the oldest of a full spool: raise its bytes
	SpoolLost                 // the spool could not be read back
	Shed                      // an earlier piece of the same stream was dropped
	Reasons                   // how many there are
)

var reasonNames = [Reasons]string{"queue_full", "sink_failed", "undelivered", "refused", "gave_up", "expired", "spool_full", "spool_lost", "stream_shed"}

// String returns the counter name of the reason.
func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return ""
}

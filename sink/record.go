package sink

import "github.com/passiflow/passiflow/message"

// Records is a queue of records.
type Records = Queue[*message.Exchange]

// NewRecords returns a queue before to.
func NewRecords(to Sink, c QueueConfig) *Records {
	return NewQueue[*message.Exchange](to, c, WeighExchange, nil)
}

// OpenRecords returns a queue before to, with a spool where c names a directory
// for it. What is in the spool is what was pushed: records after the rules.
func OpenRecords(to Sink, c QueueConfig) (*Records, error) {
	return OpenQueue[*message.Exchange](to, c, WeighExchange, message.ExchangeCodec{})
}

// exchangeBytes is about what an exchange takes beside its messages: an
// allocator rounds up.
const exchangeBytes = 128

// WeighExchange returns how many bytes x holds in memory, about.
func WeighExchange(x *message.Exchange) (records, bytes int64) {
	n := exchangeBytes + x.Request.Weight() + x.Response.Weight()
	for _, m := range x.Interim {
		n += m.Weight()
	}
	return 1, int64(n)
}

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

// Sizes in memory, about: what an allocator rounds up to is in them.
const (
	exchangeBytes = 128
	messageBytes  = 384
	fieldBytes    = 72
)

// WeighExchange returns how many bytes x holds in memory, about.
func WeighExchange(x *message.Exchange) (records, bytes int64) {
	bytes = exchangeBytes + weigh(x.Request) + weigh(x.Response)
	for _, m := range x.Interim {
		bytes += weigh(m)
	}
	return 1, bytes
}

func weigh(m *message.Message) int64 {
	if m == nil {
		return 0
	}
	n := messageBytes + len(m.Target) + cap(m.Body) + fieldBytes*len(m.Fields)
	for i := range m.Fields {
		n += len(m.Fields[i].Name) + len(m.Fields[i].Value)
	}
	return int64(n)
}

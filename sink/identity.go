package sink

import "github.com/passiflow/passiflow/message"

// Identity names a record among all, as its id does: the same record read back
// from a spool has the same. Its zero value stands for none.
type Identity struct {
	flow  uint64
	index uint32
	side  uint8
	known bool
}

// whole is the side of a record that is about a conversation as a whole.
const whole = 0xff

// Identify returns the identity of x: that of its conversation, and side and
// number of its first half. Two records without one are not the same.
func Identify(x *message.Exchange) Identity {
	m := x.Request
	if m == nil {
		m = x.Response
	}
	switch {
	case x.Flow == nil:
	case m != nil:
		return Identity{x.Flow.ID, m.Index, uint8(m.From), true}
	case x.Summary != nil:
		return Identity{x.Flow.ID, 0, whole, true}
	}
	return Identity{}
}

// maxAhead bounds what an Ahead remembers. It is more than a delivery has.
const maxAhead = 4 * maxRecords

// Ahead remembers records that were delivered although one before them was not:
// the queue comes back with all of them, in the same batches or in others. Its
// zero value is empty.
type Ahead struct{ all map[Identity]bool }

// Add notes that x was delivered. Of records without an identity it knows nothing.
func (a *Ahead) Add(x *message.Exchange) {
	id := Identify(x)
	if id == (Identity{}) {
		return
	}
	if a.all == nil || len(a.all) >= maxAhead { // of batches that the queue has dropped
		a.all = map[Identity]bool{}
	}
	a.all[id] = true
}

// Has tells whether x was delivered.
func (a *Ahead) Has(x *message.Exchange) bool { return len(a.all) > 0 && a.all[Identify(x)] }

// Forget takes off x, which the queue has settled.
func (a *Ahead) Forget(x *message.Exchange) {
	if len(a.all) > 0 {
		delete(a.all, Identify(x))
	}
}

package resurface

import (
	"sync"
	"sync/atomic"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// reason says what became of a record.
type reason uint8

const (
	sent       reason = iota
	otherKind         // no HTTP
	unpaired          // a request without its answer, or an answer without its request
	stopped           // a stop rule
	sampledOut        // the sample rule
	emptied           // the rules removed all of it
	tooLong           // a rule took too long to match, and what it would have hidden is unknown
	reasons
)

func (r reason) String() string {
	return [...]string{"sent", "not_http", "unpaired", "stopped", "sampled_out", "emptied", "rule_timeout"}[r]
}

// encoder is the format and the rule. What changes in it is counted atomically
// or taken from room.
type encoder struct {
	rules   *ruleSet
	limit   int
	host    []byte // `,["host","…"]]` and a line feed
	client  string // the name of the header for the client's address, lower case
	dropped [reasons]atomic.Uint64
	room    sync.Pool // of *work
}

func newEncoder(c Config, rules *ruleSet) *encoder {
	e := &encoder{rules: rules, limit: c.BodyLimit, client: lower(c.ClientHeader)}
	e.host = append(format.AppendQuoted([]byte(`,["host",`), c.Host), "]]\n"...)
	e.room.New = func() any { return newWork(rules) }
	return e
}

// line appends the line for x, or nothing and the reason why not.
func (e *encoder) line(dst []byte, x *message.Exchange, w *work) ([]byte, reason) {
	if x.Protocol != "http" && x.Protocol != "http2" {
		return dst, otherKind
	}
	if x.Request == nil || x.Response == nil {
		return dst, unpaired
	}
	e.build(x, w)
	if why := e.rules.apply(w, number(x)); why != sent {
		return dst, why
	}
	at := len(dst)
	for i := range w.pairs {
		p := &w.pairs[i]
		if i == 0 {
			dst = append(dst, '[')
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, p.name.opening()...)
		dst = format.AppendQuoted(dst, p.value)
		dst = append(dst, ']')
	}
	if len(dst) == at {
		return dst, emptied
	}
	return append(dst, e.host...), sent
}

// keep is how large a line may be whose room is kept for the next.
const keep = 256 << 10

func (e *encoder) put(w *work) {
	clear(w.pairs)
	if cap(w.line) > keep {
		w.line = nil
	}
	e.room.Put(w)
}

// number is a number of x that is the same in every run, and spread evenly.
func number(x *message.Exchange) uint64 {
	h := uint64(x.Request.From)<<32 | uint64(x.Request.Index)
	if x.Flow != nil {
		h ^= x.Flow.ID
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

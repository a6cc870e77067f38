package rule

import (
	"sync"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
)

// Set is the rules of one file, which run in its order. It may be used by many
// goroutines, and implements Rule.
type Set struct {
	steps   []step
	entries []*entry
	uses    uses // of all conditions
	scratch sync.Pool
}

// step is one rule, or several that only mask and have no condition.
type step struct {
	kind  kind
	rule  *entry
	when  *condition // nil: always
	masks *masks
	share uint64 // of 1<<63, for sample
}

type kind uint8

const (
	keepRule kind = iota
	dropRule
	sampleRule
	maskRule
)

// Apply implements Rule.
func (s *Set) Apply(x *message.Exchange) bool { return s.apply(x, nil) }

// Explain is Apply and tells what each rule did. It is slow.
func (s *Set) Explain(x *message.Exchange) (keep bool, did []Firing) {
	t := &trace{}
	keep = s.apply(x, t)
	return keep, t.list
}

// Count is what one rule has done so far.
type Count struct {
	Rule, What string
	Fired      uint64 // values masked, or records dropped
	Failed     uint64 // conditions that could not be evaluated
}

// Counts tells what the rules have done so far, in their order.
func (s *Set) Counts() []Count {
	all := make([]Count, len(s.entries))
	for i, e := range s.entries {
		all[i] = Count{e.String(), e.what, e.fired.Load(), e.fails.Load()}
	}
	return all
}

func (s *Set) apply(x *message.Exchange, t *trace) bool {
	var c *scratch
	keep := true
	for i := range s.steps {
		st := &s.steps[i]
		holds, known := true, true
		if st.when != nil {
			if c == nil {
				c, _ = s.scratch.Get().(*scratch)
				if c == nil {
					c = &scratch{}
				}
				c.filled = false
			}
			if holds, known = s.holds(c, st, x); !known {
				st.rule.fails.Add(1)
			}
		}
		switch st.kind {
		case maskRule:
			if holds || !known { // better too much than too little
				eachHalf(x, t, st.masks.half)
				if c != nil {
					c.filled = false
				}
			}
			continue
		case keepRule:
			keep = holds || !known
		case dropRule:
			keep = !holds || !known
		case sampleRule:
			keep = !holds || !known || lot(x) < st.share
		}
		if !keep {
			st.rule.fired.Add(1)
			if t != nil {
				t.list = append(t.list, Firing{Rule: st.rule.String(), What: st.rule.what})
			}
			break
		}
	}
	if c != nil {
		c.record = record{Request: asked{content: content{Headers: c.record.Request.Headers}}, Response: answered{content: content{Headers: c.record.Response.Headers}}}
		clear(c.record.Request.Headers)
		clear(c.record.Response.Headers)
		s.scratch.Put(c)
	}
	return keep
}

// holds evaluates the condition of st; known is false when that fails.
func (s *Set) holds(c *scratch, st *step, x *message.Exchange) (holds, known bool) {
	if !c.filled {
		c.fill(x, &s.uses)
	}
	v, err := c.machine.Run(st.when.program, &c.record)
	holds, known = v.(bool)
	return holds && err == nil, known && err == nil
}

// lot is a number from 0 to 1<<63 that is the same for the same record in every
// run.
func lot(x *message.Exchange) uint64 {
	m := x.Request
	if m == nil {
		m = x.Response
	}
	var v uint64
	if x.Flow != nil {
		v = x.Flow.ID
	}
	if m != nil {
		side := uint64(0)
		if m.From != flow.Client {
			side = 1
		}
		v += (uint64(m.Index)<<1 | side) * 0x9e3779b97f4a7c15
	}
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9 // the finalizer of splitmix64
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return (v ^ v>>31) >> 1
}

// Hide applies what masks of the rules, whatever their conditions say, and
// drops nothing: for whoever shows a record that the rules would drop.
func (s *Set) Hide(x *message.Exchange) {
	for i := range s.steps {
		if k := s.steps[i].masks; k != nil {
			eachHalf(x, nil, k.half)
		}
	}
}

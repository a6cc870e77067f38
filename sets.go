package passiflow

import (
	"context"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/source"
)

// set is the records of one unit under the same rules, on their way to the
// outputs that share them. It belongs to one worker.
type set struct {
	unit    Unit
	rules   rule.Rule // nil: none
	alone   bool      // nobody else gets these halves, so that they need no copy
	to      []Pusher[*message.Exchange]
	records []*message.Exchange
}

// newSets puts the outputs together that get the same records. An output with
// rules of its own shares with nobody.
func newSets(c *Config, tapes map[int]*tape) []*set {
	var all []*set
	var common [2]*set // by unit
	for i := range c.Outputs {
		o := &c.Outputs[i]
		unit, to := o.Unit, o.Records
		if t := tapes[i]; t != nil {
			unit, to = UnitExchange, t
		}
		if to == nil || unit != UnitExchange && unit != UnitMessage {
			continue
		}
		s := common[unit]
		if s == nil || o.Rules != nil {
			s = &set{unit: unit, rules: o.Rules, records: make([]*message.Exchange, 0, source.Batch)}
			all = append(all, s)
			if o.Rules == nil {
				s.rules, common[unit] = c.Rules, s
			}
		}
		s.to = append(s.to, to)
	}
	for _, s := range all {
		s.alone = len(all) == 1
	}
	return all
}

// take lets the rules decide about x and keeps what is left for the outputs.
func (w *worker) take(unit Unit, x *message.Exchange) {
	if w.cfg.Own != nil && w.cfg.Own(x.Flow) {
		w.count.Own++
		return
	}
	for _, s := range w.sets {
		if s.unit != unit {
			continue
		}
		y := x
		if !s.alone {
			y = x.Clone()
		}
		if s.rules == nil || w.apply(s.rules, y) {
			s.records = append(s.records, y)
		}
	}
}

// apply runs rules over x. What they fail on does not leave: it may not be
// masked.
func (w *worker) apply(r rule.Rule, x *message.Exchange) (keep bool) {
	defer func() {
		if cause := recover(); cause != nil {
			keep = false
			w.count.RuleFailed++
			w.notes.unruled(x.Flow, cause)
		}
	}()
	if r.Apply(x) {
		return true
	}
	w.count.Dropped++
	return false
}

// push hands the records to the queues of the outputs.
func (s *set) push(ctx context.Context) {
	if len(s.records) == 0 {
		return
	}
	for _, to := range s.to {
		to.Push(ctx, s.records)
	}
	clear(s.records)
	s.records = s.records[:0]
}

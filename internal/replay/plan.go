package replay

import (
	"cmp"
	"errors"
	"slices"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// Recording is what was read of a file: its requests, by conversation.
type Recording struct {
	// Requests is how many there are, those that are not sent included.
	Requests int
	// Sendable is how many are sent in one round.
	Sendable int
	// Refused counts, by reason, the requests that are not sent.
	Refused map[string]int
	// Skipped counts what is no request.
	Skipped map[string]int

	options *Options
	bytes   int64
	byFlow  map[uint64][]*message.Exchange
	answers map[[2]uint64]*message.Exchange // without their requests, by flow and pair
	all     []*conversation
	begin   packet.Time
}

func newRecording(o *Options) *Recording {
	return &Recording{options: o, Refused: map[string]int{}, Skipped: map[string]int{}, byFlow: map[uint64][]*message.Exchange{}, answers: map[[2]uint64]*message.Exchange{}}
}

func (r *Recording) refuse(why string, n int) { r.Refused[why] += n }
func (r *Recording) skip(what string, n int)  { r.Skipped[what] += n }

const answerAlone = "answer alone"

// Conversations returns how many there are with something to send.
func (r *Recording) Conversations() int { return len(r.all) }

// conversation is what one client asked one server on one connection.
type conversation struct {
	flow  *flow.Flow
	steps []step
}

// step is one request.
type step struct {
	x *message.Exchange
	// after is how many answers to the steps before it had come when it was
	// recorded: less than there are steps before it where the client pipelined.
	after int
}

func (s *step) start() packet.Time { return s.x.Request.Start }

// wanted tells whether conversations with this port of the server are replayed.
func (r *Recording) wanted(port uint16) bool { return r.options.Ports == nil || r.options.Ports(port) }

// add takes one exchange.
func (r *Recording) add(x *message.Exchange) error {
	if x.Flow == nil || x.Request == nil && x.Response == nil {
		return nil
	}
	if !r.wanted(x.Flow.Server.Port()) {
		return nil
	}
	if err := r.weigh(x); err != nil {
		return err
	}
	if x.Request != nil {
		r.Requests++
		r.byFlow[x.Flow.ID] = append(r.byFlow[x.Flow.ID], x)
		return nil
	}
	key := [2]uint64{x.Flow.ID, x.Pair}
	if x.Response.Interim || x.Pair != 0 && r.answers[key] != nil {
		return nil
	}
	if x.Pair == 0 {
		r.skip(answerAlone, 1)
		return nil
	}
	r.answers[key] = x
	return nil
}

// plan decides what is sent, in which order, and what must have come before.
func (r *Recording) plan() error {
	var scratch []byte
	for _, all := range r.byFlow {
		c := &conversation{flow: all[0].Flow}
		for _, x := range all {
			if x.Response == nil && x.Pair != 0 {
				// Halves that were told apart, or an answer that came late.
				if a := r.answers[[2]uint64{x.Flow.ID, x.Pair}]; a != nil {
					joined := *x
					joined.Response = a.Response
					x = &joined
					delete(r.answers, [2]uint64{x.Flow.ID, x.Pair})
				}
			}
			if rules := r.options.Rules; rules != nil && !rules.Apply(x) {
				r.refuse("dropped by rule", 1)
				continue
			}
			var why wire.Refusal
			if scratch, why = r.options.Request.Append(scratch[:0], x); why != wire.Sendable {
				r.refuse(string(why), 1)
				continue
			}
			c.steps = append(c.steps, step{x: x})
		}
		if len(c.steps) > 0 {
			r.all = append(r.all, c)
		}
	}
	if n := len(r.answers); n > 0 {
		r.skip(answerAlone, n)
	}
	r.byFlow, r.answers = nil, nil
	for _, c := range r.all {
		slices.SortStableFunc(c.steps, func(a, b step) int {
			return cmp.Or(cmp.Compare(a.start(), b.start()), cmp.Compare(a.x.Request.Index, b.x.Request.Index))
		})
		c.order()
	}
	slices.SortFunc(r.all, func(a, b *conversation) int {
		return cmp.Or(cmp.Compare(a.steps[0].start(), b.steps[0].start()), cmp.Compare(a.flow.ID, b.flow.ID))
	})
	r.cut()
	for _, c := range r.all {
		r.Sendable += len(c.steps)
	}
	if len(r.all) > 0 {
		r.begin = r.all[0].steps[0].start()
	}
	if r.Requests == 0 {
		return errNothing
	}
	return nil
}

var errNothing = errors.New("the recording holds no HTTP request")

// order finds out which answers each request had waited for. Where an answer
// was not seen, the client is taken for one that waits.
func (c *conversation) order() {
	for i := range c.steps {
		s := &c.steps[i]
		for j := i - 1; j >= 0; j-- {
			a := c.steps[j].x.Response
			if a == nil || max(a.End, a.Start) <= s.start() {
				s.after = j + 1
				break
			}
		}
	}
}

// cut leaves the first Limit requests.
func (r *Recording) cut() {
	if r.options.Limit <= 0 {
		return
	}
	var starts []packet.Time
	for _, c := range r.all {
		for i := range c.steps {
			starts = append(starts, c.steps[i].start())
		}
	}
	if len(starts) <= r.options.Limit {
		return
	}
	slices.Sort(starts)
	last := starts[r.options.Limit-1]
	before, _ := slices.BinarySearch(starts, last)
	room, cut := r.options.Limit-before, 0 // for those that began at the same moment
	for _, c := range r.all {
		n := 0
		for ; n < len(c.steps) && c.steps[n].start() <= last; n++ {
			if c.steps[n].start() == last {
				if room == 0 {
					break
				}
				room--
			}
		}
		cut += len(c.steps) - n
		c.steps = c.steps[:n]
	}
	r.all = slices.DeleteFunc(r.all, func(c *conversation) bool { return len(c.steps) == 0 })
	r.refuse("over the limit", cut)
}

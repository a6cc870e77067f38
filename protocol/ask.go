package protocol

import (
	"math"
	"slices"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// pairs is what a stream knows of who asked and who answered.
type pairs struct {
	queue     []*ask       // requests without an answer, and gaps between them
	asking    *ask         // the request that is open
	answering *ask         // the request whose answer is open; nil: unknown
	replyWhy  message.Half // why the open answer has no request
	sure      bool         // the next answer belongs to the first request of queue
	pipelined bool         // the client was seen to send a request before the answer to the one before
	newest    reply
	spent     uint64 // offset behind the last answer that has its request
	stopped   uint64 // offset behind the last answer
	hidden    bool   // bytes of the answering side were lost since newest
	doubt     bool   // requests may have been lost
	holes     bool   // and not only before the first that was seen
	trial     bool   // sure rests on turns taken after a gap: see trial.go
	onTrial   []*ask
	tried     int         // exchanges that were on trial since it began
	rested    packet.Time // not 0: what was on trial is handed on, and nothing was said since then
}

// ask is a request on its way to its answer, with the exchange it will be, or a
// gap between requests.
type ask struct {
	message.Exchange
	asked    int    // what the request weighs, once it is complete
	answered int    // what the answer weighs, once it is complete
	before   []int  // what each of Interim weighs
	ack      uint64 // up to where its sender had received of the answering side when it began
	gap      *gap
	turn     bool // what was lost before it had been answered when it was sent
	done     bool // the request is complete
	whole    bool // the answer is complete
	told     bool // the request was handed on as a half
}

// reply is where the newest answer began.
type reply struct {
	begin uint64
	ack   uint64 // up to where the answering side had received
}

// meet takes the first chunk of a side.
func (s *stream) meet(from flow.Side, c *flow.Chunk) {
	switch {
	case !c.Mid:
	case from == flow.Client:
		s.sure, s.doubt = false, true
	case c.Offset != s.sides[flow.Server].to:
		s.sure, s.hidden = false, true // answers before it were not seen
	}
}

// swapped forgets what was concluded while the roles were mistaken.
func (s *stream) swapped() {
	s.sure = s.sure && !s.sides[flow.Client].mid && !s.sides[flow.Server].mid
	s.doubt = s.sides[flow.Client].mid
	s.hidden = s.sides[flow.Server].mid
	s.newest = reply{}
}

// Begin implements Out.
func (s *stream) Begin(m *message.Message) *message.Message {
	d := &s.sides[m.From]
	if d.cur != nil {
		s.End(d.cur) // a side says one thing at a time
	}
	if d.gap.set {
		if m.Begin > d.gap.to && d.gap.open == nil {
			// What was skipped behind the gap may hide as much.
			d.gap.to, d.gap.by = m.Begin, flow.AckUnknown
		}
		s.judge(m.From)
	} else if d.vague || d.index > 0 && m.Begin > d.past+blank {
		s.hide(m)
	}
	k := d.at(m.Begin)
	m.Start = k.time
	m.Index = d.index
	d.index++
	d.cur = m
	s.crossed = s.crossed || m.From != s.core.in.From
	s.waiting++
	s.core.waiting++
	if m.From == flow.Client {
		s.core.stats.Requests++
		if !m.Lone {
			s.ask(m, k.ack)
		}
		return nil
	}
	if m.Interim {
		s.core.stats.Interim++
	} else {
		s.core.stats.Answers++
	}
	if m.Lone {
		return nil
	}
	s.stray(m.Begin)
	return s.reply(m, k.ack)
}

// judge decides whether the gap just passed on a side hid where messages begin
// and end. It did not if the message that was open before reaches over it.
func (s *stream) judge(from flow.Side) {
	d := &s.sides[from]
	g := d.gap
	d.gap = gap{}
	if g.open != nil && (d.cur == g.open || g.open.Stop >= g.to) {
		return
	}
	d.past = math.MaxUint64 - blank // what is skipped from here on is behind the gap
	s.unsure(from, &g)
}

// hide judges what lies between m and the message before it on its side, of which
// nothing is missing: the decoder skipped it, or others may see it begin or end
// elsewhere. It may hide messages as a gap does.
func (s *stream) hide(m *message.Message) {
	d := &s.sides[m.From]
	g := gap{set: true, there: true, from: d.past, to: m.Begin, by: flow.AckUnknown}
	if d.vague {
		g.open = m // part of a message that was seen
	}
	s.unsure(m.From, &g)
}

// unsure takes a gap on a side that may hide where messages begin and end.
func (s *stream) unsure(from flow.Side, g *gap) {
	s.sides[from].vague = false
	s.holes, s.rested = true, 0
	if from == flow.Server {
		s.sure, s.hidden = false, true
		return
	}
	s.doubt = true
	s.queue = append(s.queue, &ask{gap: g})
}

// ask queues a request.
func (s *stream) ask(m *message.Message, ack uint64) {
	a := &ask{Exchange: message.Exchange{Flow: s.flow, Protocol: s.proto.Name, Request: m}, ack: ack, turn: true}
	s.asking = a
	d := &s.sides[flow.Server]
	if m.Index == 0 && !d.begun && ack != flow.AckUnknown {
		d.to = ack
	}
	// What its sender has received of the answering side and the capture has
	// not: nobody knows what was answered there.
	unseen := ack != flow.AckUnknown && ack > d.to
	if unseen {
		s.sure = false
	} else if s.rested != 0 && len(s.queue) == 0 && s.answering == nil {
		s.resume(m.Start)
	}
	s.rested = 0
	if n := len(s.queue); n > 0 {
		if before := s.queue[n-1]; before.gap == nil && (s.sure || before.ack == ack) {
			s.pipelines()
		}
		for i := n - 1; i >= 0; i-- {
			if g := s.queue[i].gap; g != nil {
				s.turn(a, g, i == n-1 && !unseen)
				break
			}
		}
	}
	if s.answering != nil && !unseen || ack < s.spent {
		s.pipelines() // it was sent before its sender had the answer to the one before
	}
	s.queue = append(s.queue, a)
	if n := len(s.queue) - s.core.cfg.Outstanding; n > 0 {
		s.sure = false
		s.unask(n, message.AnswerLate) // the oldest, gaps among them; what comes after them needs proof
	}
}

// turn judges whether what a gap before a lost had been answered when a was
// sent. next: a is the first request behind it, and the answering side is seen
// as far as its sender had received.
func (s *stream) turn(a *ask, g *gap, next bool) {
	// A gap that began inside a request may hide no further one.
	hides := g.open == nil
	past := a.ack > s.spent || !hides && a.ack == s.spent
	a.turn = a.ack != flow.AckUnknown && past && (g.by < a.ack || s.newest.ack >= g.to && s.newest.begin < a.ack)
	if next && !a.turn && !s.hidden && (s.newest.ack <= g.from || hides && a.ack <= s.spent) {
		// Nothing that its sender had received can be the answer to what was
		// lost: it did not wait for one.
		s.pipelines()
	}
}

// reply finds the request that an answer belongs to. What counts as proof is
// the table in RATIONALE.md, under "What proves a pair".
func (s *stream) reply(m *message.Message, ack uint64) *message.Message {
	a := s.numbered(m)
	if a == nil && m.Key == 0 {
		a = s.inTurn(m, ack)
	}
	s.answering = a
	if ack != flow.AckUnknown {
		s.newest, s.hidden = reply{m.Begin, ack}, false
	}
	if a == nil {
		s.replyWhy = s.why(m, ack)
		return nil
	}
	if m.Interim {
		return s.proven(a)
	}
	a.Response = m
	if i := slices.Index(s.queue, a); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	return s.proven(a)
}

// proven returns the request of a for the decoder, which reads the answer by it.
// While the pair is on trial it gets none, and must find out by what follows,
// unless the request is one whose answer has no content: what follows may then
// be long in coming.
func (s *stream) proven(a *ask) *message.Message {
	if s.trial && !bodiless(a.Request) {
		return nil
	}
	return a.Request
}

// numbered finds a request by the key both carry.
func (s *stream) numbered(m *message.Message) *ask {
	if m.Key == 0 {
		return nil
	}
	for _, a := range s.queue {
		if a.gap == nil && a.Request.Key == m.Key {
			return a
		}
	}
	return nil
}

// inTurn finds the request of an answer by order, where order proves it.
func (s *stream) inTurn(m *message.Message, ack uint64) *ask {
	if s.sure {
		if len(s.queue) == 0 {
			// The answering side has received bytes that the capture has not:
			// a request among them would come next.
			if c := &s.sides[flow.Client]; ack != flow.AckUnknown && ack > c.to || len(c.held) > 0 {
				s.sure = false
			} else {
				s.refute()
			}
			return nil
		}
		if a := s.queue[0]; a.gap == nil {
			if ack != flow.AckUnknown && ack <= a.Request.Begin || a.ack != flow.AckUnknown && a.ack > m.Begin {
				s.refute()
				return nil // sent before the request was there, or received before it was made
			}
			return a
		}
		s.sure = false
	}
	if s.pipelined || ack == flow.AckUnknown {
		return nil
	}
	for i, a := range s.queue {
		if a.gap == nil && a.turn && a.ack == m.Begin && a.Request.Begin < ack {
			// Its sender had received everything before this answer and
			// nothing of it, and the answering side had the request.
			s.unask(i, message.AnswerLost)
			s.sure, s.trial = true, s.doubt
			return a
		}
	}
	return nil
}

// unask hands on the first n entries of the queue as halves.
func (s *stream) unask(n int, why message.Half) {
	for _, a := range s.queue[:n] {
		s.unanswered(a, why)
	}
	s.queue = slices.Delete(s.queue, 0, n)
}

// overdue hands on what waited long enough.
func (s *stream) overdue(now packet.Time) {
	if t := s.quiet(); t != 0 && now >= t {
		s.rest()
	}
	for _, a := range s.queue {
		if a.gap != nil || a.told {
			continue
		}
		if !a.done || now < s.deadline(a) {
			break
		}
		s.late(a)
	}
	if m := s.streaming(); m != nil && now >= m.Start.Add(s.core.cfg.OpenWait) {
		s.handOver(m)
	}
}

// deadline returns how long the first request that is complete waits for its
// answer: an answer whose head is coming, however slowly, is worth waiting for.
func (s *stream) deadline(a *ask) packet.Time {
	since := a.Request.End
	if d := &s.sides[flow.Server]; len(d.held) > 0 && d.marked {
		since = max(since, d.last().time)
	}
	return since.Add(s.core.cfg.AnswerWait)
}

// wake returns when overdue has something to do.
func (s *stream) wake() (at packet.Time) {
	for _, a := range s.queue {
		if a.gap != nil || a.told {
			continue
		}
		if a.done {
			at = s.deadline(a)
		}
		break
	}
	if m := s.streaming(); m != nil {
		if t := m.Start.Add(s.core.cfg.OpenWait); at == 0 || t < at {
			at = t
		}
	}
	if t := s.quiet(); t != 0 && (at == 0 || t < at) {
		at = t
	}
	return at
}

// streaming returns the answer that is open and will be handed on before its
// end if that stays away.
func (s *stream) streaming() *message.Message {
	d := &s.sides[flow.Server]
	if m := d.cur; m != nil && !d.told && !m.Interim && !m.Lone {
		return m
	}
	return nil
}

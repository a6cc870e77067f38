package protocol

import (
	"slices"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// After a gap, turns that are taken prove a pair only if the lost bytes did not
// hold two requests of a client that always has one more on its way: then every
// answer looks like that to the next request, until one answer is left over.
// So the pairs made after a gap are on trial: they are held until the
// conversation has been quiet for a while with nothing left to answer, or is
// over. An answer too many refutes them all. What nothing refutes is not proven
// by that: the answer too many may still be to come, or never be sent. It is
// handed on as presumed, or in halves where only proof is wanted. The trial is
// over when it is the client that speaks first after so long a pause that no
// answer would have been waited for.

// maxTrial bounds the exchanges held of one conversation. What comes after so
// many is not held, and is presumed as they are.
const maxTrial = 64

// joined hands on a joined exchange, or holds it while it is on trial.
func (s *stream) joined(a *ask) {
	if !s.trial {
		s.hand(a)
		return
	}
	s.onTrial = append(s.onTrial, a)
	if s.tried++; s.tried > maxTrial {
		s.release()
	}
}

// release hands on what is on trial and was not refuted.
func (s *stream) release() {
	for i, x := range s.onTrial {
		s.onTrial[i] = nil
		if s.core.cfg.Pairing == Proven {
			s.part(x, s.pair(x.Request))
			continue
		}
		x.Presumed = true
		s.core.stats.Presumed++
		s.hand(x)
	}
	s.onTrial = s.onTrial[:0]
}

// part hands on the halves of an exchange that was on trial.
func (s *stream) part(x *ask, pair uint64) {
	s.half(x.Request, x.asked, message.PairUnproven, pair)
	for i, m := range x.Interim {
		s.half(m, x.before[i], message.PairUnproven, pair)
	}
	if bodiless(x.Request) && x.Response.Marks&message.CutEnd == 0 {
		// Where it ends was read by a request that may not be its own.
		m := *x.Response
		m.Marks |= message.CutEnd
		x.Response = &m
	}
	s.half(x.Response, x.answered, message.PairUnproven, pair)
}

func (s *stream) hand(a *ask) {
	c := s.core
	c.stats.Pairs++
	c.stats.Interims += uint64(len(a.Interim))
	s.gone(a.asked)
	s.gone(a.answered)
	for _, n := range a.before {
		s.gone(n)
	}
	if c.cfg.Exchanges {
		c.take.Exchange(&a.Exchange)
	}
}

// bodiless tells whether the answer to m has no content whatever its head says.
func bodiless(m *message.Message) bool { return m.Op == "HEAD" }

// quiet returns when the conversation rests if nothing is said before; 0: not now.
func (s *stream) quiet() packet.Time {
	if !s.trial || s.rested != 0 || s.asking != nil || s.answering != nil || len(s.queue) > 0 ||
		len(s.sides[flow.Client].held) > 0 || len(s.sides[flow.Server].held) > 0 {
		return 0
	}
	return s.latest().Add(s.core.cfg.Quiet)
}

// latest returns when something was said last.
func (s *stream) latest() packet.Time { return max(s.sides[0].newest, s.sides[1].newest) }

// rest hands on what is on trial in a pause with nothing left to answer.
func (s *stream) rest() {
	s.release()
	s.rested = s.latest()
}

// resume takes a request that comes first after a pause. Where no answer would
// have been waited for so long, none was outstanding, and the trial is over. For
// Proven that is not enough.
func (s *stream) resume(at packet.Time) {
	if s.core.cfg.Pairing == Likely && at >= s.rested.Add(s.core.cfg.AnswerWait) {
		s.trial, s.doubt, s.holes, s.tried = false, false, false, 0
	}
}

// refute ends the trial: the pairs are wrong, or may well be.
func (s *stream) refute() {
	if !s.trial {
		return
	}
	s.trial, s.sure, s.pipelined, s.rested, s.tried = false, false, true, 0, 0
	for i, x := range s.onTrial {
		s.onTrial[i] = nil
		s.part(x, 0)
	}
	s.onTrial = s.onTrial[:0]
	for _, a := range s.queue {
		s.unproven(a)
	}
	answer := &s.sides[flow.Server]
	if a := s.answering; a != nil && !answer.told {
		s.answering, s.replyWhy = nil, message.PairUnproven
		if a.Response != nil {
			s.unpair(a)
		}
	}
	if a := s.asking; a != nil && a.whole {
		s.half(a.Response, a.answered, message.PairUnproven, 0)
		s.unpair(a)
	}
}

// unproven hands on the interim answers of a by themselves.
func (s *stream) unproven(a *ask) {
	for i, m := range a.Interim {
		s.half(m, a.before[i], message.PairUnproven, 0)
	}
	a.Interim, a.before = nil, nil
}

// unpair puts a request whose answer was not its own back to wait.
func (s *stream) unpair(a *ask) {
	s.unproven(a)
	a.Response, a.whole = nil, false
	if !a.told {
		s.queue = slices.Insert(s.queue, 0, a)
	}
}

// stray refutes the trial where the answering side, up to offset, said what is
// no message: an answer was then read by a request that is not its own.
func (s *stream) stray(offset uint64) {
	if s.trial && !s.hidden && offset > s.stopped {
		s.refute()
	}
}

// pipelines notes that the client sends requests before it has the answer to
// the one before.
func (s *stream) pipelines() {
	s.refute()
	s.pipelined = true
}

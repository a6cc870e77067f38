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
// over. An answer too many refutes them all. Where the capture stops before that
// they are not proven either, unless all that is missing came before it began:
// then it takes a client that has always one more request on its way, and was
// never seen to, for a capture of one request and its answer to be doubted.

// maxTrial bounds the exchanges held of one conversation. A client that did all
// this without a pause has taken turns.
const maxTrial = 64

// joined hands on a joined exchange, or holds it while it is on trial.
func (s *stream) joined(x *message.Exchange) {
	if s.trial {
		if s.onTrial = append(s.onTrial, x); len(s.onTrial) > maxTrial {
			s.confirm()
		}
		return
	}
	s.hand(x)
}

func (s *stream) hand(x *message.Exchange) {
	c := s.core
	c.stats.Pairs++
	c.stats.Interims += uint64(len(x.Interim))
	s.gone(x.Request)
	s.gone(x.Response)
	for _, m := range x.Interim {
		s.gone(m)
	}
	if c.cfg.Exchanges {
		c.take.Exchange(x)
	}
}

// bodiless tells whether the answer to m has no content whatever its head says.
func bodiless(m *message.Message) bool { return m.Op == "HEAD" }

// quiet returns when the trial is passed if nothing is said before; 0: not now.
func (s *stream) quiet() packet.Time {
	if !s.trial || s.answering != nil || len(s.queue) > 0 {
		return 0
	}
	return max(s.sides[0].newest, s.sides[1].newest).Add(s.core.cfg.Quiet)
}

// confirm ends the trial: the pairs are right.
func (s *stream) confirm() {
	s.trial, s.doubt, s.holes = false, false, false
	for i, x := range s.onTrial {
		s.onTrial[i] = nil
		s.hand(x)
	}
	s.onTrial = s.onTrial[:0]
}

// refute ends the trial: the pairs are not proven.
func (s *stream) refute() {
	if !s.trial {
		return
	}
	s.trial, s.sure, s.pipelined = false, false, true
	for i, x := range s.onTrial {
		s.onTrial[i] = nil
		s.half(x.Request, message.PairUnproven, 0)
		s.unproven(x.Interim)
		if bodiless(x.Request) && x.Response.Marks&message.CutEnd == 0 {
			// Where it ends was read by a request that may not be its own.
			m := *x.Response
			m.Marks |= message.CutEnd
			x.Response = &m
		}
		s.half(x.Response, message.PairUnproven, 0)
	}
	s.onTrial = s.onTrial[:0]
	for _, a := range s.queue {
		s.unproven(a.Interim)
		a.Interim = nil
	}
	answer := &s.sides[flow.Server]
	if a := s.answering; a != nil && !answer.told {
		s.answering, s.replyWhy = nil, message.PairUnproven
		if a.Response != nil {
			s.unpair(a)
		}
	}
	if a := s.asking; a != nil && a.whole {
		s.half(a.Response, message.PairUnproven, 0)
		s.unpair(a)
	}
}

// unproven hands on interim answers by themselves.
func (s *stream) unproven(interim []*message.Message) {
	for _, m := range interim {
		s.half(m, message.PairUnproven, 0)
	}
}

// unpair puts a request whose answer was not its own back to wait.
func (s *stream) unpair(a *ask) {
	s.unproven(a.Interim)
	a.Response, a.Interim, a.whole = nil, nil, false
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

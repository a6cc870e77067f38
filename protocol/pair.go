package protocol

import (
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
)

// maxInterim bounds the interim answers kept for one exchange.
const maxInterim = 8

// End implements Out.
func (s *stream) End(m *message.Message) {
	d := &s.sides[m.From]
	if d.cur != m {
		return
	}
	s.core.bytes -= d.size
	d.cur, d.size = nil, 0
	switch {
	case m.Lone:
		s.ready(m, 0)
		s.half(m, message.LoneMessage, 0)
	case m.From == flow.Client:
		s.asked(m)
	default:
		s.replied(m)
	}
}

// asked completes the open request.
func (s *stream) asked(m *message.Message) {
	a := s.asking
	s.asking = nil
	if a == nil || a.m != m {
		return // shed while it was open
	}
	a.done = true
	if a.handed {
		if a.whole {
			s.core.freeAsk(a)
		}
		return
	}
	s.ready(m, s.pair(m))
	if a.whole {
		s.join(a)
	}
}

// replied completes the open answer.
func (s *stream) replied(m *message.Message) {
	a := s.answering
	s.answering = nil
	if a != nil {
		s.spent = m.Stop
	}
	switch {
	case a == nil:
		s.ready(m, 0)
		s.half(m, s.replyWhy, 0)
	case m.Interim:
		s.ready(m, s.pair(a.m))
		if a.told || len(a.interim) >= maxInterim {
			s.half(m, message.AnswerLate, s.pair(a.m))
			return
		}
		a.interim = append(a.interim, m)
	case a.handed:
		a.whole = true
		if a.done {
			s.core.freeAsk(a)
		}
	case a.told:
		s.ready(m, s.pair(a.m))
		s.half(m, message.AnswerLate, s.pair(a.m))
		s.core.freeAsk(a)
	default:
		a.whole = true
		s.ready(m, s.pair(a.m))
		if a.done {
			s.join(a)
		}
	}
}

// ready masks a half that will not change any more, and hands it on by itself
// where that is wanted.
func (s *stream) ready(m *message.Message, pair uint64) {
	s.core.take.Mask(m)
	if !s.core.cfg.Messages {
		return
	}
	x := &message.Exchange{Flow: s.flow, Protocol: s.proto.Name, Half: message.Unit, Pair: pair}
	if m.From == flow.Client {
		x.Request = m
	} else {
		x.Response = m
	}
	s.core.take.Message(x)
}

// join hands on a request with its answer.
func (s *stream) join(a *ask) {
	s.joined(&message.Exchange{Flow: s.flow, Protocol: s.proto.Name, Request: a.m, Response: a.answer, Interim: a.interim})
	s.core.freeAsk(a)
}

// handOver hands on an exchange whose answer goes on: what comes later of it is
// not told again.
func (s *stream) handOver(a *ask) {
	answer := *a.answer
	answer.Marks |= message.StillOpen
	answer.Body = answer.Body[:len(answer.Body):len(answer.Body)]
	answer.Size, answer.WireSize = -1, -1
	answer.Stop = s.sides[flow.Server].to
	s.ready(&answer, s.pair(a.m))
	request := a.m
	if !a.done {
		r := *a.m
		r.Marks |= message.StillOpen
		request = &r
		s.ready(request, s.pair(a.m))
	}
	a.handed = true
	s.joined(&message.Exchange{Flow: s.flow, Protocol: s.proto.Name, Request: request, Response: &answer, Interim: a.interim})
}

// late hands on a request whose answer did not come in time. It keeps its place
// in the queue, without its body.
func (s *stream) late(a *ask) {
	s.half(a.m, message.AnswerLate, s.pair(a.m))
	a.told = true
	m := *a.m
	m.Body = nil
	a.m = &m
}

// half hands on a message without a partner.
func (s *stream) half(m *message.Message, why message.Half, pair uint64) {
	s.core.stats.Halves++
	s.core.stats.HalfBy[why]++
	s.core.waiting--
	if !s.core.cfg.Exchanges {
		return
	}
	x := &message.Exchange{Flow: s.flow, Protocol: s.proto.Name, Half: why, Pair: pair}
	if m.From == flow.Client {
		x.Request = m
	} else {
		x.Response = m
	}
	s.core.take.Exchange(x)
}

// unanswered hands on a request that will get no answer, and frees its ask.
func (s *stream) unanswered(a *ask, why message.Half) {
	if a.isGap {
		s.core.freeAsk(a)
		return
	}
	for _, m := range a.interim {
		s.half(m, why, s.pair(a.m))
	}
	if a.told {
		s.core.freeAsk(a)
		return
	}
	if !a.done { // still open: nothing of it is told later
		s.sides[flow.Client].abandon(s.core)
		a.m.Marks |= message.StillOpen
		s.ready(a.m, s.pair(a.m))
	}
	s.half(a.m, why, 0)
	if s.asking == a {
		s.asking = nil
	}
	s.core.freeAsk(a)
}

// abandon stops to follow the open message of a side.
func (d *side) abandon(c *Core) {
	c.bytes -= d.size
	d.cur, d.size = nil, 0
}

// why says why an answer that begins now has no request.
func (s *stream) why(ack uint64) message.Half {
	c := &s.sides[flow.Client]
	switch {
	case s.sure:
		return message.Unasked
	case !c.seen && !s.sides[flow.Server].peered:
		return message.OneSided
	case !c.seen || c.index == 0 && !c.begun:
		return message.RequestUnseen
	case ack != flow.AckUnknown && ack > c.to:
		return message.RequestLost
	}
	for _, a := range s.queue {
		if a.isGap {
			return message.RequestLost
		}
	}
	return message.PairUnproven
}

// settle hands on all that is left when the conversation is over.
func (s *stream) settle() {
	for i := range s.sides {
		if m := s.sides[i].cur; m != nil {
			m.Marks |= message.CutEnd
			s.End(m)
		}
	}
	why := message.NoAnswer
	switch {
	case !s.sides[flow.Client].peered && !s.sides[flow.Server].seen:
		why = message.OneSided
	case s.sure:
	case s.pipelined:
		why = message.PairUnproven
	default:
		why = message.AnswerLost
	}
	for _, a := range s.queue {
		s.unanswered(a, why)
	}
	s.queue = s.queue[:0]
	s.asking, s.answering = nil, nil
	s.confirm()
}

// forget drops all messages without handing them on.
func (s *stream) forget() {
	n := 0
	count := func(a *ask) {
		if a == nil || a.isGap || a.handed {
			return
		}
		n += len(a.interim)
		if !a.told {
			n++
		}
		if a.answer != nil {
			n++
		}
	}
	for _, a := range s.queue {
		count(a)
		s.core.freeAsk(a)
	}
	if a := s.answering; a != nil && a.answer != nil {
		count(a)
	} else if a == nil && s.sides[flow.Server].cur != nil {
		n++
	}
	if a := s.asking; a != nil && a != s.answering && a.answer != nil {
		count(a)
	}
	for _, x := range s.held {
		n += 2 + len(x.Interim)
	}
	s.held = s.held[:0]
	s.queue = s.queue[:0]
	s.asking, s.answering = nil, nil
	s.core.waiting -= n
	s.core.stats.ShedMessages += uint64(n)
}

// pair returns the number that ties the halves of an exchange.
func (s *stream) pair(request *message.Message) uint64 {
	h := s.flow.ID ^ uint64(request.Index+1)*0x9e3779b97f4a7c15
	h ^= h >> 29
	return h | 1
}

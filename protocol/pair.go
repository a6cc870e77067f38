package protocol

import (
	"slices"
	"strings"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
)

// maxInterim bounds the interim answers kept for one exchange.
const maxInterim = 8

// vague are the marks of messages that others may see end elsewhere: a receiver
// may take what follows for part of them, or part of them for what follows.
const vague = message.ConflictLength | message.BadChunk | message.CutEnd | message.BodyUnsent

// blank is how many bytes between two messages hold none, in bytes: empty lines.
const blank = 4

// End implements Out.
func (s *stream) End(m *message.Message) {
	d := &s.sides[m.From]
	if d.cur != m {
		return
	}
	told := d.told
	d.cur, d.told = nil, false
	d.past, d.vague = m.Stop, m.Marks&vague != 0
	switch {
	case m.Lone:
		s.half(m, s.ready(m, nil), message.LoneMessage, 0)
	case m.From == flow.Client:
		a := s.asking
		s.asking = nil
		if !told {
			s.asked(a)
		}
	default:
		a := s.answering
		s.answering = nil
		s.stopped = m.Stop
		if a != nil {
			s.spent = m.Stop
		}
		if !told {
			s.replied(a, m)
		}
	}
}

// asked completes the open request.
func (s *stream) asked(a *ask) {
	a.done = true
	a.asked = s.ready(a.Request, a)
	if a.whole {
		s.joined(a)
	}
}

// replied completes the open answer, a's where that is known.
func (s *stream) replied(a *ask, m *message.Message) {
	n := s.ready(m, a)
	switch {
	case a == nil:
		s.half(m, n, s.replyWhy, 0)
	case a.told:
		s.half(m, n, message.AnswerLate, s.tie(a))
	case !m.Interim:
		a.answered = n
		if a.whole = true; a.done {
			s.joined(a)
		}
	case len(a.Interim) < maxInterim:
		a.Interim, a.before = append(a.Interim, m), append(a.before, n)
	default:
		s.half(m, n, message.LoneMessage, s.tie(a))
	}
}

// ready takes a half of a, or one that nothing asked for, that will not change
// any more, and hands it on by itself where that is wanted. It returns what the
// half weighs until it is gone.
func (s *stream) ready(m *message.Message, a *ask) (n int) {
	c := s.core
	n = m.Weight() // until it is gone: rules may change it meanwhile
	s.kept += n
	c.bytes += n
	if c.cfg.Messages {
		var pair uint64
		switch {
		case a == nil:
		case m.From == flow.Client:
			pair = s.pair(a.Request)
		default:
			pair = s.tie(a)
		}
		c.take.Message(s.single(m, message.Unit, pair))
	}
	return n
}

// gone says that a message of weight n, which was ready, is held no more.
func (s *stream) gone(n int) {
	c := s.core
	s.kept -= n
	c.bytes -= n
	s.waiting--
	c.waiting--
}

// single is an exchange with one half.
func (s *stream) single(m *message.Message, why message.Half, pair uint64) *message.Exchange {
	x := &message.Exchange{Flow: s.flow, Protocol: s.proto.Name, Half: why, Pair: pair}
	if m.From == flow.Client {
		x.Request = m
	} else {
		x.Response = m
	}
	return x
}

// half hands on a message of weight n without a partner.
func (s *stream) half(m *message.Message, n int, why message.Half, pair uint64) {
	c := s.core
	c.stats.Halves++
	c.stats.HalfBy[why]++
	s.gone(n)
	if c.cfg.Exchanges {
		c.take.Exchange(s.single(m, why, pair))
	}
}

// open makes what is known of the open message of a side, a half of a or one
// that nothing asked for, ready and returns it with its weight. It is a copy,
// because the decoder goes on with the message; its end is not told.
func (s *stream) open(from flow.Side, a *ask) (*message.Message, int) {
	d := &s.sides[from]
	d.told = true
	m := *d.cur
	m.Marks |= message.StillOpen
	m.Body = m.Body[:len(m.Body):len(m.Body)]
	m.Fields = m.Fields[:len(m.Fields):len(m.Fields)]
	m.Gaps = m.Gaps[:len(m.Gaps):len(m.Gaps)]
	m.Size, m.WireSize = -1, -1
	m.Stop, m.End = d.to, d.newest
	if s.keeper != nil {
		s.keeper.Open(d.cur, &m)
	}
	return &m, s.ready(&m, a)
}

// handOver hands on the open answer as far as it came.
func (s *stream) handOver(m *message.Message) {
	a := s.answering
	switch {
	case a == nil:
		open, n := s.open(flow.Server, nil)
		s.half(open, n, s.replyWhy, 0)
	case a.told:
		open, n := s.open(flow.Server, a)
		s.half(open, n, message.AnswerLate, s.tie(a))
	default:
		a.Response, a.answered = s.open(flow.Server, a)
		if !a.done {
			a.Request, a.asked = s.open(flow.Client, a)
		}
		s.joined(a)
		s.release() // it does not wait for what may go on for long
	}
}

// late hands on a request whose answer did not come in time. It keeps its place
// in the queue, as what an answer is paired and read by and nothing that is long.
func (s *stream) late(a *ask) {
	pair := s.pair(a.Request)
	s.half(a.Request, a.asked, message.AnswerLate, pair)
	for i, m := range a.Interim {
		s.half(m, a.before[i], message.AnswerLate, s.tie(a))
	}
	m := a.Request
	a.told, a.Interim, a.before = true, nil, nil
	a.Request = &message.Message{From: m.From, Start: m.Start, End: m.End, Begin: m.Begin, Stop: m.Stop, Op: strings.Clone(m.Op), Marks: m.Marks, Key: m.Key, Index: m.Index}
}

// unanswered hands on a request that will get no answer.
func (s *stream) unanswered(a *ask, why message.Half) {
	if s.answering == a { // an interim answer to it is open
		s.answering, s.replyWhy = nil, why
	}
	if a.gap != nil || a.told {
		return
	}
	for i, m := range a.Interim {
		s.half(m, a.before[i], why, s.tie(a))
	}
	if !a.done {
		a.Request, a.asked = s.open(flow.Client, a)
		s.asking = nil
	}
	s.half(a.Request, a.asked, why, 0)
}

// why says why an answer that begins now has no request.
func (s *stream) why(m *message.Message, ack uint64) message.Half {
	c := &s.sides[flow.Client]
	switch {
	case s.sure && m.Key == 0:
		return message.Unasked
	case !c.seen && !s.sides[flow.Server].peered:
		return message.OneSided
	case !c.seen || c.index == 0 && !c.begun:
		return message.RequestUnseen
	case ack != flow.AckUnknown && ack > c.to:
		return message.RequestLost
	case slices.ContainsFunc(s.queue, func(a *ask) bool { return a.gap != nil && !a.gap.there }):
		return message.RequestLost
	case m.Key != 0 && !s.doubt:
		return message.Unasked
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
	s.unask(len(s.queue), why)
	s.release()
}

// forget drops all messages without handing them on.
func (s *stream) forget() {
	c := s.core
	c.bytes -= s.kept
	c.waiting -= s.waiting
	c.stats.ShedMessages += uint64(s.waiting)
	s.kept, s.waiting = 0, 0
	clear(s.queue)
	clear(s.onTrial)
	s.queue, s.onTrial = s.queue[:0], s.onTrial[:0]
	s.asking, s.answering = nil, nil
}

// pair returns the number that ties the halves of an exchange.
func (s *stream) pair(request *message.Message) uint64 {
	h := s.flow.ID ^ uint64(request.Index+1)*0x9e3779b97f4a7c15
	h ^= h >> 29
	return h | 1
}

// tie returns the number for what answers a: none while that is on trial.
func (s *stream) tie(a *ask) uint64 {
	if s.trial {
		return 0
	}
	return s.pair(a.Request)
}

package protocol

import "github.com/passiflow/passiflow/packet"

// holders are the streams that hold something, or did a moment ago, the one that
// was longest silent first: what is shed at the memory bound.
type holders struct{ head, tail *stream }

func (l *holders) push(s *stream) {
	s.older, s.newer = l.tail, nil
	if l.tail != nil {
		l.tail.newer = s
	} else {
		l.head = s
	}
	l.tail, s.listed = s, true
}

func (l *holders) remove(s *stream) {
	if !s.listed {
		return
	}
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		l.head = s.newer
	}
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		l.tail = s.older
	}
	s.older, s.newer, s.listed = nil, nil, false
}

// holdersOrder is how far the order of holders may lag: an exact one would cost a
// look at the neighbours in it for each chunk.
const holdersOrder = packet.Time(100e6)

// touch notes that s was given something at the time now.
func (l *holders) touch(s *stream, now packet.Time) {
	switch {
	case !s.listed:
		if !s.holds() {
			return
		}
	case now-s.moved <= holdersOrder:
		return
	default:
		l.remove(s)
	}
	s.moved = now
	l.push(s)
}

// holds tells whether the stream holds anything.
func (s *stream) holds() bool { return s.kept+s.sides[0].size+s.sides[1].size > 0 }

// shed keeps the memory bound: conversations that hold something and were
// longest silent are dropped, and nothing of them is handed on half. Whoever
// fills the memory and then waits must not silence those who go on.
func (c *Core) shed() {
	for c.bytes > c.cfg.Memory && c.holders.head != nil {
		s := c.holders.head
		if !s.holds() {
			c.holders.remove(s)
			continue
		}
		c.stats.ShedFlows++
		s.drop()
	}
}

package protocol

// holders are the streams that hold something, the one that was longest silent
// first: what is shed at the memory bound.
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

// touch notes that s was given something now.
func (l *holders) touch(s *stream) {
	switch holds := s.kept+s.sides[0].size+s.sides[1].size > 0; {
	case !holds:
		l.remove(s)
	case l.tail != s:
		l.remove(s)
		l.push(s)
	}
}

// shed keeps the memory bound: conversations that hold something and were
// longest silent are dropped, and nothing of them is handed on half. Whoever
// fills the memory and then waits must not silence those who go on.
func (c *Core) shed() {
	for c.bytes > c.cfg.Memory && c.holders.head != nil {
		c.stats.ShedFlows++
		c.holders.head.drop()
	}
}

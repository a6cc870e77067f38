package pairing

import (
	"fmt"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/http1"
)

// taker keeps the exchanges of one conversation.
type taker struct{ got []*message.Exchange }

func (k *taker) Exchange(x *message.Exchange)         { k.got = append(k.got, x) }
func (k *taker) Message(*message.Exchange)            {}
func (k *taker) Opaque(*flow.Flow, *protocol.Opaque)  {}
func (k *taker) Broken(_ *flow.Flow, _ string, c any) { panic(c) }

// observer runs one conversation after the other.
type observer struct {
	taker
	core *protocol.Core
}

func newObserver() *observer { return observing(protocol.Likely) }

func observing(how protocol.Pairing) *observer {
	o := &observer{}
	c := protocol.DefaultConfig()
	c.Pairing = how
	c.Protocols = []protocol.Protocol{http1.New(http1.DefaultConfig())}
	o.core = protocol.NewCore(c, &o.taker)
	return o
}

// see gives all segments but those dropped.
func (o *observer) see(c *conversation, drop ...int) []*message.Exchange {
	o.got = o.got[:0]
	t := flow.NewTable(flow.DefaultConfig(), o.core.Open, nil)
next:
	for i := range c.segments {
		for _, d := range drop {
			if i == d {
				continue next
			}
		}
		p := c.segments[i]
		t.Packet(&p)
	}
	t.Close()
	return o.got
}

func id(m *message.Message) string {
	if m == nil {
		return ""
	}
	v, _ := m.Get("X-Id")
	return v
}

// judge counts the right pairs and reports a wrong one, a message told twice
// and one that claims to be whole and is not.
func judge(c *conversation, got []*message.Exchange) (right map[string]bool, fault string) {
	right = map[string]bool{}
	seen := map[*message.Message]bool{}
	for _, x := range got {
		q, a := x.Request, x.Response
		for _, m := range append([]*message.Message{q, a}, x.Interim...) {
			if m == nil {
				continue
			}
			if seen[m] {
				return nil, "a message was told twice"
			}
			seen[m] = true
			if m.Marks&message.Incomplete == 0 && !c.sent(m) {
				return nil, fmt.Sprintf("%s %s%s from %d to %d claims to be whole and was never sent", m.From, m.Op, m.Status, m.Begin, m.Stop)
			}
		}
		if q != nil && a != nil {
			if i, j := id(q), id(a); i != "" && j != "" && i != j {
				return nil, fmt.Sprintf("request %s joined to the answer to %s", i, j)
			}
			if q.Marks&message.Incomplete == 0 && a.Marks&message.Incomplete == 0 {
				right[id(q)] = true
			}
		}
		for _, m := range x.Interim {
			if q != nil && id(m) != id(q) {
				return nil, fmt.Sprintf("request %s joined to the interim answer to %s", id(q), id(m))
			}
		}
	}
	return right, ""
}

// sent tells whether a message with this id and length was sent. Offsets of a
// side whose beginning was not seen count from elsewhere.
func (c *conversation) sent(m *message.Message) bool {
	for _, s := range c.said[m.From] {
		if s.id == id(m) && s.end-s.begin == m.Stop-m.Begin && s.interim == m.Interim {
			return true
		}
	}
	return false
}

// whole returns the ids of the exchanges of which no byte is in a dropped
// segment.
func (c *conversation) whole(drop ...int) (ids []string) {
	hit := map[string]bool{}
	for _, d := range drop {
		b, from := c.bytes[d], flow.Client
		if c.segments[d].Src == ends[flow.Server] {
			from = flow.Server
		}
		for _, s := range c.said[from] {
			if b[0] < s.end && s.begin < b[1] {
				hit[s.id] = true
			}
		}
	}
	for _, s := range c.said[flow.Client] {
		if !hit[s.id] {
			ids = append(ids, s.id)
		}
	}
	return ids
}

// TestNoWrongPair drops every single segment and every pair of segments of
// 1,000 short conversations.
func TestNoWrongPair(t *testing.T) {
	if testing.Short() {
		dropSegments(t, protocol.Likely, 200)
		return
	}
	dropSegments(t, protocol.Likely, 1000)
	dropSegments(t, protocol.Proven, 200)
}

func dropSegments(t *testing.T, how protocol.Pairing, conversations int) {
	o := observing(how)
	marked := 0
	runs, all, found, turns, turnsFound := 0, 0, 0, 0, 0
	for seed := range conversations {
		c := newConversation(uint64(seed))
		c.open()
		kind := seed % 4
		switch kind {
		case 0, 1:
			c.takeTurns(3 + c.r.IntN(2))
		case 2:
			c.takeTurns(c.r.IntN(2))
			c.burst(2 + c.r.IntN(3))
			c.takeTurns(c.r.IntN(2))
		case 3:
			c.takeTurns(c.r.IntN(2))
			c.late = seed%8 == 7
			c.slide(3 + c.r.IntN(3))
		}
		c.close()
		check := func(drop ...int) {
			runs++
			got := o.see(c, drop...)
			right, fault := judge(c, got)
			for _, x := range got {
				if x.Presumed {
					marked++
				}
			}
			if fault != "" {
				t.Errorf("conversation %d (kind %d) without segments %v: %s", seed, kind, drop, fault)
				return
			}
			for _, id := range c.whole(drop...) {
				all++
				if right[id] {
					found++
				}
				if kind < 2 {
					turns++
					if right[id] {
						turnsFound++
					} else if len(drop) == 0 {
						t.Errorf("conversation %d: exchange %s is missing and nothing was dropped", seed, id)
					}
				}
			}
		}
		check()
		for i := range c.segments {
			check(i)
			for j := range i {
				check(j, i)
			}
		}
		if t.Failed() && seed > 20 {
			break
		}
	}
	t.Logf("proven only: %v: %d runs; of %d exchanges that lost no byte %.3f %% are joined; where the client takes turns %.3f %%; %d are marked",
		how == protocol.Proven, runs, all, 100*float64(found)/float64(all), 100*float64(turnsFound)/float64(turns), marked)
}

package protocol_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
)

func both(c *protocol.Config) { c.Messages = true }

func TestPair(t *testing.T) {
	play(t, []script{
		{"pipelined", nil, func(c *talk) { c.ask("?a\n?b\n").ask("?c\n").answer("!a\n!b\n!c\n") }, []string{"?a !a", "?b !b", "?c !c"}, nil},
		{"interim", nil, func(c *talk) { c.ask("?a+\n").answer("~100\n").ask("x\n;\n").answer("~103\n!a\n") }, []string{"?a+(x) !a ~100 ~103"}, nil},
		{"more interim than are kept", nil, func(c *talk) {
			c.ask("?a\n")
			for range 9 {
				c.answer("~\n")
			}
			c.answer("!a\n")
		}, []string{"- ~ lone paired", "?a !a ~ ~ ~ ~ ~ ~ ~ ~"}, nil},
		{"interim and no answer", nil, func(c *talk) { c.ask("?a\n").answer("~100\n") }, []string{"- ~100 no_answer paired", "?a - no_answer"}, nil},
		{"interim open at the end", nil, func(c *talk) { c.ask("?a\n").answer("~100+\n") }, []string{"- ~100+/cut_end no_answer paired", "?a - no_answer"}, nil},
		{"early answer", nil, func(c *talk) { c.ask("?a+\nx\n").answer("!a\n").ask("y\n;\n") }, []string{"?a+(xy) !a"}, nil},
		{"early answer, cut", nil, func(c *talk) { c.ask("?a+\nx\n").answer("!a\n") }, []string{"?a+(x)/cut_end !a"}, nil},
		{"nobody asked", nil, func(c *talk) { c.ask("?a\n").answer("!a\n!timeout\n") }, []string{"?a !a", "- !timeout unasked"}, nil},
		{"answered before it was asked", nil, func(c *talk) { c.ask("?a\n").auto = false; c.ack[1] = 0; c.answer("!z\n") }, []string{"- !z unasked", "?a - no_answer"}, nil},
		{"one side", nil, func(c *talk) { c.ask("?a\n?b\n") }, []string{"?a - no_answer", "?b - no_answer"}, nil},
		{"by number", nil, func(c *talk) { c.ask("?1:a\n?2:b\n?3:c\n").answer("!3:c\n!1:a\n!9:z\n!2:b\n") },
			[]string{"?3:c !3:c", "?1:a !1:a", "- !9:z unasked", "?2:b !2:b"}, nil},
		{"by number, behind a gap", nil, func(c *talk) { c.ask("?1:a\n").lose(client, "?2:b\n").ask("?3:c\n").answer("!2:b\n!3:c\n!1:a\n") },
			[]string{"- !2:b request_lost", "?3:c !3:c", "?1:a !1:a"}, nil},
		{"request lost", nil, func(c *talk) {
			c.ask("?a\n").answer("!a\n").lose(client, "?b\n").answer("!b\n").ask("?c\n").answer("!c\n")
		},
			[]string{"?a !a", "- !b request_lost", "?c !c presumed"}, nil},
		{"answer lost", nil, func(c *talk) {
			c.ask("?a\n").lose(server, "!a\n").ask("?b\n").answer("!b\n").ask("?c\n").answer("!c\n")
		},
			[]string{"?a - answer_lost", "?b !b", "?c !c"}, nil},
		{"answers of a burst lost", nil, func(c *talk) { c.ask("?a\n?b\n").lose(server, "!a\n").answer("!b\n") },
			[]string{"- !b pair_unproven", "?a - pair_unproven", "?b - pair_unproven"}, nil},
		{"a reset", nil, func(c *talk) { c.ask("?a\n").answer("!a+\nx\n"); c.close(flow.Finished) }, []string{"?a !a+(x)/cut_end"}, nil},

		{"both units", both, func(c *talk) { c.ask("?a\n?b\n").answer("~1\n!a\n.l\n") },
			[]string{"message ?a - paired", "message ?b - paired", "message - ~1 paired", "message - !a paired", "?a !a ~1", "message - .l", "- .l lone", "?b - no_answer"}, nil},
		{"messages alone", func(c *protocol.Config) { c.Messages, c.Exchanges = true, false }, func(c *talk) { c.ask("?a\n").answer("!a\n") },
			[]string{"message ?a - paired", "message - !a paired"}, nil},
	})
}

func TestAnswerWait(t *testing.T) {
	long := 31 * second
	play(t, []script{
		{"late", nil, func(c *talk) {
			c.ask("?a\n").wait(29 * second).ask("").wait(2 * second).answer("!a\n").ask("?b\n").answer("!b\n")
		},
			[]string{"?a - answer_late paired", "- !a answer_late paired", "?b !b"}, nil},
		{"in time", nil, func(c *talk) { c.ask("?a\n").wait(29 * second).answer("!a\n") }, []string{"?a !a"}, nil},
		{"counts from the last byte", nil, func(c *talk) { c.ask("?a+\n").wait(long).ask("x\n;\n").wait(29 * second).answer("!a\n") }, []string{"?a+(x) !a"}, nil},
		{"all that wait", nil, func(c *talk) { c.ask("?a\n?b\n").wait(long).answer("!a\n!b\n") },
			[]string{"?a - answer_late paired", "?b - answer_late paired", "- !a answer_late paired", "- !b answer_late paired"}, nil},
		{"interim answers go with it", nil, func(c *talk) { c.ask("?a\n").answer("~1\n").wait(long).answer("~2\n!a\n") },
			[]string{"?a - answer_late paired", "- ~1 answer_late paired", "- ~2 answer_late paired", "- !a answer_late paired"}, nil},
		{"never", nil, func(c *talk) { c.ask("?a\n").wait(long) }, []string{"?a - answer_late paired"}, nil},
		{"both units", both, func(c *talk) { c.ask("?a\n").wait(long).answer("!a\n") },
			[]string{"message ?a - paired", "?a - answer_late paired", "message - !a paired", "- !a answer_late paired"}, nil},
	})
	w := newWorld(t, nil)
	c := w.open().ask("?a\n").wait(long).answer("!a\n")
	if len(w.whole) != 2 || w.whole[0].Pair != w.whole[1].Pair {
		t.Errorf("the halves have different pair numbers: %v", w.got)
	}
	c.close(flow.Finished)
}

func TestOpenWait(t *testing.T) {
	play(t, []script{
		{"streams", nil, func(c *talk) {
			c.ask("?a\n").answer("!a+\nx\n").wait(4 * second).answer("y\n").wait(2 * second).answer("z\n;\n").ask("?b\n").answer("!b\n")
		}, []string{"?a !a+(xy)/open", "?b !b"}, nil},
		{"both units", both, func(c *talk) { c.ask("?a\n").answer("!a+\nx\n").wait(6 * second).answer("y\n;\n") },
			[]string{"message ?a - paired", "message - !a+(x)/open paired", "?a !a+(x)/open"}, nil},
		{"until the end", nil, func(c *talk) { c.ask("?a\n").answer("!a+\nx\n").wait(6 * second).answer("y\n") }, []string{"?a !a+(x)/open"}, nil},
		{"both stream", both, func(c *talk) {
			c.ask("?a+\nx\n").answer("!a+\ny\n").wait(6 * second).ask("x\n;\n").answer("y\n;\n").ask("?b\n").answer("!b\n")
		},
			[]string{"message - !a+(y)/open paired", "message ?a+(x)/open - paired", "?a+(x)/open !a+(y)/open", "message ?b - paired", "message - !b paired", "?b !b"}, nil},
		{"nobody asked", nil, func(c *talk) {
			c.ask("?a\n").answer("!a\n!z+\nx\n").wait(6 * second).answer("y\n;\n").ask("?b\n").answer("!b\n")
		},
			[]string{"?a !a", "- !z+(x)/open unasked", "?b !b"}, nil},
		{"late and streaming", nil, func(c *talk) { c.ask("?a\n").wait(31 * second).answer("!a+\nx\n").wait(6 * second).answer("y\n;\n") },
			[]string{"?a - answer_late paired", "- !a+(x)/open answer_late paired"}, nil},
		{"a gap in what is not told", nil, func(c *talk) {
			c.ask("?a\n").answer("!a+\nx\n").wait(6*second).lose(server, "y\n").answer("z\n;\n").ask("?b\n").answer("!b\n")
		}, []string{"?a !a+(x)/open", "?b !b"}, nil},
	})
}

func TestOutstanding(t *testing.T) {
	three := func(c *protocol.Config) { c.Outstanding = 3 }
	play(t, []script{
		{"at the bound", three, func(c *talk) { c.ask("?a\n?b\n?c\n").answer("!a\n!b\n!c\n") }, []string{"?a !a", "?b !b", "?c !c"}, nil},
		{"above it", three, func(c *talk) { c.ask("?a\n?b\n?c\n?d\n").answer("!a\n!b\n!c\n!d\n") },
			[]string{"?a - answer_late", "- !a pair_unproven", "- !b pair_unproven", "- !c pair_unproven", "- !d pair_unproven",
				"?b - pair_unproven", "?c - pair_unproven", "?d - pair_unproven"}, nil},
		{"while an interim answer is open", three, func(c *talk) { c.ask("?a\n").answer("~1+\n").ask("?b\n?c\n?d\n").answer(";\n!a\n") },
			[]string{"?a - answer_late", "- ~1+ answer_late", "- !a pair_unproven", "?b - pair_unproven", "?c - pair_unproven", "?d - pair_unproven"}, nil},
	})
}

func TestTrial(t *testing.T) {
	// gap is a conversation that lost a request, which may have been two.
	gap := func(c *talk) *talk { return c.ask("?a\n").answer("!a\n").lose(client, "?b\n").answer("!b\n") }
	// middle is a conversation that was there before the capture.
	middle := func(c *talk) *talk { c.mid[client] = true; return c.ask("?c\n").answer("!c\n") }
	proven := func(c *protocol.Config) { c.Pairing = protocol.Proven }
	play(t, []script{
		{"presumed at close", nil, func(c *talk) { gap(c).ask("?c\n").answer("!c\n").ask("?d\n").answer("!d\n") }, []string{"?a !a", "- !b request_lost", "?c !c presumed", "?d !d presumed"}, nil},
		{"not proven at close", proven, func(c *talk) { gap(c).ask("?c\n").answer("~1\n!c\n") },
			[]string{"?a !a", "- !b request_lost", "?c - pair_unproven paired", "- ~1 pair_unproven paired", "- !c pair_unproven paired"}, nil},
		{"stopped in the middle", nil, func(c *talk) { middle(c); c.close(flow.Stopped) }, []string{"?c !c presumed"}, nil},
		{"evicted in the middle", nil, func(c *talk) { middle(c); c.close(flow.Evicted) }, []string{"?c !c presumed"}, nil},
		{"in the middle, proven", proven, func(c *talk) { middle(c); c.close(flow.Stopped) }, []string{"?c - pair_unproven paired", "- !c pair_unproven paired"}, nil},
		{"refuted, proven", proven, func(c *talk) { middle(c).answer("!d\n") }, []string{"?c - pair_unproven", "- !c pair_unproven", "- !d pair_unproven"}, nil},
		{"after a pause", nil, func(c *talk) { middle(c).wait(2 * second).ask("?d\n").answer("!d\n") }, []string{"?c !c presumed", "?d !d presumed"}, nil},
		{"after a long pause", nil, func(c *talk) { middle(c).wait(31 * second).ask("?d\n").answer("!d\n") }, []string{"?c !c presumed", "?d !d"}, nil},
		{"after a long pause, proven", proven, func(c *talk) { middle(c).wait(31 * second).ask("?d\n").answer("!d\n") },
			[]string{"?c - pair_unproven paired", "- !c pair_unproven paired", "?d - pair_unproven paired", "- !d pair_unproven paired"}, nil},
		{"an answer too many after a long pause", nil, func(c *talk) { middle(c).wait(31 * second).answer("!d\n").ask("?e\n").answer("!e\n") },
			[]string{"?c !c presumed", "- !d pair_unproven", "- !e pair_unproven", "?e - pair_unproven"}, nil},
		{"a gap after a long pause", nil, func(c *talk) {
			middle(c).wait(31*second).lose(client, "?d\n").answer("!d\n").ask("?e\n").answer("!e\n")
		},
			[]string{"?c !c presumed", "- !d request_lost", "?e !e presumed"}, nil},
		{"half a request before the pause", nil, func(c *talk) { middle(c).ask("?d").wait(31 * second).ask("\n").answer("!d\n") }, []string{"?c !c presumed", "?d !d presumed"}, nil},
		{"streams on trial", nil, func(c *talk) { c.mid[client] = true; c.ask("?c\n").answer("!c+\nx\n").wait(6 * second).answer("y\n") }, []string{"?c !c+(x)/open presumed"}, nil},
		{"no number ties what is on trial", both, func(c *talk) { gap(c).ask("?c\n").answer("!c\n") },
			[]string{"message ?a - paired", "message - !a paired", "?a !a", "message - !b", "- !b request_lost", "message ?c - paired", "message - !c", "?c !c presumed"}, nil},
		{"refuted by an answer too many", nil, func(c *talk) { gap(c).ask("?d\n").answer("!c\n").ask("?e\n").answer("~1\n!d\n!e\n") },
			[]string{"?a !a", "- !b request_lost", "?d - pair_unproven", "- !c pair_unproven", "?e - pair_unproven", "- ~1 pair_unproven", "- !d pair_unproven", "- !e pair_unproven"}, nil},
		{"refuted by a request too early", nil, func(c *talk) { gap(c).ask("?c\n").answer("!c\n").ask("?d\n").ask("?e\n").answer("!d\n!e\n") },
			[]string{"?a !a", "- !b request_lost", "?c - pair_unproven", "- !c pair_unproven", "- !d pair_unproven", "- !e pair_unproven", "?d - pair_unproven", "?e - pair_unproven"}, nil},
		{"refuted inside an answer", nil, func(c *talk) { gap(c).ask("?c\n").answer("!c+\nx\n").ask("?d\n").answer(";\n!d\n") },
			[]string{"?a !a", "- !b request_lost", "- !c+(x) pair_unproven", "- !d pair_unproven", "?c - pair_unproven", "?d - pair_unproven"}, nil},
		{"refuted with an interim answer", both, func(c *talk) { gap(c).ask("?c\n").answer("~1\n!c+\nx\n").ask("?d\n"); c.w.got = nil; c.answer(";\n") },
			[]string{"message - !c+(x)", "- !c+(x) pair_unproven", "?c - pair_unproven", "?d - pair_unproven"}, nil},
		{"refuted by other bytes", nil, func(c *talk) { gap(c).ask("?c\n").answer("!c\n").answer("bad\n") },
			[]string{"?a !a", "- !b request_lost", "?c - pair_unproven", "- !c pair_unproven", "opaque not_spoken"}, nil},
		{"not quiet while one waits", nil, func(c *talk) { gap(c).ask("?d\n").answer("!c\n").ask("?e\n").wait(3 * second).answer("!d\n!e\n") },
			[]string{"?a !a", "- !b request_lost", "?d - pair_unproven", "- !c pair_unproven", "?e - pair_unproven", "- !d pair_unproven", "- !e pair_unproven"}, nil},
		{"not quiet inside an answer", nil, func(c *talk) {
			gap(c).ask("?d\n").answer("!c\n").ask("?e\n").answer("!d+\nx\n").wait(3 * second).answer("y\n;\n!e\n")
		},
			[]string{"?a !a", "- !b request_lost", "?d - pair_unproven", "- !c pair_unproven", "?e - pair_unproven", "- !d+(xy) pair_unproven", "- !e pair_unproven"}, nil},
		{"one sent before the answer to the one before was there", nil, func(c *talk) {
			c.ask("?a\n").answer("!a\n")
			c.auto, c.ack[client] = false, 0
			c.ask("?b\n")
			c.auto = true
			c.lose(server, "hm\n").ask("?c\n").answer("!b\n")
		}, []string{"?a !a", "- !b pair_unproven", "?b - pair_unproven", "?c - pair_unproven"}, nil},
		{"stopped", nil, func(c *talk) { gap(c).ask("?c\n").answer("!c\n"); c.close(flow.Stopped) }, []string{"?a !a", "- !b request_lost", "?c - pair_unproven", "- !c pair_unproven"}, nil},
		{"stopped after the answering side said goodbye", nil, func(c *talk) { gap(c).ask("?c\n").answer("!c\n").end(server); c.close(flow.Stopped) }, []string{"?a !a", "- !b request_lost", "?c !c presumed"}, nil},
	})
	w := newWorld(t, nil)
	c := gap(w.open()).ask("?c\n").answer("!c\n")
	if d := cmp.Diff([]string{"?a !a", "- !b request_lost"}, w.got); d != "" {
		t.Error("not held", d)
	}
	if c.wait(2 * second); len(w.got) != 3 || w.core.Waiting() != 0 {
		t.Errorf("after two quiet seconds: %v", w.got)
	}
	c.wait(30 * second)
	for range 70 { // from then on nothing is on trial
		c.ask("?d\n").answer("!d\n")
	}
	if len(w.got) != 73 || w.core.Stats().Presumed != 1 {
		t.Errorf("%d told, want 73; %d presumed, want 1", len(w.got), w.core.Stats().Presumed)
	}
	c.close(flow.Stopped)
	w.empty()

	w = newWorld(t, nil)
	c = gap(w.open()) // one that never rests is not held for ever
	for i := range 70 {
		if c.ask(fmt.Sprintf("?%d\n", i)).answer(fmt.Sprintf("!%d\n", i)); len(w.got) > 2 && i < 64 || len(w.got) != i+3 && i >= 64 {
			t.Fatalf("%d told after %d exchanges", len(w.got), i)
		}
		c.wait(500 * time.Millisecond)
	}
	if n := w.core.Stats().Presumed; n != 70 {
		t.Errorf("%d presumed, want 70", n)
	}
	c.close(flow.Stopped)
	w.empty()
}

// nobody takes what is told.
type nobody struct{}

func (nobody) Exchange(*message.Exchange)          {}
func (nobody) Message(*message.Exchange)           {}
func (nobody) Opaque(*flow.Flow, *protocol.Opaque) {}
func (nobody) Broken(*flow.Flow, string, any)      {}

// Gaps between requests without answers are forgotten with them.
func TestOutstandingGaps(t *testing.T) {
	cfg := protocol.DefaultConfig()
	cfg.Outstanding, cfg.Protocols = 3, []protocol.Protocol{lines()}
	s := protocol.NewCore(cfg, nobody{}).Open(&flow.Flow{ID: 1, Transport: packet.TCP})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	ask, off := []byte("?b\n"), uint64(0)
	send := func(n int) {
		for range n {
			s.Chunk(&flow.Chunk{From: client, Time: 1, Offset: off, Ack: 0, Data: ask, Edge: true})
			s.Chunk(&flow.Chunk{From: client, Time: 1, Offset: off + 4, Lost: 1, LostBy: flow.AckUnknown, Data: ask, Edge: true})
			off += 7
		}
	}
	send(100)
	before := heap()
	const n = 20_000
	send(n)
	if after := heap(); after > before+n*10 {
		t.Errorf("%d bytes for %d gaps", after-before, n)
	}
	s.Close(flow.Finished)
}

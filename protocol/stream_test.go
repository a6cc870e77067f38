package protocol_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
)

func TestDecode(t *testing.T) {
	one := func(f func(*protocol.Stats) uint64) func(*protocol.Stats) uint64 { return f }
	play(t, []script{
		{"held until whole", nil, func(c *talk) { c.ask("?").ask("a").ask("\n!").answer("!a\n") }, []string{"?a !a"}, nil},
		{"hold exceeded", func(c *protocol.Config) { c.Hold = 10 }, func(c *talk) { c.ask("?a\n").ask("?23456789").answer("!a").ask("0b").answer("\n") },
			[]string{"opaque not_spoken", "?a - no_answer"}, one(func(s *protocol.Stats) uint64 { return s.HoldExceeded })},
		{"hold reached", func(c *protocol.Config) { c.Hold = 10 }, func(c *talk) { c.ask("?a234567").ask("90").ask("\n").answer("!a\n") },
			[]string{"?a234567" + "90 !a"}, nil},
		{"final before a gap", nil, func(c *talk) { c.ask("?a\n").answer("!a").lose(server, "a\n").answer("!b\n") }, // the half line goes
			[]string{"- !b pair_unproven", "?a - answer_lost"}, nil},
		{"a gap inside a body", nil, func(c *talk) { c.ask("?a\n").answer("!a+\nx\n").lose(server, "y\n").answer("z\n;\n") }, []string{"?a !a+(xz)"}, nil},
		{"ends without data", nil, func(c *talk) { c.ask("?a\n").answer("!a+\nx\n").end(server) }, []string{"?a !a+(x)/cut_end"}, nil},
		{"ends twice", nil, func(c *talk) { c.ask("?a\n").answer("!a+\nx\n").end(server).end(server).end(client) }, []string{"?a !a+(x)/cut_end"}, nil},
		{"cut by close", nil, func(c *talk) { c.ask("?a+\nx\n") }, []string{"?a+(x)/cut_end - no_answer"}, nil},
		{"error", nil, func(c *talk) { c.ask("?a\n").answer("!a\n").ask("?b\nbad\nrest").answer("!b\n") },
			[]string{"?a !a", "opaque not_spoken", "?b - no_answer"}, one(func(s *protocol.Stats) uint64 { return s.Opaque })},
		{"let go", nil, func(c *talk) { c.ask("?a\n").answer("!a\nbye\n").ask("more").answer("words") }, []string{"?a !a", "opaque tunnelled words"}, nil},
		{"one begins while another is open", nil, func(c *talk) { c.ask("?a+\nx\n>?b\ny\n;\n").answer("!a\n!b\n") }, []string{"?a+(x) !a", "?b(y) !b"}, nil},
		{"lone", nil, func(c *talk) { c.ask(".a\n?b\n").answer(".c\n!b\n") }, []string{".a - lone", "- .c lone", "?b !b"}, nil},
		{"lone and open at the end", nil, func(c *talk) { c.ask("?b\n").ask(".a+\nx\n").answer("!b\n") }, []string{"?b !b", ".a+(x)/cut_end - lone"}, nil},
	})
}

// told notes where each Input stands.
type told struct{ in []string }

func (d *told) Decode(in *protocol.Input, _ protocol.Out) (int, error) {
	d.in = append(d.in, fmt.Sprintf("%d lost before %d, %d bytes", in.Lost, in.Offset, len(in.Data)))
	return len(in.Data), nil
}

// The last Input of a side stands behind the bytes that are missing at its end.
func TestLostAtTheEnd(t *testing.T) {
	d := &told{}
	w := newWorld(t, func(c *protocol.Config) {
		c.Protocols[0].New = func(*flow.Flow) protocol.Decoder { return d }
	})
	w.open().ask("?a\n").lose(client, "234").ask("6").lose(client, "78").end(client)
	want := []string{"0 lost before 0, 3 bytes", "3 lost before 6, 1 bytes", "2 lost before 9, 0 bytes"}
	if diff := cmp.Diff(want, d.in); diff != "" {
		t.Error(diff)
	}
}

func TestDecoderPanics(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.open(), w.open()
	a.ask("?a\n?b+\nhalf\n")
	b.ask("?b\n")
	a.answer("!a\n!b\nboom\nrest").ask("?c\n")
	b.answer("!b\n")
	a.close(flow.Finished)
	b.close(flow.Finished)
	w.empty()
	if d := cmp.Diff([]string{"?a !a", "broken lines decoder", "?b !b"}, w.got); d != "" {
		t.Error(d)
	}
	if s := w.core.Stats(); s.Broken != 1 || s.ShedMessages != 2 {
		t.Errorf("%d broken, %d messages shed, want 1 and 2", s.Broken, s.ShedMessages)
	}
}

func TestMemory(t *testing.T) {
	shed := func(s *protocol.Stats) uint64 { return s.ShedFlows }
	small := func(c *protocol.Config) { c.Memory = 5000 }
	play(t, []script{
		{"an open body", small, func(c *talk) { c.ask("?a\n").answer("!a+\n" + strings.Repeat("x", 5500) + "\n").answer(";\n") }, nil, shed},
		{"requests that wait", small, func(c *talk) {
			for range 40 {
				c.ask("?abcdefgh\n")
			}
		}, nil, shed},
		{"what is held", small, func(c *talk) { c.ask("?a\n").answer("!a\n").ask("?" + strings.Repeat("x", 5000)) }, []string{"?a !a"}, shed},
		{"what is not identified", small, func(c *talk) { c.ask("%" + strings.Repeat("x", 400)) }, []string{"opaque not_spoken"}, nil},
		{"exchanges on trial", small, func(c *talk) {
			c.mid = [2]bool{true, true}
			for range 40 {
				c.ask("?abc\n").answer("!abc\n")
			}
		}, nil, shed},
		{"below", small, func(c *talk) {
			for range 40 {
				c.ask("?a\n").answer("!a\n").wait(0)
				c.w.got = nil
			}
		}, nil, nil},
	})
}

// Those that were silent for longest are shed whole; the others live on.
func TestMemoryOfMany(t *testing.T) {
	w := newWorld(t, func(c *protocol.Config) { c.Memory = 3500 })
	var talks []*talk
	for i := range 4 {
		c := w.open()
		talks = append(talks, c.ask(fmt.Sprintf("?%d+\n%s\n", i, strings.Repeat("x", 200))))
	}
	talks[2].ask(strings.Repeat("y", 2000) + "\n;\n")
	for _, c := range talks {
		c.ask(";\n").answer("!\n")
	}
	if s := w.core.Stats(); s.ShedFlows != 2 || s.ShedMessages != 2 || s.Pairs != 2 {
		t.Errorf("%+v", s)
	}
	for _, c := range talks {
		c.close(flow.Finished)
	}
	w.empty()
}

// Buffers and streams are used again and do not pile up.
func TestNoLeak(t *testing.T) {
	w := newWorld(t, nil)
	one := func() {
		c := w.open()
		c.ask("%").ask("?\n?a").ask("b\n").answer("!a").lose(server, "xx").answer("!b\n!c").ask("?d")
		c.close(flow.Stopped)
		w.got, w.whole = w.got[:0], w.whole[:0]
		clear(w.told)
	}
	for range 100 {
		one()
	}
	w.empty()
	if n := testing.AllocsPerRun(100, one); n > 60 {
		t.Errorf("%.0f allocations for a conversation", n)
	}
}

// A compressed answer that streams is handed on decompressed as far as it goes.
func TestOpenCompressed(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, "data: first\n\n")
	z.Flush()
	first := b.Len()
	fmt.Fprint(z, "data: second\n\n")
	z.Close()
	chunk := func(p []byte) string { return fmt.Sprintf("%x\r\n%s\r\n", len(p), p) }
	for _, messages := range []bool{false, true} {
		w := newWorld(t, func(c *protocol.Config) { http(c); c.Messages = messages })
		c := w.open()
		c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		c.answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b.Bytes()[:first]))
		c.wait(6 * second)
		if len(w.whole) != 1 {
			t.Fatalf("%d exchanges after 6 s, want 1", len(w.whole))
		}
		m := w.whole[0].Response
		if string(m.Body) != "data: first\n\n" || m.Marks != message.StillOpen || m.Size != -1 || m.WireSize != -1 {
			t.Errorf("body %q, marks %v, size %d, on the wire %d", m.Body, m.Marks.Names(nil), m.Size, m.WireSize)
		}
		c.answer(chunk(b.Bytes()[first:]) + "0\r\n\r\n").ask("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").answer("HTTP/1.1 204 No Content\r\n\r\n")
		c.close(flow.Finished)
		w.empty()
		if string(m.Body) != "data: first\n\n" || len(w.whole) != 2 {
			t.Errorf("body %q, %d exchanges", m.Body, len(w.whole))
		}
	}
}

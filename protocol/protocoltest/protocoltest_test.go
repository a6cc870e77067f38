package protocoltest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
)

// liner reads a protocol of lines: each is a message. Its fields break promises.
type liner struct {
	keeps     bool // bytes of its input
	writes    bool // into its input
	greedy    bool // uses more than it was given
	forgets   bool // to end a message
	guesses   bool // that a line goes on behind a gap
	impatient bool // and ends a line where the input ends
	hoards    bool // everything

	broken [2]bool // a gap was inside the line at hand
}

func (l *liner) Decode(in *protocol.Input, out protocol.Out) (used int, err error) {
	if l.writes && len(in.Data) > 0 {
		in.Data[0] ^= 1
	}
	if l.hoards {
		return 0, nil
	}
	if in.Lost > 0 || in.Mid {
		l.broken[in.From] = !in.Edge && !l.guesses
	}
	for used < len(in.Data) {
		e := bytes.IndexByte(in.Data[used:], '\n')
		if e < 0 && !(l.impatient || in.Final) {
			break
		}
		line := in.Data[used:]
		if e >= 0 {
			line = line[:e]
		}
		m := &message.Message{From: in.From, Start: in.First, End: in.Time, Begin: in.Offset + uint64(used), Op: string(line), Size: 0}
		m.Body = bytes.Clone(line)
		if l.keeps {
			m.Body = line
		}
		m.Size = int64(len(line))
		if e < 0 && in.Final {
			m.Marks |= message.CutEnd
		}
		if l.broken[in.From] {
			m.Marks |= message.StartMissing
		}
		l.broken[in.From] = false
		used += len(line) + 1
		if e < 0 {
			used--
		}
		m.Stop = in.Offset + uint64(used)
		out.Begin(m)
		if !l.forgets {
			out.End(m)
		}
	}
	if l.greedy {
		used++
	}
	return used, nil
}

// recorder is a testing.TB that only remembers.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Failed() bool              { return len(r.said) > 0 }
func (r *recorder) Error(a ...any)            { r.said = append(r.said, fmt.Sprint(a...)) }
func (r *recorder) Errorf(f string, a ...any) { r.said = append(r.said, fmt.Sprintf(f, a...)) }

// TestKit runs a decoder that keeps all promises and some that break one.
func TestKit(t *testing.T) {
	lines := Conversation{Aligned: true, Segments: []Segment{
		{From: flow.Client, Data: "one\n"}, {From: flow.Server, Data: "two\nthree\n"}, {From: flow.Client, Data: "four\n", End: true}}}
	for _, c := range []struct {
		l    liner
		want string
	}{
		{liner{}, ""},
		{liner{keeps: true}, "other messages"},
		{liner{writes: true}, "wrote into its input"},
		{liner{greedy: true}, "bytes"},
		{liner{forgets: true}, "never ended"},
		{liner{guesses: true}, "claims to be complete"},
		{liner{impatient: true}, "other messages"},
	} {
		r := &recorder{TB: t}
		conform(r, protocol.Protocol{New: func(*flow.Flow) protocol.Decoder { l := c.l; return &l }}, lines)
		if said := strings.Join(r.said, "\n"); c.want == "" && said != "" || !strings.Contains(said, c.want) {
			t.Errorf("%+v: want %q, the kit says %q", c.l, c.want, said)
		}
	}
	d := Run(protocol.Protocol{New: func(*flow.Flow) protocol.Decoder { return &liner{hoards: true} }},
		[]Segment{{Data: strings.Repeat("x", Hold)}, {Data: "y"}})
	if len(d.Faults) == 0 || !strings.Contains(d.Faults[0], "held back") {
		t.Errorf("hoarding: %q", d.Faults)
	}
}

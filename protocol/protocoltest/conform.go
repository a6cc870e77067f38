package protocoltest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
)

// Conversation is one to test a decoder with.
type Conversation struct {
	Name     string
	Segments []Segment
	// Aligned says that each message begins where a segment begins, and that
	// its framing does not depend on the other side: whatever segment is
	// missing, all the others' messages must come out whole.
	Aligned bool
	// Once leaves out the checks with missing bytes.
	Once bool
}

// diff shows how two values differ, without the times, which depend on how the
// bytes were cut.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.IgnoreFields(message.Message{}, "Start", "End"), cmpopts.EquateEmpty())
}

// equal is diff(a, b) == "" for those that are mostly equal: it is what takes
// the time of these tests.
func equal(a, b *message.Message) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.From == b.From && a.Begin == b.Begin && a.Stop == b.Stop && a.Op == b.Op && a.Target == b.Target && a.Status == b.Status &&
		a.Reason == b.Reason && a.Version == b.Version && bytes.Equal(a.Body, b.Body) && a.Size == b.Size && a.WireSize == b.WireSize &&
		a.Lost == b.Lost && slices.Equal(a.Gaps, b.Gaps) && a.Marks == b.Marks && a.Key == b.Key && a.Lone == b.Lone && a.Interim == b.Interim &&
		slices.EqualFunc(a.Fields, b.Fields, equalField)
}

func equalField(a, b message.Field) bool {
	if a.Name != b.Name || a.Value != b.Value || a.Detail == nil || b.Detail == nil {
		return a == b
	}
	return a.Detail.Raw == b.Detail.Raw && slices.EqualFunc(a.Detail.Children, b.Detail.Children, equalField)
}

// Conform runs every check on every conversation. fresh returns a new
// protocol.Protocol each time it is called.
func Conform(t *testing.T, fresh func() protocol.Protocol, conversations []Conversation) {
	for _, c := range conversations {
		t.Run(c.Name, func(t *testing.T) { conform(t, fresh(), c) })
	}
}

func conform(t testing.TB, p protocol.Protocol, c Conversation) {
	whole := Run(p, c.Segments)
	whole.Check(t)
	if t.Failed() {
		return
	}
	splits(t, p, c, whole)
	if !c.Once {
		gaps(t, p, c, whole)
	}
	if c.Aligned {
		drops(t, p, c, whole)
	}
}

func bytesOf(segments []Segment) (n int) {
	for i := range segments {
		n += len(segments[i].Data)
	}
	return n
}

// cut returns segments with the one that holds byte at cut in two there.
func cut(segments []Segment, at int) []Segment {
	out := make([]Segment, 0, len(segments)+1)
	for _, s := range segments {
		if n := len(s.Data); at > 0 && at < n {
			a, b := s, s
			a.Data, b.Data = s.Data[:at], s.Data[at:]
			a.End, a.Cut = false, false
			b.Lost, b.Mid, b.Rest = 0, false, true
			out = append(out, a, b)
			at = 0
			continue
		} else if at > 0 {
			at -= n
		}
		out = append(out, s)
	}
	return out
}

func same(t testing.TB, how string, got, want *Driver) {
	t.Helper()
	got.Check(t)
	if !slices.EqualFunc(want.Messages, got.Messages, equal) {
		t.Errorf("%s gives other messages (-whole +cut):\n%s", how, diff(want.Messages, got.Messages))
	}
	if fmt.Sprint(got.Err) != fmt.Sprint(want.Err) {
		t.Errorf("%s gives error %v, whole %v", how, got.Err, want.Err)
	}
}

// splits checks that the messages do not depend on where the bytes are cut.
func splits(t testing.TB, p protocol.Protocol, c Conversation, whole *Driver) {
	total := bytesOf(c.Segments)
	for i := 1; i < total && !t.Failed(); i++ {
		same(t, fmt.Sprintf("a cut at %d", i), Run(p, cut(c.Segments, i)), whole)
	}
	step := total*total/5000 + 1
	for k := 0; k < total*total && !t.Failed(); k += step {
		if i, j := k/total, k%total; i < j {
			same(t, fmt.Sprintf("cuts at %d and %d", i, j), Run(p, cut(cut(c.Segments, j), i)), whole)
		}
	}
	if t.Failed() {
		return
	}
	var single []Segment
	for _, s := range c.Segments {
		for i := 0; i < len(s.Data); i++ {
			one := s
			one.Data = s.Data[i : i+1]
			if i > 0 {
				one.Lost, one.Mid, one.Rest = 0, false, true
			}
			if i < len(s.Data)-1 {
				one.End, one.Cut = false, false
			}
			single = append(single, one)
		}
		if len(s.Data) == 0 {
			single = append(single, s)
		}
	}
	same(t, "byte by byte", Run(p, single), whole)
}

// at returns the message of d that begins at an offset, nil if none does.
func (d *Driver) at(from flow.Side, begin uint64) *message.Message {
	for _, m := range d.Messages {
		if m.From == from && m.Begin == begin {
			return m
		}
	}
	return nil
}

// gaps takes bytes out everywhere: what claims to be complete must be true.
func gaps(t testing.TB, p protocol.Protocol, c Conversation, whole *Driver) {
	for i := range c.Segments {
		s := c.Segments[i]
		for at := 0; at < len(s.Data); at++ {
			for _, n := range []int{1, 2, 5, 19, len(s.Data)} {
				if at+n > len(s.Data) {
					continue
				}
				got := Run(p, without(c.Segments, i, at, n))
				got.Check(t)
				how := fmt.Sprintf("without %d bytes from %d of segment %d", n, at, i)
				for _, m := range got.Ended {
					if m.Marks&message.Incomplete != 0 {
						continue
					}
					if want := whole.at(m.From, m.Begin); !equal(want, m) {
						t.Errorf("%s a message claims to be complete (-true +got):\n%s", how, diff(want, m))
					}
				}
				if t.Failed() {
					return
				}
			}
		}
	}
}

// without returns segments without n bytes from at of segment i.
func without(segments []Segment, i, at, n int) []Segment {
	out := append([]Segment(nil), segments[:i]...)
	s := segments[i]
	a, b := s, s
	a.Data, b.Data = s.Data[:at], s.Data[at+n:]
	a.End, a.Cut = false, false
	b.Lost, b.Rest = uint64(n), true
	if at > 0 {
		out = append(out, a)
		b.Mid = false
	} else {
		b.Lost += s.Lost
	}
	rest := append([]Segment(nil), segments[i+1:]...)
	if len(b.Data) > 0 || s.End {
		return append(append(out, b), rest...)
	}
	for k := range rest { // the gap is before the next segment of this side
		if rest[k].From == s.From {
			rest[k].Lost += b.Lost
			rest[k].Mid = rest[k].Mid || b.Mid
			return append(out, rest...)
		}
	}
	b.End, b.Cut = true, true
	return append(append(out, b), rest...)
}

// drops takes out whole segments: every message without a byte in them must be
// exact and whole.
func drops(t testing.TB, p protocol.Protocol, c Conversation, whole *Driver) {
	var offset [2]uint64
	for i, s := range c.Segments {
		from, to := offset[s.From], offset[s.From]+uint64(len(s.Data))
		offset[s.From] = to
		if len(s.Data) == 0 {
			continue
		}
		got := Run(p, without(c.Segments, i, 0, len(s.Data)))
		got.Check(t)
		for _, want := range whole.Messages {
			if want.From == s.From && want.Begin < to && want.Stop > from {
				continue
			}
			if got := got.at(want.From, want.Begin); !equal(want, got) {
				t.Errorf("without segment %d a message that lost nothing differs (-true +got):\n%s", i, diff(want, got))
			}
		}
	}
}

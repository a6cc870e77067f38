package rule

import (
	"math/bits"
	"strings"

	"github.com/passiflow/passiflow/message"
)

// heads are the values before a body, behind each other with a zero between
// them, so that one look tells which of them are worth another: mostly none.
type heads struct {
	text [8 + headRoom + 64]byte
	n    int
	seen survey
	spot int
	bits uint64
}

// headRoom is how many bytes of values are looked at at once; where there are
// more, each value is looked at by itself.
const headRoom = 1024

// shortestSecret is the length below which no detector finds anything in a
// field, in bytes; some need more where the field is whole.
const shortestSecret = 5

// add takes one value; false: there is no room.
func (h *heads) add(s string) bool {
	if h.n+len(s) >= headRoom {
		return false
	}
	h.n += copy(h.text[8+h.n:], s) + 1
	return true
}

// gather takes what d may look at in m and looks at it. It returns false where
// all of it has to be looked at again.
func (h *heads) gather(d *detector, m *message.Message) bool {
	if !h.add(m.Target) || !h.add(m.Reason) {
		return false
	}
	for i := range m.Fields {
		if v := m.Fields[i].Value; len(v) >= d.shortest && !h.add(v) {
			return false
		}
	}
	h.seen.apart, h.seen.blanks = ^uint64(0), ^uint64(0)
	return look(&h.text[8], (h.n+63)>>6, d.sought, &h.seen) == 0 && d.plainly(&h.seen)
}

// within tells whether there is something to look at between two places in what
// was gathered, of which from is behind those of all calls before.
func (h *heads) within(from, to int) bool {
	for {
		for h.bits == 0 {
			if h.spot == h.seen.n {
				return false
			}
			h.bits = h.seen.spots[h.spot].masks[cardSpot] | h.seen.spots[h.spot].masks[tokenSpot]
			h.spot++
		}
		// A spot at the beginning of a block may be about the bytes before it.
		if at := h.seen.spots[h.spot-1].at + bits.TrailingZeros64(h.bits); at >= from {
			return at <= to
		}
		h.bits &= h.bits - 1
	}
}

// detectHead masks what detectors find before the body.
func (k *masks) detectHead(m *message.Message, t *trace) {
	cut := m.Marks&(message.HeadTruncated|message.Gapped|message.CutEnd) != 0
	odd := m.Marks&message.BadHeader != 0
	var h heads
	all := cut || odd || len(m.Op) >= shortestCard || !h.gather(k.head, m)
	if !all && h.seen.n == 0 {
		return
	}
	target, reason := len(m.Target), len(m.Target)+1+len(m.Reason)
	if all || h.within(0, target) {
		if len(m.Op) >= shortestCard { // no method that anybody knows
			k.detectOp(m, cut, t)
		}
		k.detectTarget(m, cut, t)
	}
	if all || h.within(target+1, reason) {
		for _, d := range k.detect {
			if d.headers && len(m.Reason) >= d.least(cut) {
				if v := d.text(m.Reason, cut, t, "reason"); v != m.Reason {
					m.Reason = v
					m.Hold(len(v))
				}
			}
		}
	}
	at := reason + 1
	for i := range m.Fields {
		f := &m.Fields[i]
		near, n := all, len(f.Value)
		if n >= k.head.shortest && !all {
			near = h.within(at, at+n)
			at += n + 1
		}
		if near {
			k.detectField(m, f, cut, odd, t)
		}
	}
}

// least is the length below which d finds nothing in a value.
func (d *detector) least(cut bool) int {
	if cut {
		return shortestSecret
	}
	return d.shortest
}

func (k *masks) detectOp(m *message.Message, cut bool, t *trace) {
	for _, d := range k.detect {
		if d.target {
			if v := d.text(m.Op, cut, t, "method"); v != m.Op {
				m.Op = v
				m.Hold(len(v))
			}
		}
	}
}

func (k *masks) detectTarget(m *message.Message, cut bool, t *trace) {
	var seen survey
	for _, d := range k.detect {
		switch {
		case d.target && m.Target != "":
			if v := d.url(m.Target, cut, &seen, t, "target"); v != m.Target {
				m.Target = v
				m.Hold(len(v))
			}
		case d.query:
			if q := strings.IndexAny(m.Target, "?#;"); q >= 0 {
				if v := d.url(m.Target[q:], cut, &seen, t, "target"); v != m.Target[q:] {
					m.Target = m.Target[:q] + v
					m.Hold(len(m.Target))
				}
			}
		}
	}
}

func (k *masks) detectField(m *message.Message, f *message.Field, cut, odd bool, t *trace) {
	var seen survey
	for _, d := range k.detect {
		if !d.headers {
			continue
		}
		if len(f.Value) >= d.least(cut) {
			if v := d.url(f.Value, cut, &seen, t, t.header(f.Name)); v != f.Value {
				f.Replace(v)
				m.Hold(len(v))
			}
		}
		if odd {
			if v := d.text(f.Name, cut, t, "headers"); v != f.Name {
				f.Name = v
				m.Hold(len(v))
			}
		}
	}
}

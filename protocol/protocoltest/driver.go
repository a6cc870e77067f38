// Package protocoltest tells whether a decoder keeps what every decoder
// promises: the same messages however the bytes arrive, nothing borrowed kept,
// bounds respected, and no message that claims to be complete and is not.
package protocoltest

import (
	"fmt"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
)

// Hold is how many bytes of a side the driver keeps for a decoder, at most.
const Hold = 64 << 10

// Segment is a piece of a conversation: what a side sends in one packet.
type Segment struct {
	From flow.Side
	Data string
	Lost uint64 // bytes of this side that are missing right before Data
	Mid  bool   // this side's beginning was not seen; for its first segment
	Rest bool   // Data does not begin where a packet begins
	End  bool   // the side ends behind Data
	Cut  bool   // with End: without saying so
}

// Driver feeds one decoder as the core does. It pairs first in, first out, and
// knows nothing of pairs any more once a byte is missing.
type Driver struct {
	Messages []*message.Message // in the order of their Begin
	Ended    []*message.Message // in the order of their End
	Err      error              // of the decoder; the conversation is opaque from then on
	Faults   []string           // broken promises

	dec     protocol.Decoder
	side    [2]side
	pending []*message.Message
	blind   bool
	open    map[*message.Message]bool
	clock   packet.Time
}

type side struct {
	held   []byte
	first  packet.Time
	edge   bool
	offset uint64
	begun  bool
	ended  bool
}

// NewDriver makes a driver around a decoder of its own.
func NewDriver(p protocol.Protocol) *Driver {
	f := &flow.Flow{ID: 1, Transport: p.Transport}
	return &Driver{dec: p.New(f), open: map[*message.Message]bool{}}
}

// Run feeds all segments to a new decoder. A side that does not end by itself
// is cut at the end.
func Run(p protocol.Protocol, segments []Segment) *Driver {
	d := NewDriver(p)
	for i := range segments {
		d.Feed(&segments[i])
	}
	d.Close()
	return d
}

// Feed hands one segment to the decoder.
func (d *Driver) Feed(s *Segment) {
	h := &d.side[s.From]
	d.clock++
	if d.Err != nil || h.ended {
		return
	}
	if s.Lost > 0 || s.Mid {
		d.blind = true
	}
	if s.Lost > 0 {
		if len(h.held) > 0 {
			d.decode(s.From, nil, &protocol.Input{Final: true}, false)
			h.offset += uint64(len(h.held))
			h.held = h.held[:0]
		}
		h.offset += s.Lost
	}
	in := &protocol.Input{Lost: s.Lost, Mid: s.Mid && !h.begun, Final: s.End, End: s.End, Cut: s.Cut}
	if len(h.held) == 0 {
		h.edge, h.first = !s.Rest, d.clock
	}
	d.decode(s.From, []byte(s.Data), in, !s.Rest)
	h.ended = s.End
}

func (d *Driver) decode(from flow.Side, more []byte, in *protocol.Input, edge bool) {
	h := &d.side[from]
	h.begun = true
	n := len(h.held)
	data := make([]byte, n+len(more)) // a fresh one each time, spoiled below
	copy(data, h.held)
	copy(data[n:], more)
	in.From, in.Time, in.First, in.Offset, in.Edge = from, d.clock, h.first, h.offset, h.edge
	in.Data = data
	before := string(data)
	used, err := d.dec.Decode(in, d)
	if string(data) != before {
		d.fault("the decoder wrote into its input")
	}
	for i := range data { // with something else each time, so that what is kept of it shows
		data[i] = byte(int(d.clock)*31 + i*7 + len(data))
	}
	if d.Err = err; err != nil {
		return
	}
	if used < 0 || used > len(before) {
		d.fault("used %d of %d bytes", used, len(before))
		used = len(before)
	}
	if in.Final {
		return
	}
	if used > 0 {
		h.edge = used == n && edge
		h.first = d.clock
	}
	h.offset += uint64(used)
	h.held = append(h.held[:0], before[used:]...)
	if len(h.held) > Hold {
		d.fault("%d bytes held back, at most %d", len(h.held), Hold)
		h.held = h.held[:0]
		d.Err = fmt.Errorf("hold exceeded")
	}
}

// Close ends the sides that did not end by themselves.
func (d *Driver) Close() {
	for s := range d.side {
		if d.side[s].begun && !d.side[s].ended {
			d.Feed(&Segment{From: flow.Side(s), End: true, Cut: true})
		}
	}
	if d.Err == nil && len(d.open) > 0 {
		d.fault("%d messages begun and never ended", len(d.open))
	}
}

// Begin implements protocol.Out.
func (d *Driver) Begin(m *message.Message) *message.Message {
	d.Messages = append(d.Messages, m)
	d.open[m] = true
	if m.From == flow.Client {
		d.pending = append(d.pending, m)
		return nil
	}
	if d.blind || len(d.pending) == 0 {
		return nil
	}
	r := d.pending[0]
	if !m.Interim {
		d.pending = d.pending[1:]
	}
	return r
}

// End implements protocol.Out.
func (d *Driver) End(m *message.Message) {
	if !d.open[m] {
		d.fault("a message ended that was not begun, or twice")
	}
	delete(d.open, m)
	if m.Stop < m.Begin || m.End < m.Start {
		d.fault("a message ends before it begins: bytes %d to %d, time %d to %d", m.Begin, m.Stop, m.Start, m.End)
	}
	if m.Size >= 0 && int64(len(m.Body)) > m.Size {
		d.fault("a body of %d bytes, of which %d are kept", m.Size, len(m.Body))
	}
	d.Ended = append(d.Ended, m)
}

func (d *Driver) fault(format string, a ...any) {
	d.Faults = append(d.Faults, fmt.Sprintf(format, a...))
}

// Check reports the broken promises to t.
func (d *Driver) Check(t testing.TB) {
	t.Helper()
	for _, f := range d.Faults {
		t.Error(f)
	}
}

package protocol_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
)

const (
	client = flow.Client
	server = flow.Server
	second = time.Second
)

// fake speaks lines: "?word" asks, "!word" answers, "~word" is an interim
// answer, "." stands alone. A number in front of the word, as in "?7:word", is a
// key. A line that ends with "+" leaves its message open: what follows up to
// the next ";" line is its body. "boom" panics, "bad" is an error, "bye" lets
// go. Lines end with "\n".
type fake struct{ open [2]*message.Message }

func lines() protocol.Protocol {
	return protocol.Protocol{
		Name: "lines", Transport: packet.TCP,
		Probe: func(head []byte, from flow.Side) protocol.Match {
			switch {
			case strings.HasPrefix(string(head), "panic"):
				panic("probe")
			case head[0] == '%':
				if len(head) < 2 {
					return protocol.More
				}
				return probeLine(head[1], from)
			}
			return probeLine(head[0], from)
		},
		New: func(*flow.Flow) protocol.Decoder { return new(fake) },
	}
}

func probeLine(c byte, from flow.Side) protocol.Match {
	switch c {
	case '?', '.':
		if from == server {
			return protocol.Reversed
		}
		return protocol.Yes
	case '!', '~':
		if from == client {
			return protocol.Reversed
		}
		return protocol.Yes
	}
	return protocol.No
}

func (d *fake) Decode(in *protocol.Input, out protocol.Out) (used int, err error) {
	text := string(in.Data)
	for {
		line, rest, found := strings.Cut(text, "\n")
		if !found {
			break
		}
		if err := d.line(in, out, uint64(used), line); err != nil {
			return used, err
		}
		used += len(line) + 1
		text = rest
	}
	if m := d.open[in.From]; m != nil && in.End {
		m.Marks |= message.CutEnd
		d.end(in, out, in.Offset+uint64(used))
	}
	if in.Final {
		used = len(in.Data)
	}
	return used, nil
}

func (d *fake) line(in *protocol.Input, out protocol.Out, at uint64, line string) error {
	m := d.open[in.From]
	switch {
	case m != nil && strings.HasPrefix(line, ">"): // begins although one is open
		n := &message.Message{From: in.From, Begin: in.Offset + at, Op: line[1:]}
		out.Begin(n)
		d.open[in.From] = n
	case m != nil && line == ";":
		d.end(in, out, in.Offset+at+2)
	case m != nil:
		m.Body = append(m.Body, line...)
	case line == "boom":
		panic("decoder")
	case line == "bad":
		return fmt.Errorf("bad line")
	case line == "bye":
		return &protocol.Opaque{Cause: protocol.Tunnelled, Protocol: "lines", Next: "words"}
	case line == "" || !strings.Contains("?!~.", line[:1]):
	default:
		m := &message.Message{From: in.From, Begin: in.Offset + at, Stop: in.Offset + at + uint64(len(line)) + 1, Op: line, End: in.Time}
		m.Interim, m.Lone = line[0] == '~', line[0] == '.'
		if k, _, ok := strings.Cut(line[1:], ":"); ok {
			m.Key, _ = strconv.ParseUint(k, 10, 64)
		}
		out.Begin(m)
		d.open[in.From] = m
		if !strings.HasSuffix(line, "+") {
			d.end(in, out, m.Stop)
		}
	}
	return nil
}

func (d *fake) end(in *protocol.Input, out protocol.Out, stop uint64) {
	m := d.open[in.From]
	d.open[in.From] = nil
	m.Stop, m.End = stop, in.Time
	out.End(m)
}

// world is a Core and what it handed on.
type world struct {
	t     testing.TB
	cfg   protocol.Config
	core  *protocol.Core
	got   []string // what was told, one line each
	whole []*message.Exchange
	told  map[*message.Message]bool // in exchanges
	bytes uint64                    // given to streams
	flows uint64
}

func newWorld(t testing.TB, change func(*protocol.Config)) *world {
	w := &world{t: t, told: map[*message.Message]bool{}}
	w.cfg = protocol.DefaultConfig()
	w.cfg.Protocols = []protocol.Protocol{lines()}
	if change != nil {
		change(&w.cfg)
	}
	w.core = protocol.NewCore(w.cfg, w)
	return w
}

func op(m *message.Message) string {
	if m == nil {
		return "-"
	}
	s := strings.TrimSpace(m.Op + m.Status)
	if len(m.Body) > 0 {
		s += "(" + string(m.Body) + ")"
	}
	for _, n := range m.Marks.Names(nil) {
		s += "/" + n
	}
	return s
}

func (w *world) tell(x *message.Exchange) string {
	s := op(x.Request) + " " + op(x.Response)
	for _, m := range x.Interim {
		s += " " + op(m)
	}
	if x.Half != message.Whole && x.Half != message.Unit {
		s += " " + x.Half.String()
	}
	if x.Presumed {
		s += " presumed"
	}
	if x.Pair != 0 {
		s += " paired"
	}
	return s
}

func (w *world) Exchange(x *message.Exchange) {
	w.got = append(w.got, w.tell(x))
	for _, m := range append([]*message.Message{x.Request, x.Response}, x.Interim...) {
		if m != nil && w.told[m] {
			w.t.Errorf("%s handed on twice", op(m))
		}
		w.told[m] = true
	}
	w.whole = append(w.whole, x)
}
func (w *world) Message(x *message.Exchange) { w.got = append(w.got, "message "+w.tell(x)) }
func (w *world) Opaque(_ *flow.Flow, o *protocol.Opaque) {
	w.got = append(w.got, strings.TrimSpace(fmt.Sprintf("opaque %s %s %s", o.Cause, o.Next, o.Server)))
}
func (w *world) Broken(_ *flow.Flow, name string, cause any) {
	w.got = append(w.got, fmt.Sprintf("broken %s %v", name, cause))
}

// law checks the sums of protocol.Stats.
func (w *world) law() {
	w.t.Helper()
	s := w.core.Stats()
	in := s.Requests + s.Answers + s.Interim
	out := 2*s.Pairs + s.Interims + s.Halves + s.ShedMessages + uint64(w.core.Waiting())
	if in != out {
		w.t.Fatalf("messages: %d in, %d out (%+v, %d waiting)", in, out, s, w.core.Waiting())
	}
	if sum := s.Decoded + s.SkippedBytes + s.OpaqueBytes + uint64(w.core.Held()); sum != w.bytes {
		w.t.Fatalf("bytes: %d given, %d accounted for (%+v, %d held)", w.bytes, sum, s, w.core.Held())
	}
	var by uint64
	for _, n := range s.HalfBy {
		by += n
	}
	if by != s.Halves {
		w.t.Fatalf("halves: %d, by reason %d", s.Halves, by)
	}
	if w.core.Bytes() < 0 || w.core.Bytes() > w.cfg.Memory {
		w.t.Fatalf("%d bytes held, at most %d", w.core.Bytes(), w.cfg.Memory)
	}
}

// empty checks that nothing is left when all conversations are closed.
func (w *world) empty() {
	w.t.Helper()
	w.law()
	if w.core.Waiting() != 0 || w.core.Bytes() != 0 || w.core.Held() != 0 {
		w.t.Fatalf("at the end %d messages wait, %d bytes are held, %d not decoded", w.core.Waiting(), w.core.Bytes(), w.core.Held())
	}
}

// talk is one conversation. It keeps offsets and acknowledgements as flow does.
type talk struct {
	w    *world
	s    flow.Stream
	now  packet.Time
	wake packet.Time
	off  [2]uint64
	lost [2]uint64
	by   [2]uint64 // where the other side stood when the newest bytes were lost
	mid  [2]bool
	met  [2]bool
	ack  [2]uint64 // what each side is said to have received; AckUnknown
	auto bool      // ack follows what the peer sent
	shut bool
}

func (w *world) open() *talk {
	w.flows++
	f := &flow.Flow{ID: w.flows * 77, Transport: packet.TCP, Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:80")}
	return &talk{w: w, s: w.core.Open(f), now: 1e18, auto: true}
}

// wait lets time pass.
func (c *talk) wait(d time.Duration) *talk {
	to := c.now.Add(d)
	for c.wake != 0 && c.wake <= to {
		c.now = max(c.now, c.wake)
		before := c.wake
		if c.wake = c.s.Tick(c.now); c.wake != 0 && c.wake <= c.now {
			c.w.t.Fatalf("Tick at %d asks for %d, before it for %d", c.now, c.wake, before)
		}
		c.w.law()
	}
	c.now = to
	return c
}

func (c *talk) chunk(from flow.Side, x flow.Chunk) *talk {
	c.wait(time.Millisecond)
	if c.auto {
		c.ack[from] = c.off[from.Peer()]
	}
	x.From, x.Time, x.Offset, x.Ack, x.Edge, x.Peer = from, c.now, c.off[from], c.ack[from], true, true
	x.Mid = c.mid[from] && !c.met[from]
	x.Lost = c.lost[from]
	if x.LostBy = flow.AckUnknown; x.Lost > 0 {
		x.LostBy = c.by[from]
	}
	c.lost[from], c.met[from] = 0, true
	c.off[from] += uint64(len(x.Data))
	c.w.bytes += uint64(len(x.Data))
	c.wake = c.s.Chunk(&x)
	for i := range x.Data {
		x.Data[i] = '#' // it was borrowed
	}
	c.w.law()
	return c
}

func (c *talk) say(from flow.Side, text string) *talk {
	if c.lost[from.Peer()] > 0 { // what the sender may have seen is told before
		c.chunk(from.Peer(), flow.Chunk{})
	}
	return c.chunk(from, flow.Chunk{Data: []byte(text)})
}
func (c *talk) ask(text string) *talk    { return c.say(client, text) }
func (c *talk) answer(text string) *talk { return c.say(server, text) }

// lose leaves bytes out, which the next chunk of that side tells.
func (c *talk) lose(from flow.Side, text string) *talk {
	c.off[from] += uint64(len(text))
	c.lost[from] += uint64(len(text))
	c.by[from] = c.off[from.Peer()]
	return c
}

func (c *talk) end(from flow.Side) *talk { return c.chunk(from, flow.Chunk{End: true}) }

func (c *talk) close(r flow.Reason) {
	if c.shut {
		return
	}
	c.shut = true
	c.s.Close(r)
	c.w.law()
}

package replay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"

	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
)

// readChunks reads the record format of the traffic mirror: pieces of
// conversations, which the protocol core puts together to exchanges. The format
// tells neither where a conversation begins nor where it ends, nor what is
// missing: pieces between the same two ends are one conversation.
func (r *Recording) readChunks(ctx context.Context, in io.Reader) error {
	c := protocol.DefaultConfig()
	c.Protocols = builtin.Protocols(builtin.ProtocolOptions{BodyLimit: r.options.BodyLimit})
	c.Memory = max(c.Memory, int(min(r.options.Memory, 1<<30)))
	to := &talks{recording: r, all: map[[2]string]*recorded{}}
	to.core = protocol.NewCore(c, to)
	records := record.NewReader(in, record.DefaultConfig())
	for n := 0; ; n++ {
		one, err := records.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if to.take(&one); to.err != nil {
			return to.err
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	for _, t := range to.order {
		t.stream.Close(flow.Finished)
	}
	if s := records.Stats(); s.Bad() > 0 {
		r.skip("record that cannot be read", int(s.Bad()))
	}
	return to.err
}

// talks are the conversations of a file.
type talks struct {
	recording *Recording
	core      *protocol.Core
	all       map[[2]string]*recorded
	order     []*recorded
	err       error
}

// recorded is one conversation.
// All conversations are kept to the end of the file, as any may go on.
type recorded struct {
	stream flow.Stream
	client string
	wake   packet.Time
	now    packet.Time
	next   [2]uint64 // offset of the next byte of each side
	mid    [2]bool
}

func (t *talks) take(one *record.Record) {
	if one.Type != record.TCP {
		t.recording.skip("record that is not TCP", 1)
		return
	}
	if len(one.Data) == 0 {
		return
	}
	key := [2]string{one.From, one.To}
	if key[0] > key[1] {
		key[0], key[1] = key[1], key[0]
	}
	x := t.all[key]
	if x == nil {
		// The ends are kept as text, which may be of any length.
		if t.err = t.recording.hold(int64(talkBytes + len(one.From) + len(one.To))); t.err != nil {
			return
		}
		x = &recorded{client: one.From}
		client, server := one.From, one.To
		if bytes.HasPrefix(one.Data, []byte("HTTP/1.")) { // the answer was recorded first
			x.client, client, server = server, server, client
		}
		x.stream = t.core.Open(&flow.Flow{ID: uint64(len(t.order) + 1), Transport: packet.TCP, Client: address(client), Server: address(server), Start: packet.Time(one.Time.UnixNano())})
		t.all[key] = x
		t.order = append(t.order, x)
	}
	from := flow.Client
	if one.From != x.client {
		from = flow.Server
	}
	if x.next[from] == 0 {
		x.mid[from] = !begins(one.Data)
	}
	x.now = max(x.now, packet.Time(one.Time.UnixNano()))
	for x.wake != 0 && x.wake <= x.now {
		x.wake = x.stream.Tick(x.now)
	}
	x.wake = x.stream.Chunk(&flow.Chunk{From: from, Time: x.now, Offset: x.next[from], Ack: flow.AckUnknown, LostBy: flow.AckUnknown,
		Data: one.Data, Edge: true, Peer: x.next[from.Peer()] > 0, Mid: x.mid[from]})
	x.next[from] += uint64(len(one.Data))
	if t.err == nil && t.recording.bytes+int64(t.core.Bytes()) > t.recording.options.Memory {
		t.err = t.recording.tooMuch()
	}
}

// talkBytes is about what a conversation holds until the end of the file, apart
// from messages.
const talkBytes = 2 << 10

// address reads host:port; a host that is a name is left out.
func address(s string) netip.AddrPort {
	a, _ := netip.ParseAddrPort(s)
	return a
}

// begins tells whether b looks like the start of a request or an answer.
func begins(b []byte) bool {
	line, _, _ := bytes.Cut(b[:min(len(b), 4096)], []byte("\n"))
	if bytes.HasPrefix(b, []byte("HTTP/1.")) {
		return true
	}
	method, rest, ok := bytes.Cut(line, []byte(" "))
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return ok && len(method) > 0 && len(rest) > 0
}

// Exchange implements protocol.Taker.
func (t *talks) Exchange(x *message.Exchange) {
	if t.err == nil {
		t.err = t.recording.add(x)
	}
}

// Message implements protocol.Taker; it is not asked for.
func (t *talks) Message(*message.Exchange) {}

// Opaque implements protocol.Taker.
func (t *talks) Opaque(*flow.Flow, *protocol.Opaque) {
	t.recording.skip("conversation that is not HTTP, or no longer", 1)
}

// Broken implements protocol.Taker.
func (t *talks) Broken(*flow.Flow, string, any) {
	t.recording.skip("conversation that broke the decoder", 1)
}

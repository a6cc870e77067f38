package passiflow_test

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/http1"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// discard is a Taker that takes nothing.
type discard struct{ exchanges int }

func (d *discard) Exchange(*message.Exchange)        { d.exchanges++ }
func (*discard) Message(*message.Exchange)           {}
func (*discard) Opaque(*flow.Flow, *protocol.Opaque) {}
func (*discard) Broken(_ *flow.Flow, _ string, c any) {
	panic(c)
}

// walk is packets → flow → decoder without source and sink.
type walk struct {
	parser *packet.Parser
	table  *flow.Table
	taker  discard
	file   []packet.Packet
	now    packet.Time
	lag    packet.Time // what one pass over file takes
}

// newWalk makes a walk over conversations that take turns; an answer's body has
// size bytes.
func newWalk(t testing.TB, conversations, exchanges, size int) *walk {
	tape := packettest.NewTape()
	var all []*packettest.Conversation
	for i := range conversations {
		all = append(all, tape.Open(fmt.Sprintf("10.0.%d.%d:40000", i/200, 1+i%200), "10.1.0.1:80", nil))
	}
	head := "\r\nHost: api.example.com\r\nUser-Agent: test/1.0\r\nAccept: application/json\r\nX-Request-Id: 0123456789abcdef\r\n\r\n"
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: test\r\nContent-Type: application/json\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\nContent-Length: %d\r\n\r\n%s",
		size, strings.Repeat("x", size))
	for k := range exchanges {
		for i, c := range all {
			c.Client(fmt.Sprintf("GET /api/v1/things/%d/%d HTTP/1.1%s", i, k, head))
			c.Server(answer)
		}
	}
	for _, c := range all {
		c.Close()
	}
	f, err := pcapfile.Open(pcapfile.Config{Paths: []string{"-"}, Stdin: bytes.NewReader(tape.Bytes())})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := &walk{parser: packet.NewParser(packet.DefaultConfig())}
	cfg := protocol.DefaultConfig()
	cfg.Protocols = []protocol.Protocol{http1.New(http1.DefaultConfig())}
	w.table = flow.NewTable(flow.DefaultConfig(), protocol.NewCore(cfg, &w.taker).Open, nil)
	batch := make([]packet.Packet, 64)
	for {
		n, err := f.Read(batch)
		for _, p := range batch[:n] {
			p.Data = bytes.Clone(p.Data)
			w.file = append(w.file, p)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.lag = w.file[len(w.file)-1].Time - w.file[0].Time + packet.Time(10*time.Second) // nothing lingers
	return w
}

// pass takes all packets once more, later than the time before.
func (w *walk) pass() {
	for i := range w.file {
		p := w.file[i]
		p.Time += w.now
		if w.parser.Parse(&p) == packet.OK {
			w.table.Packet(&p)
		}
	}
	w.now += w.lag
}

var shapes = []struct {
	name                           string
	conversations, exchanges, size int
	budget                         float64 // allocations for an exchange: two messages, their heads, fields and body, and the exchange
}{
	{"api", 100, 20, 1200, 6.5},
	{"bulk", 10, 4, 200_000, 9},
	{"churn", 400, 1, 300, 8.5},
}

// BenchmarkWalk is packets → flow → decoder, as `floor http` of the bench does
// them, without reading and writing.
func BenchmarkWalk(b *testing.B) {
	for _, x := range shapes {
		b.Run(x.name, func(b *testing.B) {
			w := newWalk(b, x.conversations, x.exchanges, x.size)
			w.pass()
			b.ReportAllocs()
			for b.Loop() {
				w.pass()
			}
			n := float64(b.N * len(w.file))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/packet")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*x.conversations*x.exchanges), "ns/exchange")
		})
	}
}

// Packets allocate nothing; exchanges do, a handful each.
func TestWalkAllocates(t *testing.T) {
	for _, x := range shapes {
		w := newWalk(t, x.conversations, x.exchanges, x.size)
		w.pass()
		w.taker.exchanges = 0
		n := testing.AllocsPerRun(3, w.pass)
		exchanges := float64(x.conversations * x.exchanges)
		if w.taker.exchanges != 4*int(exchanges) {
			t.Fatalf("%s: %d exchanges, want %d", x.name, w.taker.exchanges, 4*int(exchanges))
		}
		if per := n / exchanges; per > x.budget {
			t.Errorf("%s: %.2f allocations for an exchange, at most %v", x.name, per, x.budget)
		} else {
			t.Logf("%s: %.2f allocations for an exchange of %.1f packets", x.name, per, float64(len(w.file))/exchanges)
		}
	}
}

// A packet in the middle of a body whose memory is there allocates nothing.
func TestPacketAllocatesNothing(t *testing.T) {
	w := newWalk(t, 1, 1, 1)
	for i := range w.file[:4] {
		p := w.file[i]
		w.parser.Parse(&p)
		w.table.Packet(&p)
	}
	seq, at := uint32(900001), w.file[3].Time
	send := func(data []byte) {
		at += 1000
		p := packet.Packet{Time: at, Proto: packet.TCP, Payload: data, Hash: w.hash(),
			Src: netip.MustParseAddrPort("10.1.0.1:80"), Dst: netip.MustParseAddrPort("10.0.0.1:40000"),
			TCP: packet.TCPHeader{Seq: seq, Ack: 1001, Flags: packet.ACK}}
		w.table.Packet(&p)
		seq += uint32(len(data))
	}
	send([]byte("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"))
	data := bytes.Repeat([]byte("x"), 1400)
	for range 2000 { // beyond the body limit
		send(data)
	}
	if n := testing.AllocsPerRun(1000, func() { send(data) }); n != 0 {
		t.Errorf("%v allocations for a packet", n)
	}
}

// hash is the one the parser gives the conversation's packets.
func (w *walk) hash() uint64 {
	p := w.file[3]
	w.parser.Parse(&p)
	return p.Hash
}

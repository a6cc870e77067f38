package passiflow_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/source"
)

// ports counts packets by the port of the client.
type ports struct {
	all  map[uint16]int
	late bool // a packet came out of its conversation's order
	last map[uint16]packet.Time
}

func (c *ports) Packet(_ context.Context, p *packet.Packet) {
	n := p.Src.Port()
	if n == 80 {
		n = p.Dst.Port()
	}
	c.all[n]++
	c.late = c.late || p.Time < c.last[n] || len(p.Data) == 0
	c.last[n] = p.Time
}

func (c *ports) Flush(context.Context) {}

// of keeps records with this in their target.
type of string

func (o of) Apply(x *message.Exchange) bool {
	return x.Request != nil && strings.HasPrefix(x.Request.Target, string(o))
}

func tapeOf(t *testing.T, packets []byte, rules of, change func(*passiflow.Config)) (map[uint16]int, passiflow.Stats) {
	t.Helper()
	cfg, _ := config(open(t, packets))
	c := &ports{all: map[uint16]int{}, last: map[uint16]packet.Time{}}
	cfg.Outputs = []passiflow.Output{{Unit: passiflow.UnitPacket, Packets: func(source.Source) passiflow.Frames { return c }, Rules: rules}}
	change(&cfg)
	p := start(t, cfg)
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.late {
		t.Error("out of order")
	}
	return c.all, p.Stats()
}

// What a record decides about is all packets of its conversation, those before
// and those after.
func TestPacketsOfConversations(t *testing.T) {
	packets := capture(60, 5)
	all, _ := tapeOf(t, packets, "/", func(*passiflow.Config) {})
	if len(all) != 60 {
		t.Fatalf("%d conversations", len(all))
	}
	for _, target := range []of{"/8/0", "/8/4", "/10/2"} { // closed and left open
		got, s := tapeOf(t, packets, target, func(*passiflow.Config) {})
		for port, n := range got {
			if n != all[port] || n < 13 || len(got) != 1 {
				t.Errorf("%s: %d packets of %d, want %d of one conversation", target, n, port, all[port])
			}
		}
		if len(got) != 1 || s.Walk.TapeLost != 0 {
			t.Error(target, got, s.Walk.TapeLost)
		}
	}
	// At the bound whole conversations go, and each packet is counted.
	got, s := tapeOf(t, packets, "/", func(c *passiflow.Config) { c.TapeBytes = 12000 })
	sum, want := 0, 0
	for port, n := range got {
		if n != all[port] {
			t.Errorf("%d of %d packets of %d", n, all[port], port)
		}
		sum += n
	}
	for _, n := range all {
		want += n
	}
	if s.Walk.TapeLost == 0 || sum+int(s.Walk.TapeLost) != want || sum == 0 {
		t.Errorf("%d told and %d lost of %d", sum, s.Walk.TapeLost, want)
	}
}

// Packets that belong to no conversation take no room from those that do.
func TestTapeKeepsConversations(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:40000", "10.1.0.1:80", nil)
	c.Client("GET /a HTTP/1.1\r\n\r\n")
	for i := range 1000 {
		tape.Frame(packettest.Ether(packettest.IPv4("10.0.0.9", "10.1.0.1", packettest.UDP(uint16(1000+i), 53, packettest.Text("query")))))
	}
	c.Server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	got, s := tapeOf(t, tape.Bytes(), "/", func(c *passiflow.Config) { c.TapeBytes = 20000 })
	if got[40000] < 5 || len(got) != 1 || s.Walk.TapeLost != 0 {
		t.Errorf("%d packets of the conversation, %d conversations, %d lost", got[40000], len(got), s.Walk.TapeLost)
	}
}

// A conversation between the same ends is another one, also where one batch
// brings the end of the first with all of the second.
func TestTapeKnowsReuse(t *testing.T) {
	tape := packettest.NewTape()
	for _, target := range []string{"/a", "/b"} {
		c := tape.Open("10.0.0.1:40000", "10.1.0.1:80", nil)
		c.Client("GET " + target + " HTTP/1.1\r\n\r\n")
		c.Server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		c.Close()
		tape.Wait(time.Hour)
	}
	all, _ := tapeOf(t, tape.Bytes(), "/", func(*passiflow.Config) {})
	for _, target := range []of{"/a", "/b"} {
		if got, _ := tapeOf(t, tape.Bytes(), target, func(*passiflow.Config) {}); 2*got[40000] != all[40000] || got[40000] == 0 {
			t.Errorf("%s: %d packets of %d", target, got[40000], all[40000])
		}
	}
}

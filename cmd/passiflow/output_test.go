package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/source"
)

// onePort is a source that has one interface and nothing else.
type onePort struct{ source.Source }

func (onePort) Interfaces() []source.Interface {
	return []source.Interface{{Name: "eth0", Link: packet.LinkEthernet}}
}

func TestPacketBuffered(t *testing.T) {
	for _, atOnce := range []bool{false, true} {
		q := sink.NewFrames(sink.NewFrameStream(&bytes.Buffer{}, nil, nil), sink.DefaultQueueConfig())
		w := framers(builtin.Packets(65535), q, atOnce)(onePort{})
		for range 3 {
			w.Packet(t.Context(), &packet.Packet{Data: make([]byte, 60), Length: 60})
		}
		want := int64(0)
		if atOnce {
			want = 3
		}
		if n := q.Stats().Pushed.Records; n != want {
			t.Errorf("at once %v: %d packets handed over before more came, want %d", atOnce, n, want)
		}
		w.Flush(t.Context())
		if err := q.Close(t.Context()); err != nil || q.Stats().Written.Records != 3 {
			t.Errorf("%v, %+v", err, q.Stats())
		}
	}
}

func TestLineBuffered(t *testing.T) {
	c := config.DefaultConfig()
	for _, live := range []bool{false, true} {
		if pipe(sink.DefaultQueueConfig(), &c, live).Linger == 0 {
			t.Errorf("live %v: without the flag nothing is collected", live)
		}
	}
	line, packets := c, c
	line.Output.LineBuffered, packets.Output.PacketBuffered = true, true
	for _, c := range []config.Config{line, packets} {
		if d := pipe(sink.DefaultQueueConfig(), &c, true).Linger; d != time.Duration(0) {
			t.Errorf("%+v: records wait for %v", c.Output, d)
		}
	}
}

// cooked is one with another kind of link.
type cooked struct{ source.Source }

func (cooked) Interfaces() []source.Interface {
	return []source.Interface{{Name: "any", Link: packet.LinkSLL2}}
}

func TestMixedLinksAreTold(t *testing.T) {
	for _, c := range []struct {
		frames  bool
		sources []source.Source
		want    string
	}{
		{true, []source.Source{onePort{}, cooked{}}, `links="eth0: 1, any: 276"`},
		{true, []source.Source{onePort{}, onePort{}}, ""},
		{false, []source.Source{onePort{}, cooked{}}, ""},
	} {
		var said bytes.Buffer
		o := &outputs{log: slog.New(slog.NewTextHandler(&said, nil)), frames: c.frames}
		for range 2 {
			o.tellMixed(c.sources)
		}
		if n := strings.Count(said.String(), "tcpdump does not"); n > 1 || (n == 1) != (c.want != "") || !strings.Contains(said.String(), c.want) {
			t.Errorf("%+v: %s", c, said.String())
		}
	}
}

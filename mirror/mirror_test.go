package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"

	"github.com/passiflow/passiflow/mirror"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/packet/packettest"
)

const request = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic c2VjcmV0\r\nTE: trailers\r\n\r\n"
const response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func whole(port uint16) *talk {
	c := newTalk(port)
	c.client(request)
	c.server(response)
	c.close()
	return c
}

func start(t *testing.T, c mirror.GopacketMirrorConfig, packets ...gopacket.Packet) (*mirror.GopacketTrafficMirror, error) {
	t.Helper()
	m := mirror.NewGopacketTrafficMirror(c)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return m, m.Start(ctx, channel(packets...))
}

func TestForwardAndRecord(t *testing.T) {
	to := newTarget(t, nil)
	var out bytes.Buffer
	before := time.Now()
	m, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: observed, TargetAddr: to.address(), Writer: &out}, whole(40001).packets...)
	if err != nil {
		t.Fatal(err)
	}
	// By default the requests alone are sent and recorded.
	if d := cmp.Diff([]string{request}, to.received(t, 1)); d != "" {
		t.Error(d)
	}
	rs := records(t, &out)
	if len(rs) != 1 || string(rs[0].Data) != request || rs[0].From != "10.0.0.1:40001" || rs[0].To != "10.0.0.2:8090" || rs[0].Type != 1 || rs[0].Time.Before(before) {
		t.Errorf("%+v", rs)
	}
	s := m.Stats()
	if s.Packets != 8 || s.Chunks != 2 || s.Connections != 1 || s.Forwarded != uint64(len(request)) || s.Records != 1 || s.Flow.Delivered != s.ChunkBytes {
		t.Errorf("%+v", s)
	}
}

// The example of the documentation, with a target.
func TestInjectAndRedact(t *testing.T) {
	to := newTarget(t, nil)
	var out bytes.Buffer
	toObserved := func(edit func([]byte) []byte) mirror.TrafficMirrorHook {
		return mirror.TrafficMirrorHookFunc(func(_ context.Context, c *mirror.ObservedTrafficChunk) ([]byte, bool, error) {
			if c.Direction != mirror.TrafficDirectionToObserved {
				return nil, false, nil
			}
			return edit(c.Data), true, nil
		})
	}
	_, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: observed, TargetAddr: to.address(), Writer: &out,
		ForwardHook: toObserved(func(b []byte) []byte {
			return bytes.Replace(b, []byte("\r\n\r\n"), []byte("\r\nX-Mirror: 1\r\n\r\n"), 1)
		}),
		RecordHook: toObserved(redactAuthHeader),
	}, whole(40001).packets...)
	if err != nil {
		t.Fatal(err)
	}
	sent := to.received(t, 1)
	if len(sent) != 1 || !strings.Contains(sent[0], "X-Mirror: 1") || !strings.Contains(sent[0], "Authorization") {
		t.Errorf("%q", sent)
	}
	kept := records(t, &out)
	if len(kept) != 1 || strings.Contains(string(kept[0].Data), "Authorization") || strings.Contains(string(kept[0].Data), "X-Mirror") {
		t.Errorf("%q", kept)
	}
}

func TestHooksWithoutPlaces(t *testing.T) {
	forward, record := &keeper{}, &keeper{}
	_, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: observed, ForwardHook: forward, RecordHook: record}, whole(40001).packets...)
	if err != nil {
		t.Fatal(err)
	}
	if len(forward.all) != 0 {
		t.Error("without a target the hook that forwards is not asked")
	}
	want := []mirror.ObservedTrafficChunk{
		{Data: []byte(request), From: "10.0.0.1:40001", To: "10.0.0.2:8090", Direction: mirror.TrafficDirectionToObserved, Type: mirror.TCPType, SeenAt: began.Add(3 * time.Millisecond)},
		{Data: []byte(response), From: "10.0.0.2:8090", To: "10.0.0.1:40001", Direction: mirror.TrafficDirectionFromObserved, Type: mirror.TCPType, SeenAt: began.Add(4 * time.Millisecond)},
	}
	if d := cmp.Diff(want, record.all); d != "" {
		t.Error(d)
	}
}

func TestDirections(t *testing.T) {
	for _, c := range []struct {
		src, dst, observed uint16
		want               []mirror.TrafficDirection
	}{
		{40000, 8090, 8090, []mirror.TrafficDirection{mirror.TrafficDirectionToObserved}},
		{8090, 40000, 8090, []mirror.TrafficDirection{mirror.TrafficDirectionFromObserved}},
		{8090, 8090, 8090, []mirror.TrafficDirection{mirror.TrafficDirectionToObserved}},
		{40000, 80, 8090, nil},
		{40000, 8090, 0, []mirror.TrafficDirection{mirror.TrafficDirectionUnknown}},
	} {
		k := &keeper{}
		m, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: c.observed, RecordHook: k}, seg(c.src, c.dst, packettest.Seg{Seq: 1, Flags: packet.ACK, Data: []byte("x")}))
		if err != nil {
			t.Fatal(err)
		}
		var got []mirror.TrafficDirection
		for _, x := range k.all {
			got = append(got, x.Direction)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%d to %d, observed %d: %s", c.src, c.dst, c.observed, d)
		}
		if s := m.Stats(); (s.OtherPort == 1) != (c.want == nil) {
			t.Errorf("%+v", s)
		}
	}
	var out bytes.Buffer
	_, err := start(t, mirror.GopacketMirrorConfig{Writer: &out}, whole(40001).packets...)
	if err != nil || out.Len() > 0 {
		t.Errorf("port 0 and the default hooks: %q, %v", out.String(), err)
	}
}

func TestDefaultHooks(t *testing.T) {
	for _, d := range []mirror.TrafficDirection{mirror.TrafficDirectionToObserved, mirror.TrafficDirectionFromObserved, mirror.TrafficDirectionUnknown} {
		c := &mirror.ObservedTrafficChunk{Data: []byte("x"), Direction: d}
		for name, h := range map[string]mirror.TrafficMirrorHook{"all": mirror.DefaultTrafficMirrorHook{}, "forward": mirror.DefaultForwardTrafficMirrorHook{}, "record": mirror.DefaultRecordTrafficMirrorHook{}} {
			b, keep, err := h.Handle(t.Context(), c)
			if want := name == "all" || d == mirror.TrafficDirectionToObserved; keep != want || (len(b) > 0) != want || err != nil {
				t.Errorf("%s, %s: %q, %v, %v", name, d, b, keep, err)
			}
			if len(b) > 0 && &b[0] == &c.Data[0] {
				t.Errorf("%s: no copy", name)
			}
		}
	}
}

func TestWriteFunc(t *testing.T) {
	var out, unused bytes.Buffer
	var values []any
	_, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: observed, Writer: &unused,
		WriteFunc: func(b []byte, ctx context.Context) (int, error) {
			for _, k := range []string{mirror.ListenType, mirror.FromIP, mirror.ToIP, mirror.FromTo, "other"} {
				values = append(values, ctx.Value(k))
			}
			return out.Write(b)
		}}, whole(40001).packets...)
	if err != nil {
		t.Fatal(err)
	}
	if unused.Len() > 0 || len(records(t, &out)) != 1 {
		t.Error("WriteFunc goes first")
	}
	want := []any{mirror.TCPType, "10.0.0.1:40001", "10.0.0.2:8090", "10.0.0.1:40001...10.0.0.2:8090", nil}
	if d := cmp.Diff(want, values); d != "" {
		t.Error(d)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestErrorsEndStart(t *testing.T) {
	boom := errors.New("boom")
	bad := mirror.TrafficMirrorHookFunc(func(context.Context, *mirror.ObservedTrafficChunk) ([]byte, bool, error) { return nil, false, boom })
	to := newTarget(t, nil)
	for name, c := range map[string]mirror.GopacketMirrorConfig{
		"forward hook": {ForwardHook: bad, TargetAddr: to.address()},
		"record hook":  {RecordHook: bad},
		"writer":       {Writer: failing{boom}},
		"write func":   {WriteFunc: func([]byte, context.Context) (int, error) { return 0, boom }},
		"dial": {TargetAddr: "x", DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			if network != "tcp" || address != "x" {
				t.Error(network, address)
			}
			return nil, boom
		}},
		"gap hook": {Options: mirror.Options{MidStream: true, GapHook: func(context.Context, *mirror.ObservedTrafficGap) error { return boom }}},
	} {
		c.ObservedPort = observed
		x := newTalk(40001)
		x.lose(10)
		x.client(request)
		if _, err := start(t, c, append(x.packets, whole(40002).packets...)...); !errors.Is(err, boom) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// It ends at once, though the source goes on.
	packets := make(chan gopacket.Packet, 100)
	for _, p := range whole(40001).packets {
		packets <- p
	}
	m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{ObservedPort: observed, RecordHook: bad})
	if err := m.Start(t.Context(), mirror.NewChannelObservedPacketSource(packets)); !errors.Is(err, boom) {
		t.Error(err)
	}
}

// closing counts its Close.
type closing struct {
	mirror.ObservedPacketSource
	n int
}

func (c *closing) Close() error { c.n++; return errors.New("ignored") }

func TestSourceIsClosed(t *testing.T) {
	m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{ObservedPort: observed})
	if err := m.Start(t.Context(), nil); err == nil || err.Error() != "packet source is nil" {
		t.Error(err)
	}
	src := &closing{ObservedPacketSource: channel(nil, nil)}
	if err := m.Start(t.Context(), src); err != nil || src.n != 1 {
		t.Error(err, src.n)
	}
	if err := channel().Close(); err != nil {
		t.Error(err)
	}
}

// What is held goes out when the context ends.
func TestContextEnds(t *testing.T) {
	packets := make(chan gopacket.Packet)
	k := &keeper{}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		packets <- seg(40001, observed, packettest.Seg{Seq: 1, Flags: packet.ACK, Data: []byte("held")})
		packets <- nil // it was taken
		cancel()
	}()
	m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{ObservedPort: observed, RecordHook: k})
	if err := m.Start(ctx, mirror.NewChannelObservedPacketSource(packets)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if k.text(mirror.TrafficDirectionToObserved) != "held" {
		t.Errorf("%+v", k.all)
	}
}

// What a hook returns is its own; what it writes into the chunk both see.
func TestOneChunkForBothHooks(t *testing.T) {
	to := newTarget(t, nil)
	k := &keeper{}
	_, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: observed, TargetAddr: to.address(), RecordHook: k,
		ForwardHook: mirror.TrafficMirrorHookFunc(func(_ context.Context, c *mirror.ObservedTrafficChunk) ([]byte, bool, error) {
			c.Data[0] = 'P'
			return []byte("other"), c.Direction == mirror.TrafficDirectionToObserved, nil
		})}, whole(40001).packets...)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"other"}, to.received(t, 1)); d != "" {
		t.Error(d)
	}
	if got := k.text(mirror.TrafficDirectionToObserved); got != "P"+request[1:] {
		t.Errorf("%q", got)
	}
}

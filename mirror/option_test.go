package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/mirror"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// diary notes chunks and gaps in the order told.
type diary struct{ lines []string }

func (l *diary) config() mirror.GopacketMirrorConfig {
	return mirror.GopacketMirrorConfig{ObservedPort: observed,
		RecordHook: mirror.TrafficMirrorHookFunc(func(_ context.Context, c *mirror.ObservedTrafficChunk) ([]byte, bool, error) {
			s := c.From + " " + string(c.Data)
			if c.MidStream {
				s += " mid"
			}
			if c.Lost > 0 {
				s += " behind a gap"
			}
			l.lines = append(l.lines, s)
			return nil, false, nil
		}),
		Options: mirror.Options{GapHook: func(_ context.Context, g *mirror.ObservedTrafficGap) error {
			l.lines = append(l.lines, g.From+" lost "+strings.Repeat("x", int(g.Lost)))
			return nil
		}},
	}
}

func TestMidStreamAndGaps(t *testing.T) {
	gap := newTalk(40001)
	gap.client("one")
	gap.lose(4)
	gap.client("two")
	gap.server("answer")
	gap.lose(2)
	gap.close()
	mid := newTalk(40002)
	mid.packets = nil
	mid.client("three")
	all := append(gap.packets, mid.packets...)
	later := newTalk(40003)
	later.client("four")
	for _, p := range later.packets {
		p.Metadata().Timestamp = began.Add(10 * time.Second)
	}
	all = append(all, later.packets...)

	l := &diary{}
	c := l.config()
	c.Options.MidStream = true
	m, err := start(t, c, all...)
	if err != nil {
		t.Fatal(err)
	}
	told := []string{"10.0.0.1:40001 one", "10.0.0.1:40001 lost xxxx", "10.0.0.1:40001 two behind a gap", "10.0.0.2:8090 answer", "10.0.0.1:40001 lost xx"}
	if d := cmp.Diff(told, only(l.lines, "40001", ":8090 ")); d != "" {
		t.Error(d)
	}
	if s := m.Stats(); s.Gaps != 2 || s.Lost != 6 || s.HeldBytes != 0 {
		t.Errorf("%+v", s)
	}
	if at, end := find(l.lines, "10.0.0.1:40002 three mid"), find(l.lines, "10.0.0.1:40003 four"); at < 0 || at > end {
		t.Errorf("%q", l.lines)
	}

	// Without the option the bytes come at the end of the conversation or the source.
	l = &diary{}
	if _, err := start(t, l.config(), all...); err != nil {
		t.Fatal(err)
	}
	at := find(l.lines, "10.0.0.1:40003 four")
	if find(l.lines, "10.0.0.1:40001 one") != 0 || find(l.lines, "10.0.0.2:8090 answer") != 1 || find(l.lines, "10.0.0.1:40002 three mid") < at {
		t.Errorf("%q", l.lines)
	}
}

func only(lines []string, with ...string) (out []string) {
	for _, l := range lines {
		for _, w := range with {
			if strings.Contains(l, w) {
				out = append(out, l)
				break
			}
		}
	}
	return out
}

func find(lines []string, want string) int {
	for i, l := range lines {
		if l == want {
			return i
		}
	}
	return -1
}

// What is held has a bound, and the stream that goes above it is dropped whole.
func TestHeldIsBounded(t *testing.T) {
	x := newTalk(40001)
	x.packets = x.packets[:0]
	for range 100 {
		x.client(strings.Repeat("a", 1000))
	}
	k := &keeper{}
	c := mirror.GopacketMirrorConfig{ObservedPort: observed, RecordHook: k, Options: mirror.Options{MaxHeld: 50_000}}
	y := newTalk(40002)
	y.packets = y.packets[:0]
	y.client("small")
	m, err := start(t, c, append(y.packets, x.packets...)...)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.text(mirror.TrafficDirectionToObserved); got != "small" {
		t.Errorf("%d bytes", len(got))
	}
	if s := m.Stats(); s.Unheld < 40_000 || s.HeldBytes != 0 {
		t.Errorf("%+v", s)
	}
}

// A target that answers more than a socket holds never takes the second request
// unless somebody reads its answers.
func TestDrainResponses(t *testing.T) {
	to := newTarget(t, make([]byte, 8<<20))
	x := newTalk(40001)
	x.client("first")
	x.client("second")
	x.close()
	m, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: observed, TargetAddr: to.address(), Options: mirror.Options{DrainResponses: true}}, x.packets...)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"firstsecond"}, to.received(t, 1)); d != "" {
		t.Error(d)
	}
	if s := m.Stats(); s.Answered < 8<<20 {
		t.Errorf("%+v", s)
	}
}

// A capture file is read as it is, and through a channel of gopacket's.
func TestOwnSource(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:40001", "10.0.0.2:8090", nil)
	c.Client(request)
	c.Server(response)
	c.Close()
	c = tape.Open("[2001:db8::1]:40002", "[2001:db8::2]:8090", nil)
	c.Client("six")
	c.Close()
	open := func() *mirror.SourceObservedPacketSource {
		f, err := pcapfile.Open(pcapfile.Config{Paths: []string{"-"}, Stdin: bytes.NewReader(tape.Bytes())})
		if err != nil {
			t.Fatal(err)
		}
		return mirror.NewSourceObservedPacketSource(f)
	}
	direct, through := &diary{}, &diary{}
	if err := mirror.NewGopacketTrafficMirror(direct.config()).Start(t.Context(), open()); err != nil {
		t.Fatal(err)
	}
	src := open()
	if err := mirror.NewGopacketTrafficMirror(through.config()).Start(t.Context(), mirror.NewChannelObservedPacketSource(src.Packets())); err != nil || src.Err() != nil {
		t.Fatal(err, src.Err())
	}
	src.Close()
	want := []string{"10.0.0.1:40001 " + request, "10.0.0.2:8090 " + response, "[2001:db8::1]:40002 six"}
	for name, l := range map[string]*diary{"direct": direct, "through": through} {
		if d := cmp.Diff(want, l.lines); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// silent is a live source without packets.
type silent struct {
	closed chan struct{}
	err    error
}

func (s *silent) Read([]packet.Packet) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	<-s.closed
	return 0, os.ErrClosed
}
func (s *silent) Stats() source.Stats            { return source.Stats{} }
func (s *silent) Interfaces() []source.Interface { return nil }
func (s *silent) Close() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

// quiet is a live source that has nothing more behind what a file holds.
type quiet struct{ source.Source }

func (quiet) Live() bool { return true }

func (s quiet) Read(batch []packet.Packet) (int, error) {
	n, err := s.Source.Read(batch)
	if errors.Is(err, io.EOF) {
		time.Sleep(time.Millisecond)
		return n, nil
	}
	return n, err
}

// A hook that fails ends Start, also where no packet comes any more.
func TestFailureWhileQuiet(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:40000", "10.0.0.2:8090", nil)
	c.Client("hello")
	f, err := pcapfile.Open(pcapfile.Config{Paths: []string{"-"}, Stdin: bytes.NewReader(tape.Bytes())})
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{ObservedPort: observed, Options: mirror.Options{Workers: 1, MidStream: true},
		RecordHook: mirror.TrafficMirrorHookFunc(func(context.Context, *mirror.ObservedTrafficChunk) ([]byte, bool, error) { return nil, false, boom })})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := m.Start(ctx, mirror.NewSourceObservedPacketSource(quiet{f})); !errors.Is(err, boom) {
		t.Error(err)
	}
}

func TestOwnSourceEnds(t *testing.T) {
	m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{ObservedPort: observed})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := m.Start(ctx, mirror.NewSourceObservedPacketSource(&silent{closed: make(chan struct{})})); err != context.Canceled {
		t.Error(err)
	}
	boom := errors.New("boom")
	if err := m.Start(t.Context(), mirror.NewSourceObservedPacketSource(&silent{err: boom, closed: make(chan struct{})})); !errors.Is(err, boom) {
		t.Error(err)
	}
	src := mirror.NewSourceObservedPacketSource(&silent{err: boom, closed: make(chan struct{})})
	for range src.Packets() {
		t.Error("a packet")
	}
	if !errors.Is(src.Err(), boom) {
		t.Error(src.Err())
	}
	src.Close()
}

// The names of the original's package proto.
func TestProto(t *testing.T) {
	var in bytes.Buffer
	bodies := []string{"a\nthe b", mirror.MagicHeader, strings.Repeat("x", 100_000)}
	for _, b := range bodies {
		in.Write(mirror.WriteProto([]byte(b), mirror.TCPType, "a:1...b:2"))
	}
	s, err := mirror.ReadProtoFromReader(io.MultiReader(strings.NewReader("noise"), &in))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range bodies {
		if !s.Scan() {
			t.Fatal(s.Err())
		}
		p, err := mirror.UnMarshal(s.Bytes())
		if err != nil || string(p.Data) != want || p.From != "a:1" || p.To != "b:2" || p.Type != mirror.TCPType || time.Since(time.Unix(0, p.Timestamp())) > time.Minute {
			t.Errorf("%.50v, %v", p, err)
		}
		if q, err := mirror.UnMarshal(mirror.NewPacket(p.Data, p.From, p.To, p.Type).Marshal()); err != nil || string(q.Data) != want {
			t.Error(err)
		}
	}
	if s.Scan() || s.Err() != nil {
		t.Error(s.Err())
	}
	if _, err := mirror.UnMarshal([]byte("x")); err == nil {
		t.Error("no error")
	}
}

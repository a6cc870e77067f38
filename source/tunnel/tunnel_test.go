package tunnel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/sourcetest"
)

// long is how long something may take on a machine that has other things to do.
const long = 30 * time.Second

const inner = "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00"

func vxlanOf(id uint32, frame string) []byte {
	b := append([]byte{8, 0, 0, 0}, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(b[4:], id<<8)
	return append(b, frame...)
}

func geneveOf(id uint32, kind uint16, options int, frame string) []byte {
	b := []byte{byte(options), 0, byte(kind >> 8), byte(kind), 0, 0, 0, 0}
	binary.BigEndian.PutUint32(b[4:], id<<8)
	b = append(b, make([]byte, 4*options)...)
	return append(b, frame...)
}

func listen(t testing.TB, change func(*Config)) source.Source {
	t.Helper()
	cfg := DefaultConfig()
	// The kernel doubles it, and then it is what anybody may have by default.
	cfg.Address, cfg.Buffer, cfg.Wait = "127.0.0.1:0", 212992/2, 50*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// dial returns a connection to where s listens.
func dial(t testing.TB, s source.Source) net.Conn {
	t.Helper()
	_, at, _ := strings.Cut(s.Interfaces()[0].Name, "://")
	c, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func send(t testing.TB, to net.Conn, datagrams ...[]byte) {
	t.Helper()
	for _, d := range datagrams {
		if _, err := to.Write(d); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConformance(t *testing.T) {
	var datagrams [][]byte
	var want []sourcetest.Packet
	// All wait in the socket before they are read: of what the system grants by
	// default, 208 KiB, they take a half.
	for i := range 100 {
		size := i * 7 % 500
		if i%33 == 0 {
			size = 8900
		}
		frame := inner + strings.Repeat(string(rune('a'+i%26)), size)
		datagrams = append(datagrams, vxlanOf(uint32(i), frame))
		want = append(want, sourcetest.Packet{Data: frame, Length: len(frame), Link: packet.LinkEthernet, Outer: packet.Tunnel{Kind: packet.VXLAN, ID: uint32(i)}})
	}
	sourcetest.Run(t, sourcetest.Case{Want: want, Endless: true, Open: func(t *testing.T) source.Source {
		s := listen(t, nil)
		send(t, dial(t, s), datagrams...)
		return s
	}})
}

// collect reads n packets; what comes later than wait is not waited for.
func collect(t *testing.T, s source.Source, n int, wait time.Duration) []sourcetest.Packet {
	t.Helper()
	var all []sourcetest.Packet
	batch := make([]packet.Packet, 8)
	for end := time.Now().Add(wait); len(all) < n; {
		k, err := s.Read(batch)
		if err != nil {
			t.Fatal(err)
		}
		if k == 0 && time.Now().After(end) {
			break
		}
		for _, p := range batch[:k] {
			all = append(all, sourcetest.Packet{Data: string(p.Data), Length: p.Length, Link: p.Link, Outer: p.Outer})
		}
	}
	return all
}

func TestWhatIsInTheDatagrams(t *testing.T) {
	ip4, ip6 := "\x45"+strings.Repeat("4", 19), "\x60"+strings.Repeat("6", 39)
	good := func(kind packet.TunnelKind, id uint32, link packet.Link, frame string) *sourcetest.Packet {
		return &sourcetest.Packet{Data: frame, Length: len(frame), Link: link, Outer: packet.Tunnel{Kind: kind, ID: id}}
	}
	for kind, cases := range map[packet.TunnelKind][]struct {
		datagram          []byte
		want              *sourcetest.Packet
		filtered, unknown uint64
	}{
		packet.VXLAN: {
			{vxlanOf(1, inner), good(packet.VXLAN, 1, packet.LinkEthernet, inner), 0, 0},
			{vxlanOf(0xffffff, inner+"x"), good(packet.VXLAN, 0xffffff, packet.LinkEthernet, inner+"x"), 0, 0},
			{vxlanOf(1, inner[:13]), nil, 0, 1},
			{nil, nil, 0, 1},
			{[]byte("1234567"), nil, 0, 1},
			{append([]byte{0, 0, 0, 0, 0, 0, 1, 0}, inner...), nil, 0, 1},
			{append([]byte{0x0c, 0, 0, 1, 0, 0, 7, 0}, ip4...), good(packet.VXLAN, 7, packet.LinkIPv4, ip4), 0, 0},
			{append([]byte{0x0c, 0, 0, 2, 0, 0, 7, 0}, ip6...), good(packet.VXLAN, 7, packet.LinkIPv6, ip6), 0, 0},
			{append([]byte{0x0c, 0, 0, 3, 0, 0, 7, 0}, inner...), good(packet.VXLAN, 7, packet.LinkEthernet, inner), 0, 0},
			{append([]byte{0x0c, 0, 0, 1, 0, 0, 7, 0}, ip6...), nil, 0, 1},
			{append([]byte{0x0c, 0, 0, 4, 0, 0, 7, 0}, inner...), nil, 0, 1},
			{append([]byte{0x0d, 0, 0, 1, 0, 0, 7, 0}, ip4...), nil, 1, 0},
			{vxlanOf(1, "denied"+inner), good(packet.VXLAN, 1, packet.LinkEthernet, "denied"+inner), 0, 0},
			{vxlanOf(99, inner), nil, 1, 0},
			{vxlanOf(500, inner), nil, 1, 0},
		},
		packet.GENEVE: {
			{geneveOf(5, 0x6558, 0, inner), good(packet.GENEVE, 5, packet.LinkEthernet, inner), 0, 0},
			{geneveOf(5, 0x0800, 3, ip4), good(packet.GENEVE, 5, packet.LinkIPv4, ip4), 0, 0},
			{geneveOf(5, 0x86dd, 63, ip6), good(packet.GENEVE, 5, packet.LinkIPv6, ip6), 0, 0},
			{geneveOf(5, 0x0806, 0, inner), nil, 0, 1},
			{geneveOf(5, 0x6558, 63, "")[:8+62*4], nil, 0, 1},
			{geneveOf(5, 0x0800, 0, ip4[:19]), nil, 0, 1},
			{append([]byte{0x40}, geneveOf(5, 0x6558, 0, inner)[1:]...), nil, 0, 1},
			{append([]byte{0, 0x80}, geneveOf(5, 0x6558, 0, inner)[2:]...), nil, 1, 0},
			{append([]byte{0, 0x40}, geneveOf(5, 0x6558, 0, inner)[2:]...), good(packet.GENEVE, 5, packet.LinkEthernet, inner), 0, 0},
		},
	} {
		s := listen(t, func(c *Config) {
			c.Kind, c.Allow, c.Deny = kind, [][2]uint32{{50, 100}, {0, 9}, {0xffffff, 0xffffff}}, [][2]uint32{{99, 99}}
		})
		to := dial(t, s)
		var want []sourcetest.Packet
		var stats source.Stats
		for _, c := range cases {
			send(t, to, c.datagram)
			if c.want != nil {
				want = append(want, *c.want)
				stats.Received++
			}
			stats.Filtered += c.filtered
			stats.Cut += c.unknown
		}
		if d := cmp.Diff(want, collect(t, s, len(want), long)); d != "" {
			t.Errorf("%v: %s", kind, d)
		}
		if more := collect(t, s, 1, 0); len(more) != 0 {
			t.Errorf("%v: %v", kind, more)
		}
		if d := cmp.Diff(stats, s.Stats()); d != "" {
			t.Errorf("%v: %s", kind, d)
		}
	}
}

func TestTimesAreTheKernels(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells when a datagram came")
	}
	s := listen(t, nil)
	to := dial(t, s)
	batch := make([]packet.Packet, 1)
	// A kernel in which nobody wanted times begins with it when it gets to that, and
	// one that is busy receives some time after the send.
	for try := 1; ; try++ {
		before := time.Now().UnixNano()
		send(t, to, vxlanOf(1, inner))
		after := time.Now().UnixNano()
		time.Sleep(50 * time.Millisecond)
		for n, end := 0, time.Now().Add(long); n == 0; {
			var err error
			if n, err = s.Read(batch); err != nil || time.Now().After(end) {
				t.Fatal("no datagram", err)
			}
		}
		// Stamped in the send on loopback; 1 ms is for clocks of different make.
		if at := int64(batch[0].Time); at >= before-1e6 && at <= after+1e6 {
			break
		} else if try == 100 {
			t.Fatalf("%d is not between %d and %d", at, before, after)
		}
	}
}

func TestIdleReadReturns(t *testing.T) {
	s := listen(t, func(c *Config) { c.Wait = 20 * time.Millisecond })
	if !s.(source.Live).Live() {
		t.Error("is not live")
	}
	start := time.Now()
	if n, err := s.Read(make([]packet.Packet, 1)); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if took := time.Since(start); took < 20*time.Millisecond || took > long {
		t.Errorf("took %v", took)
	}
}

func TestDropsAreCounted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	s := listen(t, func(c *Config) { c.Buffer = 64 << 10 })
	to := dial(t, s)
	const n = 2000
	for i := range n {
		send(t, to, vxlanOf(1, inner+strings.Repeat("x", 1400)))
		if i%100 == 99 { // a kernel that is busy has a queue before the socket, which may overflow, too
			time.Sleep(time.Millisecond)
		}
	}
	got := collect(t, s, n/2, 0)
	for end := time.Now().Add(long); s.Stats().Received+s.Stats().Dropped < n && time.Now().Before(end); {
		got = append(got, collect(t, s, 1, 0)...)
	}
	if len(got) >= n/2 {
		t.Fatalf("%d fit a small buffer", len(got))
	}
	if st := s.Stats(); st.Received+st.Dropped != n || int(st.Received) != len(got) {
		t.Errorf("%d read of %d, %+v", len(got), n, st)
	}
}

func TestSmallBufferIsSaid(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() == 0 {
		t.Skip("root is given any buffer")
	}
	var log bytes.Buffer
	listen(t, func(c *Config) { c.Buffer, c.Log = 1<<30, slog.New(slog.NewTextHandler(&log, nil)) })
	if !strings.Contains(log.String(), "rmem_max") {
		t.Errorf("log: %s", log.String())
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	used := listen(t, nil)
	_, at, _ := strings.Cut(used.Interfaces()[0].Name, "://")
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Address = at }, "another program listens there"},
		{func(c *Config) { c.Kind = packet.GRE }, "only vxlan and geneve"},
		{func(c *Config) { c.Address = "nonsense" }, "give ADDRESS:PORT"},
		{func(c *Config) { c.Share = 1000 }, "at most 256"},
	} {
		cfg := DefaultConfig()
		cfg.Address = "127.0.0.1:0"
		c.change(&cfg)
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	_ = used.Close()
	if _, err := used.Read(make([]packet.Packet, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestIDs(t *testing.T) {
	for _, c := range []struct {
		allow, deny [][2]uint32
		yes, no     []uint32
	}{
		{nil, nil, []uint32{0, 1<<24 - 1}, nil},
		{[][2]uint32{}, nil, nil, []uint32{0, 7}},
		{[][2]uint32{{5, 9}, {1, 1}, {8, 20}, {21, 22}, {40, 30}}, nil, []uint32{1, 5, 9, 10, 20, 21, 22}, []uint32{0, 2, 4, 23, 30, 35, 40}},
		{nil, [][2]uint32{{5, 9}}, []uint32{0, 4, 10}, []uint32{5, 7, 9}},
		{[][2]uint32{{0, 1<<32 - 1}}, [][2]uint32{{7, 7}}, []uint32{6, 8, 1<<32 - 1}, []uint32{7}},
	} {
		s := newIDs(c.allow, c.deny)
		for _, id := range c.yes {
			if !s.wanted(id) {
				t.Errorf("%v but %v: %d is refused", c.allow, c.deny, id)
			}
		}
		for _, id := range c.no {
			if s.wanted(id) {
				t.Errorf("%v but %v: %d is taken", c.allow, c.deny, id)
			}
		}
	}
}

func FuzzDecapsulate(f *testing.F) {
	f.Add(true, vxlanOf(1, inner))
	f.Add(false, geneveOf(1, 0x6558, 2, inner))
	f.Fuzz(func(t *testing.T, kind bool, data []byte) {
		k := packet.GENEVE
		if kind {
			k = packet.VXLAN
		}
		frame, link, id, ok := decapsulate(k, data)
		if !ok && (frame != nil || link != 0) || ok && id > 0xffffff {
			t.Error(frame, link, id, ok)
		}
		if frame != nil && !bytes.HasSuffix(data, frame) {
			t.Error("the frame is no part of the datagram")
		}
	})
}

// BenchmarkRead reads datagrams that wait in the socket.
func BenchmarkRead(b *testing.B) {
	s := listen(b, func(c *Config) { c.Buffer = 4 << 20 })
	to := dial(b, s)
	d := vxlanOf(1, inner+strings.Repeat("x", 700))
	batch := make([]packet.Packet, source.Batch)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		b.StopTimer()
		for range 512 {
			send(b, to, d)
		}
		b.StartTimer()
		for k := 0; k < 512; {
			got, err := s.Read(batch)
			if err != nil || got == 0 {
				b.Fatal(got, err)
			}
			k += got
		}
		n += 512
	}
}

// TestUnwantedFlood holds that Read returns while nothing but unwanted datagrams
// comes.
func TestUnwantedFlood(t *testing.T) {
	s := listen(t, func(c *Config) { c.Deny, c.Wait = [][2]uint32{{7, 7}}, time.Second })
	to := dial(t, s)
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		for d := vxlanOf(7, inner); ; {
			select {
			case <-stop:
				return
			default:
				_, _ = to.Write(d)
			}
		}
	})
	defer sender.Wait()
	defer close(stop)
	returned := make(chan int, 1)
	go func() {
		n, _ := s.Read(make([]packet.Packet, 8))
		returned <- n
	}()
	select {
	case n := <-returned:
		if n != 0 {
			t.Errorf("%d packets", n)
		}
	case <-time.After(long):
		t.Error("Read goes on")
	}
}

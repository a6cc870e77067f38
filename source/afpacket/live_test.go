//go:build linux

package afpacket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/netnstest"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// long is how long something may take on a machine that has other things to do.
const long = time.Minute

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

type frame struct {
	packet.Packet
	worker int
}

// capture reads sources until it is stopped and keeps copies of the frames.
type capture struct {
	t       testing.TB
	sources []source.Source
	mu      sync.Mutex
	frames  []frame
	wg      sync.WaitGroup
}

func small() Config {
	cfg := DefaultConfig()
	cfg.BlockTimeout = 5 * time.Millisecond
	cfg.Snaplen, cfg.BlockBytes, cfg.BufferBytes = 100_000, 128<<10, 8<<20
	return cfg
}

func open(t testing.TB, cfg Config) *capture {
	t.Helper()
	var log bytes.Buffer
	sources, err := Open(cfg, slog.New(slog.NewTextHandler(&locked{w: &log}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	c := &capture{t: t, sources: sources}
	for i, s := range sources {
		c.wg.Go(func() {
			batch := make([]packet.Packet, source.Batch)
			for {
				n, err := s.Read(batch)
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Errorf("read: %v", err)
					return
				}
				c.mu.Lock()
				for _, p := range batch[:n] {
					p.Data = bytes.Clone(p.Data)
					c.frames = append(c.frames, frame{p, i})
				}
				c.mu.Unlock()
			}
		})
	}
	t.Cleanup(func() {
		c.stop()
		if t.Failed() {
			t.Logf("log:\n%s", &log)
		}
	})
	return c
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// settle waits until all that the kernel took was read.
func (c *capture) settle() {
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		received := 0
		for _, s := range c.sources {
			received += int(s.Stats().Received)
		}
		c.mu.Lock()
		read := len(c.frames)
		c.mu.Unlock()
		if read == received {
			return
		}
	}
	c.t.Error("not all was read that was received")
}

func (c *capture) stop() {
	for _, s := range c.sources {
		s.Close()
	}
	c.wg.Wait()
}

// with returns the frames that hold text, once there are n of them and no more
// come.
func (c *capture) with(text string, n int) []frame {
	c.t.Helper()
	var got []frame
	end := time.Now().Add(long)
	for settled := false; ; {
		got = got[:0]
		c.mu.Lock()
		for _, f := range c.frames {
			if bytes.Contains(f.Data, []byte(text)) {
				got = append(got, f)
			}
		}
		c.mu.Unlock()
		if len(got) >= n && settled || time.Now().After(end) {
			break
		}
		settled = len(got) >= n
		time.Sleep(60 * time.Millisecond)
	}
	if len(got) != n {
		c.t.Fatalf("%d frames with %q, want %d", len(got), text, n)
	}
	return got
}

// lacks returns those frames of which no copy was read: each ends as all do that
// hold its network header.
func (c *capture) lacks(frames [][]byte) (missing [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range frames {
		if !slices.ContainsFunc(c.frames, func(got frame) bool { return bytes.HasSuffix(got.Data, f[14:]) }) {
			missing = append(missing, f)
		}
	}
	return missing
}

func wire(t testing.TB, s *netnstest.Space, device string) *netnstest.Wire {
	t.Helper()
	var w *netnstest.Wire
	if s == nil {
		w = netnstest.NewWire(t, device)
	} else {
		s.Do(t, func() { w = netnstest.NewWire(t, device) })
	}
	if w == nil {
		t.FailNow()
	}
	return w
}

func send(t testing.TB, w *netnstest.Wire, frames ...[]byte) {
	t.Helper()
	if _, err := w.Send(frames...); err != nil {
		t.Fatal(err)
	}
}

func TestVethBothDirections(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	cfg := small()
	cfg.Interfaces = []string{"v0"}
	c := open(t, cfg)
	before := packet.Time(time.Now().UnixNano())
	there := ether(0x0800, ip4(a4, b4, 6, tcp(1, 2, []byte("there"))))
	back := ether(0x0800, ip4(b4, a4, 6, tcp(2, 1, []byte("back"))))
	send(t, wire(t, s, "v1"), there)
	send(t, wire(t, nil, "v0"), back)
	for text, want := range map[string][]byte{"there": there, "back": back} {
		f := c.with(text, 1)[0]
		if !bytes.Equal(f.Data, want) || f.Length != len(want) || f.Link != packet.LinkEthernet || f.TagType != 0 || f.Interface != 0 {
			t.Errorf("%s: %+v, want data %x", text, f, want)
		}
		if now := packet.Time(time.Now().UnixNano()); f.Time < before || f.Time > now {
			t.Errorf("%s: time %d is not between %d and %d", text, f.Time, before, now)
		}
	}
	if got, want := c.sources[0].Interfaces(), (source.Interface{Name: "v0", Link: packet.LinkEthernet}); len(got) != 1 || got[0] != want {
		t.Errorf("interfaces %+v, want %+v", got, want)
	}
	if st := c.sources[0].Stats(); st != (source.Stats{Received: 2}) {
		t.Errorf("stats %+v", st)
	}
	c.stop()
	if st := c.sources[0].Stats(); st != (source.Stats{Received: 2}) {
		t.Errorf("stats after Close %+v", st)
	}
}

// The first interface that is up and not loopback.
func TestDefaultInterface(t *testing.T) {
	s := netnstest.New(t)
	if _, err := Open(small(), nil); err == nil {
		t.Fatal("there is only loopback, and no error")
	}
	netnstest.Veth(t, "v0", "", s, "v1", "")
	netnstest.IP(t, "link set v0 down")
	netnstest.Veth(t, "w0", "", s, "w1", "")
	c := open(t, small())
	if got := c.sources[0].Interfaces(); len(got) != 1 || got[0].Name != "w0" {
		t.Errorf("%+v, want w0", got)
	}
}

func TestMissingInterface(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	cfg := small()
	cfg.Interfaces = []string{"v0", "eth7"}
	_, err := Open(cfg, nil)
	if err == nil || err.Error() != "open eth7: no such interface; there are: lo, v0, any" {
		t.Errorf("%v", err)
	}
}

func TestLoopbackOnce(t *testing.T) {
	netnstest.Need(t)
	for _, device := range []string{"lo", "any"} {
		t.Run(device, func(t *testing.T) {
			cfg := small()
			cfg.Interfaces = []string{device}
			c := open(t, cfg)
			send(t, wire(t, nil, "lo"), ether(0x0800, ip4("127.0.0.1", "127.0.0.2", 17, udp(1, 2, []byte("once")))))
			f := c.with("once", 1)[0]
			if i := c.sources[0].Interfaces()[f.Interface]; i.Name != "lo" || !i.Loopback || i.Link != f.Link {
				t.Errorf("%+v", i)
			}
		})
	}
}

func TestTagBesideFrame(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	cfg := small()
	cfg.Interfaces = []string{"v0"}
	c := open(t, cfg)
	data := ip4(a4, b4, 17, udp(1, 2, []byte("tagged")))
	send(t, wire(t, s, "v1"), tagged(0x8100, 7, 0x0800, data))
	f := c.with("tagged", 1)[0]
	if f.TagType != 0x8100 || f.Tag != 7 || !bytes.Equal(f.Data, ether(0x0800, data)) {
		t.Errorf("%+v", f)
	}
	data = ip4(a4, b4, 17, udp(1, 2, []byte("twofold")))
	send(t, wire(t, s, "v1"), tagged(0x88a8, 0x6009, 0x8100, cat(bytes16(8, 0x0800), data)))
	f = c.with("twofold", 1)[0]
	if f.TagType != 0x88a8 || f.Tag != 0x6009 || !bytes.Equal(f.Data, tagged(0x8100, 8, 0x0800, data)) {
		t.Errorf("%+v", f)
	}
}

func TestAny(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	netnstest.Veth(t, "w0", "", s, "w1", "")
	cfg := small()
	cfg.Interfaces = []string{"any"}
	c := open(t, cfg)
	data := ip4(a4, b4, 17, udp(1, 2, []byte("cooked")))
	send(t, wire(t, s, "v1"), tagged(0x8100, 7, 0x0800, data))
	send(t, wire(t, nil, "w0"), ether(0x0800, data))
	byName := map[string]frame{}
	for _, f := range c.with("cooked", 2) {
		byName[c.sources[0].Interfaces()[f.Interface].Name] = f
		if f.Link != packet.LinkSLL2 || f.Length != 20+len(data) || !bytes.Equal(f.Data[20:], data) {
			t.Errorf("%+v", f)
		}
	}
	came, went := byName["v0"], byName["w0"]
	if came.TagType != 0x8100 || came.Tag != 7 || went.TagType != 0 {
		t.Errorf("tags: %+v %+v", came, went)
	}
	for kind, f := range map[byte]frame{3: came, 4: went} {
		want := cat(bytes16(0x0800, 0), f.Data[4:8], bytes16(1), []byte{kind, 6, 2, 0, 0, 0, 0, 2, 0, 0})
		if !bytes.Equal(f.Data[:20], want) || bytes.Equal(f.Data[4:8], []byte{0, 0, 0, 0}) {
			t.Errorf("cooked header %x, want %x", f.Data[:20], want)
		}
	}
}

// A device that has no link layer begins with IP, both ways.
func TestBareIPDevice(t *testing.T) {
	netnstest.Need(t)
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no tun devices: %v", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("tun7")
	if err != nil {
		t.Fatal(err)
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		t.Skipf("no tun devices: %v", err)
	}
	netnstest.IP(t, "addr add 10.8.0.1/24 dev tun7")
	netnstest.IP(t, "link set tun7 up")
	for _, device := range []string{"tun7", "any"} {
		cfg := small()
		cfg.Interfaces = []string{device}
		c := open(t, cfg)
		came := ip4("10.8.0.2", "10.8.0.1", 1, cat(make([]byte, 8), []byte("plain "+device))) // an echo nobody asked for
		if _, err := unix.Write(fd, came); err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("udp", "10.8.0.2:9")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "plain "+device)
		conn.Close()
		for _, f := range c.with("plain "+device, 2) {
			if device == "any" {
				if f.Link != packet.LinkSLL2 || f.Data[8] != 0xff || f.Data[9] != 0xfe {
					t.Errorf("%+v", f)
				}
				f.Data = f.Data[20:]
			} else if f.Link != packet.LinkRaw {
				t.Errorf("%+v", f)
			}
			if f.Data[0] != 0x45 || len(f.Data) != 28+len("plain "+device) {
				t.Errorf("%x", f.Data)
			}
		}
	}
}

func TestCloseDuringRead(t *testing.T) {
	netnstest.Need(t)
	cfg := small()
	cfg.Interfaces = []string{"lo"}
	cfg.Workers = 2
	sources, err := Open(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		done := make(chan error)
		go func() {
			batch := make([]packet.Packet, 4)
			for {
				if _, err := s.Read(batch); err != nil {
					done <- err
					return
				}
			}
		}()
		time.Sleep(20 * time.Millisecond)
		start := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != io.EOF || time.Since(start) > long {
			t.Errorf("Read ended %v after Close: %v", time.Since(start), err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := s.Read(make([]packet.Packet, 1)); err != io.EOF {
			t.Error(err)
		}
	}
}

// What was lent stays readable when another goroutine closes, until the next
// Read.
func TestDataOutlivesClose(t *testing.T) {
	netnstest.Need(t)
	cfg := small()
	cfg.Interfaces = []string{"lo"}
	sources, err := Open(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := ether(0x0800, ip4("127.0.0.1", "127.0.0.2", 17, udp(1, 2, []byte("lent"))))
	send(t, wire(t, nil, "lo"), want, want, want)
	batch := make([]packet.Packet, 2)
	for end := time.Now().Add(long); sources[0].Stats().Received < 3 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	n := 0
	for end := time.Now().Add(long); n == 0 && time.Now().Before(end); {
		if n, err = sources[0].Read(batch); err != nil {
			t.Fatal(err)
		}
	}
	sources[0].Close()
	for _, p := range batch[:n] {
		if !bytes.Equal(p.Data, want) {
			t.Errorf("%x", p.Data)
		}
	}
	if _, err := sources[0].Read(batch); err != io.EOF {
		t.Error(err)
	}
	if st := sources[0].Stats(); n == 0 || st.Received != uint64(n) || st.Unread != uint64(3-n) || st.Dropped != 0 {
		t.Errorf("%+v: what was not read in the end is unread", st)
	}
}

// port keeps UDP over IPv4 without options to a port, on Ethernet or cooked.
func port(n uint32) func(packet.Link) ([]bpf.RawInstruction, error) {
	return func(link packet.Link) ([]bpf.RawInstruction, error) {
		start, kind := uint32(14), uint32(12)
		if link == packet.LinkSLL2 {
			start, kind = 20, 0
		}
		return bpf.Assemble([]bpf.Instruction{
			bpf.LoadAbsolute{Off: kind, Size: 2},
			bpf.JumpIf{Val: 0x0800, SkipFalse: 4},
			bpf.LoadMemShift{Off: start},
			bpf.LoadIndirect{Off: start + 2, Size: 2},
			bpf.JumpIf{Val: n, SkipFalse: 1},
			bpf.RetConstant{Val: 0x40000},
			bpf.RetConstant{Val: 0},
		})
	}
}

// While a flood of frames that the filter refuses is on the wire, not one of
// them comes through, for one worker and for several.
func TestFilterBeforeFirstPacket(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	w := wire(t, s, "v1")
	flood := make([][]byte, 64)
	for i := range flood {
		flood[i] = ether(0x0800, ip4(fmt.Sprintf("10.1.0.%d", i+1), b4, 17, udp(1, 1000, []byte("refused"))))
	}
	good := make([][]byte, 8)
	for i := range good {
		good[i] = ether(0x0800, ip4(fmt.Sprintf("10.1.0.%d", i+1), b4, 17, udp(1, 2000, []byte("wanted"))))
	}
	stop, ended := make(chan struct{}), make(chan int)
	go func() {
		sent := 0
		for {
			select {
			case <-stop:
				ended <- sent
				return
			default:
				n, _ := w.Send(flood...)
				sent += n
			}
		}
	}()
	w2 := wire(t, s, "v1")
	for _, cfg := range []Config{{Interfaces: []string{"v0"}, Workers: 1}, {Interfaces: []string{"v0"}, Workers: 4}, {Interfaces: []string{"any"}, Workers: 1}, {Interfaces: []string{"any"}, Workers: 4}} {
		for range 2 {
			c := small()
			c.Interfaces, c.Workers, c.Filter = cfg.Interfaces, cfg.Workers, port(2000)
			got := open(t, c)
			// The flood may leave no room on the wire for one of them.
			for missing, end := good, time.Now().Add(long); len(missing) > 0 && time.Now().Before(end); {
				send(t, w2, missing...)
				for pause := time.Now().Add(time.Second); len(missing) > 0 && time.Now().Before(pause); time.Sleep(10 * time.Millisecond) {
					missing = got.lacks(good)
				}
			}
			if missing := got.lacks(good); len(missing) > 0 {
				t.Errorf("%d frames did not come", len(missing))
			}
			got.with("refused", 0)
			got.stop()
		}
	}
	close(stop)
	if n := <-ended; n < 1000 {
		t.Errorf("only %d frames were sent meanwhile: no load", n)
	}
}

func TestSetFilter(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	w := wire(t, s, "v1")
	to := func(port uint16, text string) []byte {
		return ether(0x0800, ip4(a4, b4, 17, udp(1, port, []byte(text))))
	}
	type swapper interface {
		SetFilter(func(packet.Link) ([]bpf.RawInstruction, error)) error
	}
	cfg := small()
	cfg.Interfaces, cfg.Workers, cfg.Filter = []string{"v0"}, 2, port(1)
	locked := open(t, cfg)
	if err := locked.sources[0].(swapper).SetFilter(port(2)); err == nil {
		t.Error("a locked filter was swapped")
	}
	// The kernel itself must refuse, not only this package.
	w1 := locked.sources[1].(*worker)
	w1.mu.Lock()
	r := w1.all[0]
	w1.mu.Unlock()
	if err := r.attach(reject()); !errors.Is(err, os.ErrPermission) {
		t.Errorf("the kernel's filter is not locked: %v", err)
	}
	cfg.Swap = true
	c := open(t, cfg)
	send(t, w, to(1, "one before"), to(2, "two before"))
	c.with("one before", 1)
	c.with("two before", 0)
	if err := c.sources[0].(swapper).SetFilter(port(2)); err != nil {
		t.Fatal(err)
	}
	send(t, w, to(1, "one after"), to(2, "two after"))
	c.with("two after", 1)
	c.with("one after", 0)
	if err := c.sources[0].(swapper).SetFilter(nil); err != nil {
		t.Fatal(err)
	}
	send(t, w, to(1, "one last"), to(2, "two last"))
	c.with("two last", 1)
	c.with("one last", 1)
}

func TestSnaplen(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	w := wire(t, s, "v1")
	for _, device := range []string{"v0", "any"} {
		cfg := small()
		cfg.Interfaces, cfg.Snaplen = []string{device}, 60
		c := open(t, cfg)
		send(t, w, ether(0x0800, ip4(a4, b4, 17, udp(1, 2, cat([]byte("cut"), make([]byte, 500))))))
		f := c.with("cut", 1)[0]
		if want := 14 + 28 + 503; device == "v0" && f.Length != want || device == "any" && f.Length != want+6 || len(f.Data) != 60 {
			t.Errorf("%s: %d of %d bytes", device, len(f.Data), f.Length)
		}
	}
}

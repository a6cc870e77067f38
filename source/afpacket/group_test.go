//go:build linux

package afpacket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/netnstest"
	"github.com/passiflow/passiflow/source/sourcetest"
)

func TestSource(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	netnstest.Veth(t, "w0", "", s, "w1", "")
	w := wire(t, s, "v1")
	var frames [][]byte
	var want, cooked []sourcetest.Packet
	for i := range 150 {
		data := ip4(a4, b4, 17, udp(1, uint16(i), make([]byte, i*9)))
		p := sourcetest.Packet{Data: string(ether(0x0800, data)), Length: 14 + len(data), Link: packet.LinkEthernet, Name: "v0"}
		q := sourcetest.Packet{Length: 20 + len(data), Link: packet.LinkSLL2, Name: "v0"}
		frame := ether(0x0800, data)
		if i%3 == 0 {
			frame = tagged(0x8100, 7, 0x0800, data)
			p.TagType, p.Tag = 0x8100, 7
			q.TagType, q.Tag = 0x8100, 7
		}
		ifi, err := net.InterfaceByName("v0")
		if err != nil {
			t.Fatal(err)
		}
		q.Data = string(cat(bytes16(0x0800, 0, 0, uint16(ifi.Index), 1), []byte{3, 6, 2, 0, 0, 0, 0, 2, 0, 0}, data))
		frames, want, cooked = append(frames, frame), append(want, p), append(cooked, q)
	}
	for _, c := range []struct {
		name   string
		config func(*Config)
		want   []sourcetest.Packet
	}{
		{"one interface", func(c *Config) { c.Interfaces = []string{"v0"} }, want},
		{"several", func(c *Config) { c.Interfaces = []string{"w0", "lo", "v0"} }, want},
		{"any", func(c *Config) { c.Interfaces = []string{"any"} }, cooked},
		// One block holds less than all frames, so that some are given back.
		{"small blocks", func(c *Config) {
			c.Interfaces, c.Snaplen, c.BlockBytes, c.BufferBytes = []string{"v0"}, 4096, 64<<10, 1<<20
		}, want},
	} {
		t.Run(c.name, func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Case{
				Open: func(t *testing.T) source.Source {
					cfg := small()
					c.config(&cfg)
					sources, err := Open(cfg, nil)
					if err != nil {
						t.Fatal(err)
					}
					send(t, w, frames...)
					return sources[0]
				},
				Want:    c.want,
				Endless: true,
			})
		})
	}
}

// Packets of several devices come in the order of their times.
func TestOrderOverDevices(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	netnstest.Veth(t, "w0", "", s, "w1", "")
	netnstest.Veth(t, "idle0", "", s, "idle1", "")
	wires := []*netnstest.Wire{wire(t, s, "v1"), wire(t, s, "w1")}
	cfg := small()
	cfg.Interfaces = []string{"v0", "w0", "idle0"}
	// A kernel that hands a block over too late may be excused, but not always.
	fault := ""
	for range 5 {
		c := open(t, cfg)
		const n = 400
		for i := range n {
			send(t, wires[i*7/3%2], ether(0x0800, ip4(a4, b4, 17, udp(1, uint16(i), []byte("ordered")))))
			if i%50 == 0 {
				time.Sleep(3 * time.Millisecond)
			}
		}
		fault = ""
		for i, f := range c.with("ordered", n) {
			if port := int(f.Data[36])<<8 | int(f.Data[37]); port != i {
				fault = fmt.Sprintf("frame %d is number %d", i, port)
				break
			}
		}
		if c.stop(); fault == "" {
			return
		}
	}
	t.Fatal(fault)
}

// With four workers and two cards that carry one direction each, all packets
// of a conversation come to one worker: fragments, tunnels with other outer
// ports on their way back, other outer addresses, and tags.
func TestPlacementInTheKernel(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	netnstest.Veth(t, "w0", "", s, "w1", "")
	out, in := wire(t, s, "v1"), wire(t, s, "w1")
	here := wire(t, nil, "v0")
	for _, devices := range [][]string{{"v0", "w0"}, {"any"}} {
		cfg := small()
		cfg.Interfaces, cfg.Workers, cfg.BufferBytes = devices, 4, 4<<20
		c := open(t, cfg)
		const talks = 40
		used := map[int]int{}
		each := 0
		for i := range talks {
			a, b := fmt.Sprintf("10.3.%d.1", i), fmt.Sprintf("10.4.0.%d", i+1)
			text := []byte(fmt.Sprintf("talk %03d", i))
			there, back := ip4(a, b, 6, tcp(1000, 80, text)), ip4(b, a, 6, tcp(80, 1000, text))
			frag := func(src, dst string, id uint16) [][]byte {
				whole := udp(1, 2, cat(text, make([]byte, 48), text))
				return [][]byte{
					ether(0x0800, ip4frag(src, dst, 17, id, 0x2000, nil, whole[:24])),
					ether(0x0800, ip4frag(src, dst, 17, id, 3, nil, whole[24:])),
				}
			}
			send(t, out, ether(0x0800, there), tagged(0x8100, 9, 0x0800, there),
				ether(0x0800, ip4(x4, y4, 17, vxlan(uint16(i*31), ether(0x0800, there)))),
				tagged(0x88a8, 9, 0x8100, cat(bytes16(3, 0x0800), ip4(x4, "172.16.0.9", 17, vxlan(uint16(i*17), tagged(0x8100, 1, 0x0800, there))))),
				ether(0x0800, ip4(x4, y4, 47, gre(0x2000, 0x0800, make([]byte, 4), there))))
			send(t, out, frag(a, b, 1)...)
			send(t, in, ether(0x0800, back),
				ether(0x0800, ip4(y4, x4, 17, vxlan(uint16(i*11+5), ether(0x0800, back)))),
				ether(0x86dd, ip6(y6, x6, 17, geneve(uint16(i), nil, 0x0800, back))),
				ether(0x0800, ip4(y4, x4, 4, back)))
			send(t, in, frag(b, a, 2)...)
			// And as it goes out: the kernel then shows the frame from its start.
			send(t, here, ether(0x0800, back), tagged(0x8100, 4, 0x0800, back), ether(0x0800, ip4(y4, x4, 17, vxlan(7, ether(0x0800, back)))))
			each = 5 + 2 + 4 + 2 + 3
		}
		c.with("talk ", talks*each)
		for i := range talks {
			got := c.with(fmt.Sprintf("talk %03d", i), each)
			used[got[0].worker]++
			for _, f := range got {
				if f.worker != got[0].worker {
					t.Fatalf("%v: talk %d is in workers %d and %d:\n%x\n%x", devices, i, got[0].worker, f.worker, got[0].Data, f.Data)
				}
			}
		}
		if len(used) != 4 {
			t.Errorf("%v: the workers got %v", devices, used)
		}
		c.stop()
	}
}

func TestDownAndUp(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	for _, workers := range []int{1, 3} {
		cfg := small()
		cfg.Interfaces, cfg.Workers, cfg.Filter, cfg.BufferBytes = []string{"v0"}, workers, port(7), 4<<20
		c := open(t, cfg)
		// Many conversations: one may find its worker in a group of any order.
		homes := func(text string) (all []int) {
			const talks = 16
			var frames [][]byte
			for i := range talks {
				frames = append(frames, ether(0x0800, ip4(a4, fmt.Sprintf("10.5.0.%d", i+1), 17, udp(1, 7, fmt.Appendf(nil, "%s %02d", text, i)))))
			}
			send(t, wire(t, s, "v1"), frames...)
			c.with(text, talks)
			for i := range talks {
				all = append(all, c.with(fmt.Sprintf("%s %02d", text, i), 1)[0].worker)
			}
			return all
		}
		home := homes("at first")
		for i := range 2 {
			netnstest.IP(t, "link set v0 down")
			quiet(t)
			netnstest.IP(t, "link set v0 up")
			s.IP(t, "link set v1 up")
			netnstest.Ready(t, nil, "v0")
			netnstest.Ready(t, s, "v1")
			if got := homes(fmt.Sprintf("up again %d", i)); !slices.Equal(got, home) {
				t.Errorf("%d workers: the conversations went from workers %d to %d", workers, home, got)
			}
		}
		c.stop()
	}
}

// quiet fails when this process is busy although nothing happens: not only once,
// as when the runtime tidies up.
func quiet(t *testing.T) {
	t.Helper()
	var spent time.Duration
	for range 5 {
		before := cpu(t)
		time.Sleep(300 * time.Millisecond)
		if spent = cpu(t) - before; spent <= 100*time.Millisecond {
			return
		}
	}
	t.Errorf("%v of CPU in 300ms of silence", spent)
}

// A device that vanishes and comes back, or comes late, is captured with its
// filter; while it is away the others go on.
func TestGoneAndBack(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	for _, workers := range []int{1, 3} {
		cfg := small()
		cfg.Interfaces, cfg.Workers, cfg.Wait, cfg.Filter, cfg.BufferBytes = []string{"v0", "late0"}, workers, true, port(7), 4<<20
		c := open(t, cfg)
		frame := func(text string) []byte { return ether(0x0800, ip4(a4, b4, 17, udp(1, 7, []byte(text)))) }
		for i := range 2 {
			quiet(t)
			netnstest.Veth(t, "late0", "", s, "late1", "")
			w := wire(t, s, "late1")
			text := fmt.Sprintf("late %d", i)
			captured := func() bool {
				c.mu.Lock()
				defer c.mu.Unlock()
				for _, f := range c.frames {
					if bytes.Contains(f.Data, []byte(text)) {
						return true
					}
				}
				return false
			}
			for end := time.Now().Add(long); !captured() && time.Now().Before(end); {
				send(t, w, frame(text), ether(0x0800, ip4(a4, b4, 17, udp(1, 8, []byte("unfiltered")))))
				time.Sleep(20 * time.Millisecond)
			}
			if !captured() {
				t.Fatalf("%d workers: late0 was not picked up", workers)
			}
			send(t, w, frame("last words"))
			netnstest.IP(t, "link del late0")
			c.with("last words", i+1)
			send(t, wire(t, s, "v1"), frame("other"))
			c.with("other", i+1)
		}
		c.with("unfiltered", 0)
		list := c.sources[0].Interfaces()
		if len(list) != 2 || list[1].Name != "late0" {
			t.Errorf("%+v", list)
		}
		var received uint64
		for _, s := range c.sources {
			received += s.Stats().Received
		}
		if received != uint64(len(c.frames)) {
			t.Errorf("received %d, read %d", received, len(c.frames))
		}
		c.stop()
	}
}

// Drops are counted when nobody reads, and what was read and dropped adds up.
func TestDropsAreCounted(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	w := wire(t, s, "v1")
	cfg := small()
	cfg.Interfaces, cfg.BlockBytes, cfg.Snaplen, cfg.BufferBytes = []string{"v0"}, 64<<10, 2048, 256<<10
	sources, err := Open(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sources[0].Close()
	const n = 1000
	f := ether(0x0800, ip4(a4, b4, 17, udp(1, 2, make([]byte, 1000))))
	// The queue of the processor, which may be behind the sender, holds 1000.
	var st source.Stats
	for sent := uint64(0); sent < n; {
		for range 100 {
			send(t, w, f)
			sent++
		}
		st = sources[0].Stats()
		for end := time.Now().Add(long); st.Received+st.Dropped < sent && time.Now().Before(end); st = sources[0].Stats() {
			time.Sleep(time.Millisecond)
		}
	}
	if st.Dropped == 0 || st.Received+st.Dropped != n {
		t.Fatalf("%+v, sent %d", st, n)
	}
	batch := make([]packet.Packet, source.Batch)
	read := 0
	until := func(want int) {
		for end := time.Now().Add(long); read < want && time.Now().Before(end); {
			k, err := sources[0].Read(batch)
			if err != nil {
				t.Fatal(err)
			}
			read += k
		}
	}
	until(int(st.Received))
	if again := sources[0].Stats(); again != st || uint64(read) != st.Received {
		t.Errorf("read %d, %+v, then %+v", read, st, again)
	}
	// What the last Read lent is given back by the next one; the ring may have
	// been read in one go, and is full until then.
	if k, err := sources[0].Read(batch); k != 0 || err != nil {
		t.Fatalf("%d more packets, %v", k, err)
	}
	send(t, w, f, f, f)
	if until(int(st.Received) + 3); uint64(read) != st.Received+3 {
		t.Errorf("after the drops: %d of %d", read, st.Received+3)
	}
}

// Super-segments of a local transfer come whole: each byte is seen.
func TestSuperSegments(t *testing.T) {
	netnstest.Need(t)
	for _, device := range []string{"lo", "any"} {
		cfg := small()
		cfg.Interfaces, cfg.BufferBytes = []string{device}, 64<<20
		c := open(t, cfg)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		const size = 4 << 20
		go func() {
			conn, err := l.Accept()
			if err == nil {
				io.Copy(io.Discard, conn)
				conn.Close()
			}
		}()
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(bytes.Repeat([]byte("payload of it. "), size/15+1)[:size]); err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
		conn.Close()
		l.Close()
		c.settle()
		c.stop()
		port, skip, seen, longest := l.Addr().(*net.TCPAddr).Port, 14, 0, 0
		var first uint32
		there := make([]bool, size)
		if device == "any" {
			skip = 20
		}
		for _, f := range c.frames {
			tcp := f.Data[skip+20:]
			if int(tcp[2])<<8|int(tcp[3]) != port {
				continue
			}
			if len(f.Data) != f.Length {
				t.Fatalf("%s: %d of %d bytes", device, len(f.Data), f.Length)
			}
			seq, payload := binary.BigEndian.Uint32(tcp[4:]), len(tcp)-int(tcp[12]>>4)*4
			if first == 0 {
				first = seq + 1 // the SYN
				continue
			}
			// Segments may come twice, and another way round.
			for i := range payload {
				if at := int(seq-first) + i; at < size && !there[at] {
					there[at] = true
					seen++
				}
			}
			longest = max(longest, f.Length)
		}
		if seen != size || longest < 30_000 {
			t.Errorf("%s: %d of %d payload bytes seen, the longest frame has %d, %+v", device, seen, size, longest, c.sources[0].Stats())
		}
	}
}

// CAP_NET_RAW alone is enough, and without it the error says the cure.
func TestRights(t *testing.T) {
	if caps := os.Getenv("PASSIFLOW_RIGHTS"); caps != "" {
		cfg := small()
		cfg.Interfaces, cfg.Workers, cfg.Promiscuous, cfg.Filter = []string{"lo"}, 2, true, port(1)
		sources, err := Open(cfg, nil)
		fmt.Printf("result: %v, permission %t\n", err, errors.Is(err, os.ErrPermission))
		for _, s := range sources {
			s.Close()
		}
		return
	}
	netnstest.Need(t)
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("no setpriv")
	}
	for caps, want := range map[string]string{
		"+net_raw": "result: <nil>, permission false",
		"-net_raw": "setcap cap_net_raw",
	} {
		args := []string{"--inh-caps=-all", "--bounding-set=-all", "--", "/proc/self/exe", "-test.run=^TestRights$"}
		if caps == "+net_raw" {
			args = []string{"--inh-caps=-all,+net_raw", "--bounding-set=-all,+net_raw", "--", "/proc/self/exe", "-test.run=^TestRights$"}
		}
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		args[3] = self
		cmd := exec.Command("setpriv", args...)
		cmd.Env = append(os.Environ(), "PASSIFLOW_RIGHTS="+caps)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", caps, err, out)
		}
		if !strings.Contains(string(out), want) || caps == "-net_raw" && !strings.Contains(string(out), "permission true") {
			t.Errorf("%s: %s", caps, out)
		}
	}
}

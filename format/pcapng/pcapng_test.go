package pcapng

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/pcapfile"
)

var (
	eth0 = source.Interface{Name: "eth0", Link: packet.LinkEthernet}
	anyi = source.Interface{Name: "any", Link: packet.LinkSLL2}
)

const (
	ether = "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"
	sll   = "\x00\x00\x00\x01\x00\x06\x02\x00\x00\x00\x00\x01\x00\x00"
	sll2  = "\x08\x00\x00\x00\x00\x00\x00\x02\x00\x01\x00\x06\x02\x00\x00\x00\x00\x01\x00\x00"
)

// read returns the packets of a file with bytes of their own.
func read(t *testing.T, file []byte) ([]packet.Packet, []source.Interface) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := pcapfile.DefaultConfig()
	cfg.Paths = []string{path}
	src, err := pcapfile.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var all []packet.Packet
	batch := make([]packet.Packet, 7)
	for {
		n, err := src.Read(batch)
		for _, p := range batch[:n] {
			p.Data = append([]byte{}, p.Data...)
			all = append(all, p)
		}
		if errors.Is(err, io.EOF) {
			return all, src.Interfaces()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	w := New(DefaultConfig())
	var frames []byte
	var want []packet.Packet
	for i := range 9 {
		data := []byte((ether + "\x08\x00" + strings.Repeat("x", 50))[:54+i])
		p := packet.Packet{Time: 1_700_000_000_123_456_789 + packet.Time(i), Data: data, Length: len(data) + i, Link: packet.LinkEthernet}
		frames = w.Append(frames, &p, &eth0)
		want = append(want, p)
	}
	p := packet.Packet{Time: 5, Data: []byte(sll2 + "abc"), Length: 23, Link: packet.LinkSLL2, Interface: 1}
	frames = w.Append(frames, &p, &anyi)
	want = append(want, p)
	got, interfaces := read(t, append(w.Head(nil), frames...))
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b packet.Packet) bool {
		return a.Time == b.Time && string(a.Data) == string(b.Data) && a.Length == b.Length && a.Link == b.Link && a.Interface == b.Interface
	})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]source.Interface{eth0, anyi}, interfaces); d != "" {
		t.Error(d)
	}
}

func TestTagsGoBack(t *testing.T) {
	for _, c := range []struct {
		link       packet.Link
		data, want string
	}{
		{packet.LinkEthernet, ether + "\x08\x00ip", ether + "\x81\x00\x20\x07\x08\x00ip"},
		{packet.LinkEthernet, ether + "\x08\x00", ether + "\x81\x00\x20\x07\x08\x00"},
		{packet.LinkEthernet, ether, ether}, // cut: where the tag stood is not there
		{packet.LinkSLL, sll + "\x08\x00ip", sll + "\x81\x00\x20\x07\x08\x00ip"},
		{packet.LinkSLL2, sll2 + "ip", "\x81\x00" + sll2[2:] + "\x20\x07\x08\x00ip"},
		{packet.LinkRaw, "ip", "ip"},
	} {
		w := New(DefaultConfig())
		p := packet.Packet{Data: []byte(c.data), Length: 2000, Link: c.link, TagType: 0x8100, Tag: 0x2007}
		frames := w.Append(nil, &p, &source.Interface{Name: "x"})
		got, _ := read(t, append(w.Head(nil), frames...))
		if string(got[0].Data) != c.want || got[0].Length != 2000+len(c.want)-len(c.data) {
			t.Errorf("link %d: % x of %d", c.link, got[0].Data, got[0].Length)
		}
	}
}

// A tunnel carries Ethernet and IP by itself, and no file may have both.
func TestOneLinkForATunnel(t *testing.T) {
	const four, six = "\x45ipv4", "\x60ipv6"
	zero := strings.Repeat("\x00", 12)
	w := New(DefaultConfig())
	at := source.Interface{Name: "geneve://[::]:6081", Link: packet.LinkEthernet}
	var frames []byte
	for _, p := range []packet.Packet{
		{Data: []byte(four), Length: 5, Link: packet.LinkIPv4},
		{Data: []byte(six), Length: 9, Link: packet.LinkIPv6},
		{Data: []byte(ether + "\x08\x00" + four), Length: 19, Link: packet.LinkEthernet},
	} {
		p.Outer = packet.Tunnel{Kind: packet.GENEVE, ID: 7}
		frames = w.Append(frames, &p, &at)
	}
	file := append(w.Head(nil), frames...)
	got, interfaces := read(t, file)
	if d := cmp.Diff([]source.Interface{at}, interfaces); d != "" {
		t.Error(d)
	}
	for i, want := range []struct {
		data   string
		length int
	}{{zero + "\x08\x00" + four, 19}, {zero + "\x86\xdd" + six, 23}, {ether + "\x08\x00" + four, 19}} {
		if string(got[i].Data) != want.data || got[i].Length != want.length {
			t.Errorf("packet %d: %q of %d", i, got[i].Data, got[i].Length)
		}
	}
	if n := strings.Count(string(file), "geneve 7, no Ethernet inside"); n != 2 {
		t.Errorf("%d packets are said to have had no Ethernet header", n)
	}
	// What an interface of IP has is as it was.
	w = New(DefaultConfig())
	p := packet.Packet{Data: []byte(four), Link: packet.LinkIPv4}
	frames = w.Append(nil, &p, &source.Interface{Name: "tun0", Link: packet.LinkIPv4})
	if got, _ := read(t, append(w.Head(nil), frames...)); string(got[0].Data) != four || got[0].Link != packet.LinkIPv4 {
		t.Errorf("%+v", got[0])
	}
}

func TestHeadTellsWhatIsNew(t *testing.T) {
	w := New(DefaultConfig())
	w.Add(source.Interface{Name: "if0", Link: packet.LinkRaw})
	first := w.Head(nil)
	if got, want := w.ContentType(), "application/x-pcapng"; got != want {
		t.Errorf("got %s", got)
	}
	if len(w.Head(nil)) != 0 {
		t.Error("the header comes twice")
	}
	file := first
	for i := range 40 { // the list of interfaces outgrows its short form
		var frames []byte
		for j := range i + 1 {
			p := packet.Packet{Data: []byte(strconv.Itoa(j)), Link: packet.LinkRaw}
			frames = w.Append(frames, &p, &source.Interface{Name: "if" + strconv.Itoa(j)})
		}
		file = append(w.Head(file), frames...)
	}
	got, interfaces := read(t, file)
	if len(got) != 40*41/2 || len(interfaces) != 40 {
		t.Fatalf("%d packets, %d interfaces", len(got), len(interfaces))
	}
	for _, p := range got {
		if want := "if" + string(p.Data); interfaces[p.Interface].Name != want {
			t.Errorf("packet of %s on %s", want, interfaces[p.Interface].Name)
		}
	}
	w.Restart()
	again := w.Head(nil)
	if _, list := read(t, again); len(list) != 40 || !strings.HasPrefix(string(again), string(first)) {
		t.Errorf("%d interfaces in the next file", len(list))
	}
}

// libpcap does not open a file without any interface.
func TestNoPackets(t *testing.T) {
	if got, interfaces := read(t, New(DefaultConfig()).Head(nil)); len(got) != 0 || len(interfaces) != 1 || interfaces[0].Link != packet.LinkEthernet {
		t.Errorf("%d packets, interfaces %v", len(got), interfaces)
	}
}

func TestFromSeveralGoroutines(t *testing.T) {
	w := New(DefaultConfig())
	blocks := make([][]byte, 4)
	var wg sync.WaitGroup
	for g := range blocks {
		wg.Go(func() {
			for i := range 500 {
				p := packet.Packet{Data: []byte(strconv.Itoa((i + g) % 30)), Link: packet.LinkRaw}
				blocks[g] = w.Append(blocks[g], &p, &source.Interface{Name: "if" + strconv.Itoa((i+g)%30)})
			}
		})
	}
	wg.Wait()
	file := w.Head(nil)
	for _, b := range blocks {
		file = append(file, b...)
	}
	got, interfaces := read(t, file)
	if len(got) != 2000 || len(interfaces) != 30 {
		t.Errorf("%d packets, %d interfaces", len(got), len(interfaces))
	}
	for _, p := range got {
		if interfaces[p.Interface].Name != "if"+string(p.Data) {
			t.Fatalf("packet %s on %s", p.Data, interfaces[p.Interface].Name)
		}
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	w := New(DefaultConfig())
	p := packet.Packet{Data: make([]byte, 1500), Link: packet.LinkEthernet, TagType: 0x8100, Outer: packet.Tunnel{Kind: packet.VXLAN, ID: 16777215}}
	dst := make([]byte, 0, 1<<16)
	w.Append(dst, &p, &eth0)
	if n := testing.AllocsPerRun(100, func() { w.Append(dst, &p, &eth0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTools lets the tools that people have read a file.
func TestTools(t *testing.T) {
	w := New(DefaultConfig())
	ip := make([]byte, 20)
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], 20)
	copy(ip[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	p := packet.Packet{Time: 1_700_000_000_123_456_789, Data: []byte(ether + "\x08\x00" + string(ip)), Length: 1000, Link: packet.LinkEthernet, TagType: 0x8100, Tag: 7, Outer: packet.Tunnel{Kind: packet.VXLAN, ID: 42}}
	frames := w.Append(nil, &p, &eth0)
	alone := packet.Packet{Time: p.Time, Data: ip, Length: len(ip), Link: packet.LinkIPv4, Outer: packet.Tunnel{Kind: packet.GENEVE, ID: 7}}
	frames = w.Append(frames, &alone, &source.Interface{Name: "geneve", Link: packet.LinkEthernet})
	path := filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(path, append(w.Head(nil), frames...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tool string
		want []string
	}{
		{"tcpdump -r FILE -nn -e -tt --nano", []string{"1700000000.123456789", "length 1004", "vlan 7", "10.0.0.1 > 10.0.0.2", "00:00:00:00:00:00 > 00:00:00:00:00:00", "length 34"}},
		{"tshark -r FILE -T fields -e frame.time_epoch -e frame.cap_len -e frame.len -e vlan.id -e frame.interface_name -e frame.comment", []string{"1700000000.123456789\t38\t1004\t7\teth0\tvxlan 42", "1700000000.123456789\t34\t34\t\tgeneve\tgeneve 7, no Ethernet inside"}},
		{"capinfos FILE", []string{"Number of packets:   2", "Capture application: passiflow", "Name = eth0", "nanoseconds (9)", "Capture length = 262144"}},
	} {
		args := strings.Fields(strings.ReplaceAll(c.tool, "FILE", path))
		t.Run(args[0], func(t *testing.T) {
			if _, err := exec.LookPath(args[0]); err != nil {
				t.Skip("not installed")
			}
			out, err := exec.Command(args[0], args[1:]...).Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("%q is not in:\n%s", want, out)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	w := New(DefaultConfig())
	p := packet.Packet{Data: make([]byte, 750), Link: packet.LinkEthernet}
	dst := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		dst = w.Append(dst[:0], &p, &eth0)
	}
}

var _ format.Frames = (*writer)(nil)

package mirror_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/mirror"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/packet/packettest"
)

// seg makes a packet as a source of gopacket gives it, from one port to another.
func seg(src, dst uint16, s packettest.Seg) gopacket.Packet {
	f := packettest.Ether(packettest.IPv4(address(src), address(dst), packettest.TCP(src, dst, s)))
	x := gopacket.NewPacket(f.Bytes, layers.LayerTypeEthernet, gopacket.Default)
	x.Metadata().Timestamp = began
	return x
}

// address gives the observed service and its clients one each.
func address(port uint16) string {
	if port == observed {
		return "10.0.0.2"
	}
	return "10.0.0.1"
}

const observed = 8090

var began = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

// talk is a conversation of a client with the observed port.
type talk struct {
	port    uint16
	next    [2]uint32
	packets []gopacket.Packet
}

func newTalk(port uint16) *talk {
	t := &talk{port: port, next: [2]uint32{1000, 5000}}
	t.add(0, packet.SYN, "")
	t.add(1, packet.SYN|packet.ACK, "")
	t.add(0, packet.ACK, "")
	return t
}

func (t *talk) add(from int, flags packet.Flags, data string) {
	ports := [2]uint16{t.port, observed}
	s := packettest.Seg{Seq: t.next[from], Flags: flags, Data: []byte(data)}
	if flags&packet.ACK != 0 {
		s.Ack = t.next[1-from]
	}
	x := seg(ports[from], ports[1-from], s)
	x.Metadata().Timestamp = began.Add(time.Duration(len(t.packets)) * time.Millisecond)
	t.packets = append(t.packets, x)
	t.next[from] += uint32(len(data))
	if flags&(packet.SYN|packet.FIN) != 0 {
		t.next[from]++
	}
}

func (t *talk) client(data string) { t.add(0, packet.ACK|packet.PSH, data) }
func (t *talk) server(data string) { t.add(1, packet.ACK|packet.PSH, data) }

// lose takes n bytes of the client's that nobody saw.
func (t *talk) lose(n int) { t.next[0] += uint32(n) }

func (t *talk) close() {
	t.add(0, packet.FIN|packet.ACK, "")
	t.add(1, packet.FIN|packet.ACK, "")
	t.add(0, packet.ACK, "")
}

// channel returns a source with these packets, that ends.
func channel(packets ...gopacket.Packet) *mirror.ChannelObservedPacketSource {
	c := make(chan gopacket.Packet, len(packets))
	for _, p := range packets {
		c <- p
	}
	close(c)
	return mirror.NewChannelObservedPacketSource(c)
}

// target takes connections and keeps what comes.
type target struct {
	ln     net.Listener
	answer []byte // to each connection, again and again, until it ends
	mu     sync.Mutex
	got    map[net.Conn]*bytes.Buffer
	all    sync.WaitGroup
}

func newTarget(t *testing.T, answer []byte) *target {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &target{ln: ln, answer: answer, got: map[net.Conn]*bytes.Buffer{}}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b := new(bytes.Buffer)
			x.mu.Lock()
			x.got[c] = b
			x.mu.Unlock()
			x.all.Add(1)
			go x.serve(c, b)
		}
	}()
	return x
}

func (x *target) serve(c net.Conn, b *bytes.Buffer) {
	defer x.all.Done()
	defer c.Close()
	buf := make([]byte, 4096)
	for {
		if len(x.answer) > 0 {
			if _, err := c.Write(x.answer); err != nil {
				return
			}
		}
		n, err := c.Read(buf)
		x.mu.Lock()
		b.Write(buf[:n])
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (x *target) address() string { return x.ln.Addr().String() }

// received returns, sorted, what each connection brought, when there are n of
// them and all have ended.
func (x *target) received(t *testing.T, n int) (all []string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		x.mu.Lock()
		seen := len(x.got)
		x.mu.Unlock()
		if seen >= n {
			break
		}
	}
	x.ln.Close()
	done := make(chan struct{})
	go func() { x.all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("a connection to the target is still open")
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range x.got {
		all = append(all, b.String())
	}
	slices.Sort(all)
	return all
}

// records reads what was recorded.
func records(t *testing.T, from io.Reader) (all []record.Record) {
	t.Helper()
	r := record.NewReader(from, record.DefaultConfig())
	for {
		x, err := r.Next()
		if err == io.EOF {
			if s := r.Stats(); s.Bad() > 0 || s.Skipped > 0 {
				t.Errorf("%+v", s)
			}
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		x.Data = bytes.Clone(x.Data)
		all = append(all, x)
	}
}

// keeper is a hook that keeps everything and remembers it.
type keeper struct {
	mu  sync.Mutex
	all []mirror.ObservedTrafficChunk
}

func (k *keeper) Handle(_ context.Context, c *mirror.ObservedTrafficChunk) ([]byte, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	one := *c
	one.Data = bytes.Clone(c.Data)
	k.all = append(k.all, one)
	return c.Data, true, nil
}

func (k *keeper) text(d mirror.TrafficDirection) (s string) {
	for _, c := range k.all {
		if c.Direction == d {
			s += string(c.Data)
		}
	}
	return s
}

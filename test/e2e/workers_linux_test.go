package e2e

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/source/netnstest"
)

const talks = 120

// traffic writes conversations whose packets wrap puts in what carries them.
func traffic(wrap func(client bool, talk int, ip packettest.Piece) []packettest.Piece) (frames [][]byte) {
	for i := range talks {
		client, server := fmt.Sprintf("10.1.%d.7:%d", i%50, 30000+i), "10.2.0.1:80"
		tape := packettest.NewTape()
		c := tape.Open(client, server, func(ip packettest.Piece) packettest.Piece { return packettest.Ether(ip) })
		for n := range 3 {
			c.Client(fmt.Sprintf("GET /%d/%d HTTP/1.1\r\nHost: a\r\n\r\n", i, n))
			c.Server("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + strings.Repeat("x", 2000))
		}
		c.Close()
		for b := tape.Bytes()[24:]; len(b) > 0; {
			size := 16 + int(binary.LittleEndian.Uint32(b[8:]))
			ip := b[16+14 : size]
			src, _ := netip.AddrFromSlice(ip[12:16])
			for _, f := range wrap(src.As4()[1] == 1, i, packettest.Raw(ip).As(0x0800, 4)) {
				frames = append(frames, f.Bytes)
			}
			b = b[size:]
		}
	}
	return frames
}

// watch sends frames to the wires that side chooses and returns what workers saw.
func watch(t *testing.T, workers int, frames [][]byte, wire func(frame []byte) int) []string {
	t.Helper()
	s := netnstest.New(t)
	netnstest.Veth(t, "w0", "", s, "p0", "")
	netnstest.Veth(t, "w1", "", s, "p1", "")
	c := start(t, "-i", "w0", "-i", "w1", "--json", "--workers", fmt.Sprint(workers))
	s.Do(t, func() {
		wires := []*netnstest.Wire{netnstest.NewWire(t, "p0"), netnstest.NewWire(t, "p1")}
		for i, f := range frames {
			if n, err := wires[wire(f)].Send(f); n != 1 {
				t.Errorf("frame %d: %v", i, err)
				return
			}
			if i%200 == 199 { // the two cards have no order of their own: not too fast
				time.Sleep(2 * time.Millisecond)
			}
		}
	})
	var lines []string
	for _, r := range c.stop() {
		if r.Response == nil || r.Request == nil {
			t.Errorf("%d workers: %v", workers, r)
			continue
		}
		lines = append(lines, fmt.Sprintf("%s:%d %v %v", r.Client.IP, r.Client.Port, r, r.Integrity.Complete))
	}
	slices.Sort(lines)
	return lines
}

// TestWorkers gives one worker and four of them what is easily torn apart:
// directions on two cards, tunnels whose directions have different outer ports,
// and fragments.
func TestWorkers(t *testing.T) {
	outer := func(client bool, talk int, in packettest.Piece) packettest.Piece {
		a, b := "192.0.2.1", "192.0.2.2"
		port := uint16(20000 + talk)
		if !client {
			a, b = b, a
			port += 17000
		}
		return packettest.Ether(packettest.IPv4(a, b, packettest.UDP(port, 4789, packettest.VXLAN(7, packettest.Ether(in)))))
	}
	id := uint16(0)
	for _, c := range []struct {
		name string
		wrap func(client bool, talk int, ip packettest.Piece) []packettest.Piece
		wire func(frame []byte) int
	}{
		{"cards", func(_ bool, _ int, ip packettest.Piece) []packettest.Piece {
			return []packettest.Piece{packettest.Ether(ip)}
		}, func(f []byte) int { return int(f[14+13]) - 1 }},
		{"tunnels", func(client bool, talk int, ip packettest.Piece) []packettest.Piece {
			return []packettest.Piece{outer(client, talk, ip)}
		}, func([]byte) int { return 0 }},
		{"fragments", func(_ bool, _ int, ip packettest.Piece) (all []packettest.Piece) {
			id++
			a, b := netip.AddrFrom4([4]byte(ip.Bytes[12:16])), netip.AddrFrom4([4]byte(ip.Bytes[16:20]))
			tcp := packettest.Raw(ip.Bytes[20:]).As(0, packet.TCP)
			for _, f := range (packettest.IP4{ID: id}).Fragments(a.String(), b.String(), 600, tcp) {
				all = append(all, packettest.Ether(f))
			}
			return all
		}, func([]byte) int { return 0 }},
		// All that is large in fragments, and the directions on two cards.
		{"torn tunnels", func(client bool, talk int, in packettest.Piece) (all []packettest.Piece) {
			a, b := "fd00::1", "fd00::2"
			if !client {
				a, b = b, a
			}
			id++
			packet := packettest.UDP(uint16(20000+talk), 4789, packettest.VXLAN(7, packettest.Ether(in)))
			if len(packet.Bytes) < 600 {
				return []packettest.Piece{packettest.Ether(packettest.IPv6(a, b, packet))}
			}
			for _, f := range packettest.Fragments6(a, b, uint32(id), 600, packet) {
				all = append(all, packettest.Ether(f))
			}
			return all
		}, func(f []byte) int { return int(f[14+23]) - 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			frames := traffic(c.wrap)
			var one, four []string
			t.Run("one", func(t *testing.T) { one = watch(t, 1, frames, c.wire) })
			t.Run("four", func(t *testing.T) { four = watch(t, 4, frames, c.wire) })
			if len(one) != 3*talks {
				t.Errorf("%d exchanges, want %d", len(one), 3*talks)
			}
			if d := cmp.Diff(one, four); d != "" {
				t.Errorf("four workers see something else: %s", d)
			}
		})
	}
}

//go:build linux

package afpacket

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"testing"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source/netnstest"
)

// Real connections through a VXLAN device of the kernel, which chooses the
// outer ports by the inner ones and sends super-segments: each stays in one
// worker, and every byte of both sides is seen.
func TestVXLANDevice(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "10.9.0.1/24", s, "v1", "10.9.0.2/24")
	if out, err := exec.Command("ip", "link", "add", "vx0", "type", "vxlan", "id", "42", "dstport", "4789", "remote", "10.9.0.2", "dev", "v0").CombinedOutput(); err != nil {
		t.Skipf("no vxlan devices: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("ip", "link", "del", "vx0").Run() })
	s.IP(t, "link add vx1 type vxlan id 42 dstport 4789 remote 10.9.0.1 dev v1")
	s.IP(t, "addr add 10.7.0.200/24 dev vx1")
	s.IP(t, "link set vx1 up")
	const clients, size = 24, 300_000
	for i := range clients {
		netnstest.IP(t, fmt.Sprintf("addr add 10.7.0.%d/24 dev vx0", i+1))
	}
	netnstest.IP(t, "link set vx0 up")

	cfg := small()
	cfg.Interfaces, cfg.Workers, cfg.BufferBytes = []string{"v0"}, 4, 16<<20
	c := open(t, cfg)
	var l net.Listener
	var err error
	s.Do(t, func() { l, err = net.Listen("tcp4", "10.7.0.200:0") })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(conn, conn) // an echo
			conn.Close()
		}
	}()
	for i := range clients {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 7, 0, byte(i+1))}, Timeout: long}
		conn, err := d.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn.Write(bytes.Repeat([]byte(strconv.Itoa(i%10)), size))
			conn.(*net.TCPConn).CloseWrite()
		}()
		if n, err := io.Copy(io.Discard, conn); n != size || err != nil {
			t.Fatalf("client %d: %d bytes came back, %v", i, n, err)
		}
		conn.Close()
	}
	c.settle()
	c.stop()

	parser := packet.NewParser(packet.DefaultConfig())
	worker, ports := map[netip.Addr]int{}, map[string]bool{}
	first, there, seen := map[[2]netip.AddrPort]uint32{}, map[[2]netip.AddrPort][]bool{}, 0
	used := map[int]bool{}
	for _, f := range c.frames {
		p := f.Packet
		if parser.Parse(&p) != packet.OK || p.Proto != packet.TCP || p.Tunnel != (packet.Tunnel{Kind: packet.VXLAN, ID: 42}) {
			continue
		}
		ports[string(f.Data[34:36])] = true
		client := p.Src.Addr()
		if p.Src.Port() == uint16(l.Addr().(*net.TCPAddr).Port) {
			client = p.Dst.Addr()
		}
		if w, ok := worker[client]; ok && w != f.worker {
			t.Fatalf("%v is in workers %d and %d", client, w, f.worker)
		}
		worker[client], used[f.worker] = f.worker, true
		side := [2]netip.AddrPort{p.Src, p.Dst}
		if p.TCP.Flags&packet.SYN != 0 {
			first[side], there[side] = p.TCP.Seq+1, make([]bool, size)
			continue
		}
		for i := range p.Payload {
			// Segments may come twice, and another way round.
			if at := int(p.TCP.Seq-first[side]) + i; at < len(there[side]) && !there[side][at] {
				there[side][at] = true
				seen++
			}
		}
	}
	if len(worker) != clients || len(used) < 3 || len(ports) < clients || seen != 2*size*clients {
		t.Errorf("%d clients in %d workers over %d outer ports, %d of %d bytes seen", len(worker), len(used), len(ports), seen, 2*size*clients)
	}
}

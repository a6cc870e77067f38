//go:build linux

package afpacket

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source/filter"
	"github.com/passiflow/passiflow/source/netnstest"
	"golang.org/x/net/bpf"
)

// The kernel lets through what the expression says of the frame in memory, on
// Ethernet and on cooked frames.
func TestExpressions(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "", s, "v1", "")
	w := wire(t, s, "v1")
	var frames [][]byte
	for i, payload := range [][]byte{tcp(80, 1000, make([]byte, 90)), tcp(1000, 80, nil), udp(53, 99, make([]byte, 20)), udp(99, 4789, make([]byte, 300)), {8, 0, 0, 0}} {
		proto := []byte{6, 6, 17, 17, 1}[i]
		frames = append(frames,
			ether(0x0800, ip4(a4, b4, proto, cat(payload, []byte(fmt.Sprintf("expression %d", i))))),
			ether(0x0800, ip4frag(b4, a4, proto, 7, 0, []byte{1, 1, 1, 1}, cat(payload, []byte(fmt.Sprintf("expression 1%d", i))))),
			ether(0x0800, ip4frag(x4, a4, proto, 7, 9, nil, cat(payload, []byte(fmt.Sprintf("expression 2%d", i))))),
			ether(0x86dd, ip6(a6, b6, proto, cat(payload, []byte(fmt.Sprintf("expression 3%d", i))))))
	}
	frames = append(frames, ether(0x0806, cat(make([]byte, 28), []byte("expression 99"))))
	for _, device := range []string{"v0", "any"} {
		for _, text := range []string{
			"tcp port 80", "not port 80", "udp or icmp", "host 10.1.2.3", "net 172.16.0.0/16", "ip6", "arp or ip6 proto 17",
			"greater 150", "less 120", "tcp[13] & 8 != 0", "ip[6:2] & 0x1fff != 0", "ip6 and dst port 80", "len > 100 and len < 200",
		} {
			e, err := filter.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			link := packet.LinkEthernet
			if device == "any" {
				link = packet.LinkSLL2
			}
			code, err := e.Compile(uint32(link), filter.Options{})
			if err != nil {
				t.Fatal(err)
			}
			prog, err := filter.NewProgram(code)
			if err != nil {
				t.Fatal(err)
			}
			cfg := small()
			cfg.Interfaces, cfg.BufferBytes = []string{device}, 2<<20
			cfg.Filter = func(l packet.Link) ([]bpf.RawInstruction, error) {
				if l != link {
					return nil, errors.New("another link type")
				}
				return e.Compile(uint32(l), filter.Options{Live: true})
			}
			want := map[string]bool{}
			for _, f := range frames {
				data := f
				if device == "any" {
					data = cat(f[12:14], make([]byte, 2), []byte{0, 0, 0, 9, 0, 1, 3, 6}, make([]byte, 8), f[14:])
				}
				if prog.Match(data, len(data), 0, 0) {
					want[string(f[14:])] = true
				}
			}
			if len(want) == 0 || len(want) == len(frames) {
				t.Errorf("%s: %d of %d match: it proves nothing", text, len(want), len(frames))
			}
			c := open(t, cfg)
			send(t, w, frames...)
			for _, f := range c.with("expression ", len(want)) {
				skip := 14
				if device == "any" {
					skip = 20
				}
				if !want[string(f.Data[skip:])] {
					t.Errorf("%s, %s: %x", device, text, bytes.Clone(f.Data))
				}
			}
			c.stop()
		}
	}
}

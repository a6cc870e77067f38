//go:build libpcap && cgo

package libpcap

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/netnstest"
	"github.com/passiflow/passiflow/source/sourcetest"
)

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

// udpTo is a filter for UDP over IPv4 to port.
func udpTo(port uint32) func(packet.Link) ([]bpf.RawInstruction, error) {
	return func(link packet.Link) ([]bpf.RawInstruction, error) {
		if link != packet.LinkEthernet {
			return nil, fmt.Errorf("link %d", link)
		}
		return bpf.Assemble([]bpf.Instruction{
			bpf.LoadAbsolute{Off: 23, Size: 1},
			bpf.JumpIf{Val: 17, SkipFalse: 3},
			bpf.LoadAbsolute{Off: 36, Size: 2},
			bpf.JumpIf{Val: port, SkipFalse: 1},
			bpf.RetConstant{Val: 262144},
			bpf.RetConstant{},
		})
	}
}

// TestConformance sends datagrams to nobody over loopback. The refusals that
// come back are no UDP, and the filter keeps them out.
func TestConformance(t *testing.T) {
	netnstest.Need(t)
	const port = 9999
	var want []sourcetest.Packet
	var send []string
	for i := range 60 {
		data := strings.Repeat(string(rune('a'+i%26)), i*7)
		send = append(send, data)
		udp := binary.BigEndian.AppendUint16(nil, 4000)
		udp = binary.BigEndian.AppendUint16(udp, port)
		udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(data)))
		want = append(want, sourcetest.Packet{Data: string(udp) + data, Length: 42 + len(data), Link: packet.LinkEthernet, Name: "lo"})
	}
	sourcetest.Run(t, sourcetest.Case{Want: want, Endless: true, Open: func(t *testing.T) source.Source {
		cfg := DefaultConfig()
		cfg.Interfaces, cfg.Filter = []string{"lo"}, udpTo(port)
		s, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, data := range send {
			if _, err := c.WriteToUDP([]byte(data), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err != nil {
				t.Fatal(err)
			}
		}
		return inside{s}
	}})
}

// inside shows the UDP part of each frame: what is before it holds an
// identifier and a checksum that change, as the checksum of UDP does.
type inside struct{ source.Source }

func (s inside) Read(batch []packet.Packet) (int, error) {
	n, err := s.Source.Read(batch)
	for i := range batch[:n] {
		d := batch[i].Data
		copy(d[36:42], d[34:40])
		batch[i].Data = d[36:]
	}
	return n, err
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	netnstest.Need(t)
	cfg := DefaultConfig()
	cfg.Interfaces = []string{"nowhere0"}
	if _, err := Open(cfg); err == nil || !strings.HasPrefix(err.Error(), "open nowhere0: ") {
		t.Error(err)
	}
}

package builtin

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/source/filter"
)

// Whatever the parser finds a packet in, the filter for innermost ports lets
// through, and what is plainly of another port it does not.
func TestPortsOfTunnels(t *testing.T) {
	o := LiveOptions{Ports: []filter.Range{{First: 80, Last: 80}}, VXLANPorts: []uint16{14789}, GENEVEPorts: []uint16{16081}, Snaplen: 1 << 16}
	code, err := o.program(false)(packet.LinkEthernet)
	if err != nil {
		t.Fatal(err)
	}
	program, err := filter.NewProgram(code)
	if err != nil {
		t.Fatal(err)
	}
	parser := packet.DefaultConfig()
	parser.VXLANPorts, parser.GENEVEPorts = o.VXLANPorts, o.GENEVEPorts
	inner := packettest.IPv4("10.0.0.1", "10.0.0.2", packettest.TCP(1, 80, packettest.Seg{Flags: packet.ACK, Data: []byte("x")}))
	frame := packettest.Ether(inner)
	for port, in := range map[uint16]packettest.Piece{
		4789:  packettest.VXLAN(7, frame),
		14789: packettest.VXLAN(7, frame),
		6081:  packettest.GENEVE(7, nil, frame),
		16081: packettest.GENEVE(7, nil, frame),
		4754:  packettest.GRE(inner),
		2152:  packettest.GTPU(1, inner),
		3386:  packettest.Raw(append([]byte{0x1e, 255, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, inner.Bytes...)),
		37008: packettest.Raw(append([]byte{1, 0, 0, 1, 1}, frame.Bytes...)),
	} {
		f := packettest.Ether(packettest.IPv4("192.0.2.1", "192.0.2.2", packettest.UDP(50000, port, in)))
		p := packettest.Packet(0, f)
		if r := packet.NewParser(parser).Parse(&p); r != packet.OK || p.Dst.Port() != 80 {
			t.Errorf("UDP port %d: the parser says %v and port %d", port, r, p.Dst.Port())
		}
		if !program.Match(f.Bytes, len(f.Bytes), 0, 0) {
			t.Errorf("UDP port %d: refused", port)
		}
		f = packettest.Ether(packettest.IPv4("192.0.2.1", "192.0.2.2", packettest.UDP(50000, port+1000, in)))
		if program.Match(f.Bytes, len(f.Bytes), 0, 0) {
			t.Errorf("UDP port %d: let through", port+1000)
		}
	}
}

// A capture whose link type an expression means nothing on is not silently empty.
func TestFilterTellsLinks(t *testing.T) {
	f, err := ParseFilter("not vlan")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	f.Log = slog.New(slog.NewTextHandler(&log, nil))
	for _, l := range []packet.Link{packet.LinkEthernet, packet.LinkSLL, packet.LinkSLL, 105, packet.LinkSLL, 105} {
		if p := (packet.Packet{Link: l, Data: make([]byte, 60), Length: 60}); f.Match(&p) != (l == packet.LinkEthernet) {
			t.Errorf("link %d: the wrong verdict", l)
		}
	}
	if got := strings.Count(log.String(), "\n"); got != 2 || !strings.Contains(log.String(), "link=113 why=\"") || !strings.Contains(log.String(), "link=105 why=\"expressions are not") {
		t.Errorf("told %d times:\n%s", got, &log)
	}
}

package flow_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
)

// TestForget finishes more conversations than are remembered.
func TestForget(t *testing.T) {
	cfg := flow.DefaultConfig()
	cfg.MaxOver = 10
	ended := 0
	table := flow.NewTable(cfg, func(*flow.Flow) flow.Stream { return nil }, func(s *flow.Summary) {
		if ended++; s.Reason != flow.Finished {
			t.Errorf("conversation %d ended %v", ended, s.Reason)
		}
	})
	server := netip.MustParseAddrPort("10.0.0.2:80")
	at := packet.Time(1e18)
	for i := range 100 {
		client := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(1024+i))
		say := func(up bool, flags packet.Flags, seq, ack uint32) {
			p := packet.Packet{Time: at, Src: client, Dst: server, Proto: packet.TCP, Hash: uint64(i+1) * 0x9e3779b97f4a7c15}
			if !up {
				p.Src, p.Dst = server, client
			}
			p.TCP = packet.TCPHeader{Flags: flags, Seq: seq, Ack: ack}
			table.Packet(&p)
			at = at.Add(time.Microsecond)
		}
		say(true, packet.SYN, 1, 0)
		say(false, packet.SYN|packet.ACK, 5, 2)
		say(true, packet.FIN|packet.ACK, 2, 6)
		say(false, packet.FIN|packet.ACK, 6, 3)
		say(true, packet.ACK, 3, 7)
	}
	if ended < 85 || ended > 95 {
		t.Errorf("%d conversations forgotten of 100, about 90 expected: 10 are remembered", ended)
	}
	if n := table.Flows(); n != 0 {
		t.Errorf("%d conversations live", n)
	}
}

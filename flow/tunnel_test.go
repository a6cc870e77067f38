package flow

import (
	"testing"

	"github.com/passiflow/passiflow/packet"
)

var (
	vni7 = packet.Tunnel{Kind: packet.VXLAN, ID: 7}
	vni8 = packet.Tunnel{Kind: packet.VXLAN, ID: 8}
)

// twice returns each packet, then its copy through a tunnel; what the server
// sends is captured in the tunnel first.
func twice(segs []seg, tunnel packet.Tunnel) (out []seg) {
	for _, g := range segs {
		h := g
		h.tunnel, h.after = tunnel, 1000
		if g.from == Server {
			g, h = h, g
		}
		out = append(out, g, h)
	}
	return out
}

// TestCopies holds that a conversation captured on both sides of a tunnel is
// told once.
func TestCopies(t *testing.T) {
	c, s := Client, Server
	whole := []seg{syn(c), synAck(s, 0), said(c, 0, "", 0), said(c, 0, "ask", 0), said(s, 0, "answer", 3), said(c, 3, "more", 6), fin(c, 7, 6), fin(s, 6, 8), said(c, 8, "", 7)}
	sc := newScene(t)
	sc.send(twice(whole, vni7)...)
	sc.wantOrder(0, "c:ask s:answer c:more c:$ s:$")
	sc.pass(10e9)
	x := sc.table.Stats()
	if len(sc.tapes) != 1 || x.Copies != 13 || x.Duplicate != 0 || x.CopyPackets == 0 {
		t.Errorf("%d conversations, %+v", len(sc.tapes), x)
	}
	if p := sc.ends[0].Packets; p != [2]uint64{6, 3} {
		t.Errorf("packets %v", p)
	}

	// From the middle, too.
	sc = newScene(t)
	sc.send(twice(whole[3:6], vni7)...)
	sc.pass(60 * ms)
	sc.wantOrder(0, "c:ask s:answer c:more")
	if len(sc.tapes) != 1 {
		t.Errorf("%d conversations", len(sc.tapes))
	}

	// What one place did not capture, the other did.
	sc = newScene(t)
	sc.handshake()
	sc.send(said(c, 0, "ask", 0), seg{from: c, data: "ask", tunnel: vni7}, seg{from: c, off: 3, data: "more", tunnel: vni7}, said(c, 7, "yet", 0))
	sc.wantOrder(0, "c:ask c:more c:yet")
}

// TestTenants holds that the same addresses in two networks are two
// conversations.
func TestTenants(t *testing.T) {
	c, s := Client, Server
	sc := newScene(t)
	in := func(tunnel packet.Tunnel, isn uint32, segs ...seg) {
		sc.isn = [2]uint32{isn, isn + 1<<30}
		for _, g := range segs {
			g.tunnel = tunnel
			sc.send(g)
		}
	}
	in(vni7, 1000, syn(c))
	in(vni8, 1001, syn(c)) // near, and another
	in(vni7, 1000, synAck(s, 0), said(c, 0, "ask7", 0))
	in(vni8, 1001, synAck(s, 0), said(c, 0, "ask8", 0))
	in(vni7, 1000, said(s, 0, "answer7", 4))
	in(vni8, 1001, said(s, 0, "answer8", 4))
	sc.wantOrder(0, "c:ask7 s:answer7")
	sc.wantOrder(1, "c:ask8 s:answer8")
	if a, b := sc.tape(0).flow, sc.tape(1).flow; a.Tunnel != vni7 || b.Tunnel != vni8 || a.ID == b.ID {
		t.Errorf("%+v and %+v", a, b)
	}
}

// TestLast holds that the packet given last is found in its conversation, and
// only there.
func TestLast(t *testing.T) {
	c, s := Client, Server
	sc := newScene(t)
	is := func(want *Flow, what string) {
		t.Helper()
		if got := sc.table.Last(); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	sc.send(twice([]seg{syn(c), synAck(s, 0), said(c, 0, "ask", 0)}, vni7)...)
	first := sc.tape(0).flow
	is(first, "a copy through a tunnel")
	sc.send(seg{from: c, off: 1 << 24, ack: -1, flags: packet.RST, tunnel: vni8})
	is(nil, "a RST to nothing")
	sc.send(said(s, 0, "answer", 3))
	is(first, "a packet of its own")
	sc.table.Packet(&packet.Packet{Time: sc.now, Src: alice, Dst: bob, Proto: packet.UDP, Hash: 42})
	is(nil, "another transport")
	sc.send(fin(c, 3, 6), fin(s, 6, 4))
	is(first, "its end")
	sc.send(seg{from: c, ack: -1, flags: packet.SYN, after: 3600e9})
	if again := sc.table.Last(); again == nil || again.ID == first.ID {
		t.Errorf("a new one: %+v", again)
	}
}

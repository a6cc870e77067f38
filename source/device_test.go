package source

import (
	"net"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// The list must agree with what the standard library says of the same machine.
func TestDevices(t *testing.T) {
	got, err := Devices()
	if err != nil {
		t.Fatal(err)
	}
	want, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d devices, the standard library finds %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Name != w.Name || g.Index != w.Index || g.Up != (w.Flags&net.FlagUp != 0) || g.Loopback != (w.Flags&net.FlagLoopback != 0) {
			t.Errorf("device %d: %+v, want %+v", i, g, w)
		}
		addrs, err := w.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		if len(addrs) != len(g.Addresses) {
			t.Errorf("%s: addresses %v, want %v", g.Name, g.Addresses, addrs)
			continue
		}
		for j := range addrs {
			if g.Addresses[j].String() != addrs[j].String() {
				t.Errorf("%s: address %v, want %v", g.Name, g.Addresses[j], addrs[j])
			}
		}
	}
}

func TestLinkOf(t *testing.T) {
	for hardware, want := range map[uint16]packet.Link{
		1: packet.LinkEthernet, 772: packet.LinkEthernet,
		65534: packet.LinkRaw, 776: packet.LinkRaw,
		512: packet.LinkSLL2, 778: packet.LinkSLL2,
	} {
		if got := linkOf(hardware); got != want {
			t.Errorf("hardware type %d: link %d, want %d", hardware, got, want)
		}
	}
}

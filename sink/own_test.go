package sink_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/sink"
)

func TestOwn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := &sink.Own{}
	open := func() (net.Conn, *flow.Flow) {
		c, err := o.Dial(context.Background(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		a, b := netip.MustParseAddrPort(c.LocalAddr().String()), netip.MustParseAddrPort(c.RemoteAddr().String())
		return c, &flow.Flow{Client: a, Server: netip.AddrPortFrom(netip.AddrFrom16(b.Addr().As16()), b.Port())}
	}
	if o.Has(&flow.Flow{}) {
		t.Error("has what it never opened")
	}
	c, first := open()
	c.Close()
	if other := *first; !o.Has(first) || !o.Has(&flow.Flow{Client: first.Server, Server: first.Client}) {
		t.Errorf("does not know %v", first)
	} else if other.Client = first.Server; o.Has(&other) {
		t.Error("knows another")
	}
	if _, err := o.Dial(context.Background(), "tcp", "127.0.0.1:1"); err == nil {
		t.Error("nobody is there")
	}
}

package sink

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"github.com/passiflow/passiflow/flow"
)

// Dial opens a connection, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// maxOwn is how many connections an Own remembers: more than the sinks of a run
// have open at once, of which one of bytes may have 16384.
const maxOwn = 32 << 10

// Own remembers the connections that the sinks of this program have opened, so
// that a capture that sees them does not tell of its own deliveries, each of
// which would be another delivery. It may be used by many goroutines.
type Own struct {
	mu   sync.RWMutex
	all  map[[2]netip.AddrPort]int // from us, to them: where in ring
	ring [][2]netip.AddrPort       // by age; what came again stands in it twice
	next int                       // the oldest, once it is full
}

// Dial opens a connection and remembers it.
func (o *Own) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	local, ok1 := c.LocalAddr().(*net.TCPAddr)
	remote, ok2 := c.RemoteAddr().(*net.TCPAddr)
	if ok1 && ok2 {
		o.add([2]netip.AddrPort{plain(local.AddrPort()), plain(remote.AddrPort())})
	}
	return c, nil
}

func (o *Own) add(k [2]netip.AddrPort) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = map[[2]netip.AddrPort]int{}
	}
	if len(o.ring) < maxOwn {
		o.all[k] = len(o.ring)
		o.ring = append(o.ring, k)
		return
	}
	if old := o.ring[o.next]; o.all[old] == o.next {
		delete(o.all, old)
	}
	o.ring[o.next], o.all[k] = k, o.next
	o.next = (o.next + 1) % maxOwn
}

// Has tells whether f is one of them.
func (o *Own) Has(f *flow.Flow) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if len(o.all) == 0 {
		return false
	}
	c, s := plain(f.Client), plain(f.Server)
	_, ours := o.all[[2]netip.AddrPort{c, s}]
	if !ours {
		_, ours = o.all[[2]netip.AddrPort{s, c}]
	}
	return ours
}

// plain takes off the zone and the form of an IPv4 address within IPv6.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

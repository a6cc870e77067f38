package sink

import (
	"net/netip"
	"testing"

	"github.com/passiflow/passiflow/flow"
)

// It remembers as many as it may, forgets the oldest, and knows one that came
// again for as long as if it had come then alone.
func TestOwnForgets(t *testing.T) {
	us, them := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddrPort("10.0.0.2:80")
	key := func(i int) [2]netip.AddrPort {
		b := us.As4()
		b[2], b[1] = byte(i>>16), byte(i>>24)
		return [2]netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4(b), uint16(i)), them}
	}
	o := &Own{}
	has := func(i int) bool { return o.Has(&flow.Flow{Client: key(i)[0], Server: them}) }
	n := 0
	add := func(i int) { o.add(key(i)); n++ }
	for i := range 1000 {
		add(i)
	}
	add(7) // a port that was used before
	for i := 1000; n < maxOwn; i++ {
		add(i)
	}
	for i := range 1000 {
		if !has(i) {
			t.Fatalf("%d is forgotten", i)
		}
	}
	for i := range 500 {
		add(1_000_000 + i)
	}
	for i := range 1000 {
		if has(i) != (i >= 500 || i == 7) {
			t.Fatalf("%d is known: %v", i, has(i))
		}
	}
	for i := range 3 * maxOwn {
		add(2_000_000 + i)
	}
	if len(o.all) != maxOwn || len(o.ring) != maxOwn || has(7) {
		t.Errorf("%d known, %d kept", len(o.all), len(o.ring))
	}
}

package tunnel

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// TestShare sends both directions of many conversations in datagrams from
// different ports, and looks for each conversation in one socket only.
func TestShare(t *testing.T) {
	frames := map[string]func(i int, back bool) string{
		"ipv4": func(i int, back bool) string { return inner[:12] + "\x08\x00" + ipv4(i, back) },
		"ipv4 vlan": func(i int, back bool) string {
			return inner[:12] + "\x88\xa8\x00\x07\x81\x00\x00\x08\x08\x00" + ipv4(i, back)
		},
		"ipv6": func(i int, back bool) string { return inner[:12] + "\x86\xdd" + ipv6(i, back) },
	}
	const n = 4
	for _, kind := range []packet.TunnelKind{packet.VXLAN, packet.GENEVE} {
		sources := make([]source.Source, n)
		at := "127.0.0.1:0"
		for i := range sources {
			sources[i] = listen(t, func(c *Config) { c.Kind, c.Address, c.Share = kind, at, n })
			_, at, _ = strings.Cut(sources[i].Interfaces()[0].Name, "://")
		}
		for name, frame := range frames {
			const conversations = 50
			for i := range conversations {
				for _, back := range []bool{false, true} {
					d := vxlanOf(7, frame(i, back))
					switch {
					case kind == packet.GENEVE && name == "ipv6":
						d = geneveOf(7, 0x86dd, i%5, ipv6(i, back))
					case kind == packet.GENEVE:
						d = geneveOf(7, 0x6558, i%5, frame(i, back))
					case name == "ipv4" && i%2 == 0: // without Ethernet
						d = append([]byte{0x0c, 0, 0, 1, 0, 0, 7, 0}, ipv4(i, back)...)
					}
					send(t, dial(t, sources[0]), d)
				}
			}
			seen, used, came := map[string]int{}, map[int]int{}, 0
			for end := time.Now().Add(long); came < 2*conversations && time.Now().Before(end); {
				for at, s := range sources {
					for _, p := range collect(t, s, 2*conversations, 0) {
						came++
						conversation := p.Data[strings.Index(p.Data, "conversation"):][:16]
						if before, ok := seen[conversation]; ok && before != at {
							t.Errorf("%v %s: %s is in sockets %d and %d", kind, name, conversation, before, at)
						}
						seen[conversation] = at
						used[at]++
					}
				}
			}
			if came != 2*conversations || len(seen) != conversations || len(used) < n-1 {
				t.Errorf("%v %s: %d packets of %d conversations in sockets %v", kind, name, came, len(seen), used)
			}
		}
	}
}

func pair(i int, back bool, size int) string {
	a, b := make([]byte, size), make([]byte, size)
	binary.BigEndian.PutUint32(a[size-4:], 0x0a000001)
	binary.BigEndian.PutUint32(b[size-4:], 0xc0a80000+uint32(i))
	if back {
		a, b = b, a
	}
	return string(a) + string(b)
}

func ipv4(i int, back bool) string {
	return "\x45" + strings.Repeat("\x00", 11) + pair(i, back, 4) + fmt.Sprintf("conversation%04d", i)
}

func ipv6(i int, back bool) string {
	return "\x60" + strings.Repeat("\x00", 7) + pair(i, back, 16) + fmt.Sprintf("conversation%04d", i)
}

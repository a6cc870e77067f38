package filter

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestTypicalProgramsAreShort compares the length of programs for expressions
// that people write with libpcap's, and holds a bound for long lists, where
// libpcap reorders tests and we do not.
func TestTypicalProgramsAreShort(t *testing.T) {
	l := newLibpcap(t, linkEthernet)
	for _, expr := range []string{"tcp port 80", "port 80", "host 10.0.0.1", "net 10.0.0.0/8", "tcp[13] & 2 != 0",
		"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/24", "vlan and tcp port 80",
		"tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", "icmp or icmp6", "not port 22", "ip6 host fe80::1",
		"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)", "geneve and tcp port 80",
		"host 10.0.0.1 and port 80 and not net 10.1.0.0/16", "udp portrange 1000-2000", "arp or icmp or udp port 53"} {
		ours, theirs := mustCompile(t, expr), 0
		code, refusal := l.compile(t, expr, true)
		if theirs = len(code); refusal != "" {
			t.Fatal(refusal)
		}
		if ours > theirs {
			t.Errorf("%q: %d instructions, libpcap has %d", expr, ours, theirs)
		}
	}
}

func TestLongListsFitTheKernel(t *testing.T) {
	var hosts, ports []string
	for i := range 300 {
		hosts = append(hosts, fmt.Sprintf("host 10.0.%d.%d", i/7, i%200))
		ports = append(ports, fmt.Sprintf("tcp port %d", i+80))
	}
	for _, list := range [][]string{hosts, ports} {
		start := time.Now()
		n := mustCompile(t, strings.Join(list, " or "))
		t.Logf("%d instructions for %d members in %v", n, len(list), time.Since(start))
		if n > MaxInstructions {
			t.Errorf("%d instructions for %d of %q", n, len(list), list[0])
		}
	}
}

func mustCompile(t *testing.T, expr string) int {
	t.Helper()
	e, err := Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	code, err := e.Compile(linkEthernet, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return len(code)
}

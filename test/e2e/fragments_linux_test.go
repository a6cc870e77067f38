package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/source/netnstest"
)

// TestFragmentedTunnel captures tunnels of the kernel whose own packets do not
// fit their way: what is large comes in fragments, which show only the tunnel's
// ends, what is small comes whole. Four workers tell the same as one.
func TestFragmentedTunnel(t *testing.T) {
	const port = 14789 // on a port of its own
	kernel := func(t *testing.T, s *netnstest.Space) {
		add := func(name, remote, dev string) []string {
			return strings.Fields(fmt.Sprintf("link add %s type vxlan id 42 dstport %d remote %s dev %s", name, port, remote, dev))
		}
		netnstest.Veth(t, "v0", "10.9.0.1/24", s, "v1", "10.9.0.2/24")
		if out, err := exec.Command("ip", add("t0", "10.9.0.2", "v0")...).CombinedOutput(); err != nil {
			t.Skipf("no vxlan devices: %v %s", err, out)
		}
		t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "t0").Run() })
		s.IP(t, strings.Join(add("t1", "10.9.0.1", "v1"), " "))
	}
	// The kernel's own tunnels do not fragment over IPv6, others do.
	own := func(network string, port int, head ...byte) func(t *testing.T, s *netnstest.Space) {
		return func(t *testing.T, s *netnstest.Space) {
			netnstest.Veth(t, "v0", "", s, "v1", "")
			netnstest.IP(t, "addr add fd09::1/64 dev v0 nodad")
			s.IP(t, "addr add fd09::2/64 dev v1 nodad")
			tunnels(t, s, network, port, "fd09::1", "fd09::2", head)
		}
	}
	for name, open := range map[string]func(t *testing.T, s *netnstest.Space){
		"vxlan over IPv4":  kernel,
		"vxlan over IPv6":  own("udp6", port, 8, 0, 0, 0, 0, 0, 42, 0),
		"geneve over IPv6": own("udp6", 6081, 0, 0, 0x65, 0x58, 0, 0, 42, 0),
		"gre over IPv6":    own("ip6:47", 0, 0, 0, 0x65, 0x58),
	} {
		t.Run(name, func(t *testing.T) {
			s := netnstest.New(t)
			open(t, s)
			fragmented(t, s, "--vxlan-ports", fmt.Sprint(port))
		})
	}
}

// fragmented tells about requests between t0 and t1, whose packets pass v0.
func fragmented(t *testing.T, s *netnstest.Space, args ...string) {
	s.IP(t, "addr add 10.7.0.200/24 dev t1")
	const clients, requests = 24, 4
	for i := range clients {
		netnstest.IP(t, fmt.Sprintf("addr add 10.7.0.%d/24 dev t0", i+1))
	}
	// Without IPv6, lest its messages come in the moment of the end.
	netnstest.IP(t, "link set t0 addrgenmode none")
	s.IP(t, "link set t1 addrgenmode none")
	netnstest.IP(t, "link set t0 mtu 1430 up")
	s.IP(t, "link set t1 mtu 1430 up")
	netnstest.IP(t, "link set v0 mtu 1280")
	s.IP(t, "link set v1 mtu 1280")
	// Locked, lest TCP finds out what fits.
	netnstest.IP(t, "route replace 10.7.0.0/24 dev t0 mtu lock 1430")
	s.IP(t, "route replace 10.7.0.0/24 dev t1 mtu lock 1430")

	var l net.Listener
	var err error
	s.Do(t, func() { l, err = net.Listen("tcp4", "10.7.0.200:0") })
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strings.Repeat("x", int(n)+5000))
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()

	run := func(workers string) (lines []string) {
		c := start(t, append([]string{"-i", "v0", "--json", "--workers", workers}, args...)...)
		for i := range clients {
			d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 7, 0, byte(i+1))}, Timeout: time.Minute}
			one := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}, Timeout: time.Minute}
			for n := range requests {
				r, err := one.Post(fmt.Sprintf("http://%s/%d/%d", l.Addr(), i, n), "text/plain", strings.NewReader(strings.Repeat("y", 3000*n)))
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
			}
			one.CloseIdleConnections()
		}
		for _, r := range c.stop() {
			lines = append(lines, fmt.Sprintf("%s %v %v", r.Client.IP, r, r.Integrity.Complete))
		}
		slices.Sort(lines)
		if given := strings.Contains(c.words.String(), "handed over to another worker"); given != (workers != "1") {
			t.Errorf("%s workers: handed over: %v: the test shows nothing\n%s", workers, given, c.words.String())
		}
		return lines
	}
	one := run("1")
	if len(one) != clients*requests || strings.Contains(strings.Join(one, "\n"), "false") {
		t.Fatalf("one worker: %d records, want %d whole ones: %v", len(one), clients*requests, one)
	}
	if d := cmp.Diff(one, run("4")); d != "" {
		t.Errorf("four workers see something else: %s", d)
	}
}

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

// TestFragmentedTunnel captures a VXLAN tunnel of the kernel whose own packets
// do not fit its way: what is large comes in fragments, which show only the
// tunnel's ends, what is small comes whole. Four workers tell the same as one.
func TestFragmentedTunnel(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "v0", "10.9.0.1/24", s, "v1", "10.9.0.2/24")
	const port = "14789" // on a port of its own
	add := func(name, remote, dev string) []string {
		return strings.Fields("link add " + name + " type vxlan id 42 dstport " + port + " remote " + remote + " dev " + dev)
	}
	if out, err := exec.Command("ip", add("vx0", "10.9.0.2", "v0")...).CombinedOutput(); err != nil {
		t.Skipf("no vxlan devices: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "vx0").Run() })
	s.IP(t, strings.Join(add("vx1", "10.9.0.1", "v1"), " "))
	s.IP(t, "addr add 10.7.0.200/24 dev vx1")
	const clients, requests = 24, 4
	for i := range clients {
		netnstest.IP(t, fmt.Sprintf("addr add 10.7.0.%d/24 dev vx0", i+1))
	}
	// Without IPv6, lest its messages come in the moment of the end.
	netnstest.IP(t, "link set vx0 addrgenmode none")
	s.IP(t, "link set vx1 addrgenmode none")
	netnstest.IP(t, "link set v0 mtu 1000")
	netnstest.IP(t, "link set vx0 mtu 1450 up")
	s.IP(t, "link set v1 mtu 1000")
	s.IP(t, "link set vx1 mtu 1450 up")
	// Locked, lest TCP finds out what fits.
	netnstest.IP(t, "route replace 10.7.0.0/24 dev vx0 mtu lock 1450")
	s.IP(t, "route replace 10.7.0.0/24 dev vx1 mtu lock 1450")

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

	run := func(args ...string) (lines []string) {
		c := start(t, append([]string{"-i", "v0", "--json", "--vxlan-ports", port, "ip"}, args...)...)
		for i := range clients {
			d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 7, 0, byte(i+1))}, Timeout: 5 * time.Second}
			one := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}, Timeout: 10 * time.Second}
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
		torn := slices.Contains(args, "no")
		if torn {
			time.Sleep(1200 * time.Millisecond) // it looks once a second
		}
		records := c.stop()
		if said := strings.Contains(c.words.String(), "conversations are torn"); said != torn {
			t.Errorf("%v: it is said that conversations are torn: %v", args, said)
		}
		for _, r := range records {
			lines = append(lines, fmt.Sprintf("%s %v %v", r.Client.IP, r, r.Integrity.Complete))
		}
		slices.Sort(lines)
		if len(args) > 0 && !strings.Contains(c.words.String(), "defragment=") {
			t.Errorf("it is not told whether the kernel joins fragments\n%s", c.words.String())
		}
		return lines
	}
	one := run()
	if len(one) != clients*requests || strings.Contains(strings.Join(one, "\n"), "false") {
		t.Fatalf("one worker: %d records, want %d whole ones: %v", len(one), clients*requests, one)
	}
	if d := cmp.Diff(one, run("--workers", "4")); d != "" {
		t.Errorf("four workers see something else: %s", d)
	}
	if cmp.Equal(one, run("--workers", "4", "--defragment", "no")) {
		t.Error("nothing was torn apart without: the test shows nothing")
	}
}

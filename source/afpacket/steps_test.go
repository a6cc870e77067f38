package afpacket

import "testing"

// The program stays short where it matters: plain packets.
func TestPlaceSteps(t *testing.T) {
	prog := place(t)
	for name, c := range map[string]struct {
		frame []byte
		most  int
	}{
		"tcp4":  {ether(0x0800, ip4(a4, b4, 6, tcp(1, 2, nil))), 80},
		"tcp6":  {ether(0x86dd, ip6(a6, b6, 6, tcp(1, 2, nil))), 150},
		"vxlan": {ether(0x0800, ip4(x4, y4, 17, vxlan(1, ether(0x0800, ip4(a4, b4, 6, tcp(1, 2, nil)))))), 200},
	} {
		m := in(c.frame)
		if _, err := m.run(prog); err != nil || m.steps > c.most {
			t.Errorf("%s: %d steps, at most %d, %v", name, m.steps, c.most, err)
		}
		t.Logf("%s: %d steps", name, m.steps)
	}
}

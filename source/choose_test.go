package source

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	found := []Device{
		{Interface: Interface{Name: "lo", Loopback: true}, Up: true},
		{Interface: Interface{Name: "down"}},
		{Interface: Interface{Name: "eth0"}, Up: true},
		{Interface: Interface{Name: "eth1"}, Up: true},
	}
	for _, c := range []struct {
		found []Device
		names []string
		want  string
	}{
		{found, nil, "eth0"},
		{found, []string{"eth1", "lo"}, "eth1 lo"},
		{found, []string{"down"}, "down"},
		{found[:2], nil, "no interface is up, but loopback: name one of lo, down"},
		{found, []string{"eth0", "eht1"}, "open eht1: there is no such interface, but lo, down, eth0, eth1"},
		{found, []string{"lo", "lo"}, "open lo: is named twice"},
	} {
		var got []string
		chosen, err := choose(c.found, c.names)
		for _, d := range chosen {
			got = append(got, d.Name)
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v: got %v, want %s", c.names, got, c.want)
		}
	}
}

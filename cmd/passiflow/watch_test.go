package main

import (
	"strings"
	"testing"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

func TestCauses(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*config.Config, *passiflow.Stats)
		want string
	}{
		{"nothing", func(*config.Config, *passiflow.Stats) {}, "is the interface up"},
		{"nothing filtered", func(c *config.Config, _ *passiflow.Stats) { c.Capture.Filter = "port 1" }, "try without it"},
		{"mirror", func(c *config.Config, _ *passiflow.Stats) { c.Capture.Listen = []string{"vxlan://:4789"} }, "no datagram came"},
		{"mirror of other networks", func(_ *config.Config, s *passiflow.Stats) { s.Source.Filtered = 9 }, "all 9 frames are control messages, or have network ids"},
		{"no mirror", func(c *config.Config, s *passiflow.Stats) {
			c.Capture.Listen, s.Source.Cut = []string{"vxlan://:4789"}, 9
		}, "9 datagrams came that are none of [vxlan://:4789]"},
		{"filter", func(_ *config.Config, s *passiflow.Stats) { s.Walk.Packets, s.Walk.Filtered = 9, 9 }, "the filter refused all 9 packets"},
		{"not TCP", func(_ *config.Config, s *passiflow.Stats) { s.Walk.Packets = 9 }, "none of 9 packets"},
		{"ports", func(c *config.Config, s *passiflow.Stats) {
			c.Capture.Ports = []config.Range{{From: 80, To: 81}}
			s.Walk.Packets, s.Walk.Parsed[packet.OK], s.Walk.OtherPort = 9, 8, 8
		}, "other ports than [80-81]"},
		{"TLS", func(_ *config.Config, s *passiflow.Stats) {
			s.Walk.Packets, s.Walk.Parsed[packet.OK], s.Walk.TLS = 9, 9, 2
		}, "2 conversations speak TLS"},
		{"one side", func(_ *config.Config, s *passiflow.Stats) {
			s.Walk.Packets, s.Walk.Parsed[packet.OK], s.Core.HalfBy[message.OneSided] = 9, 9, 1
		}, "only one side"},
		{"snaplen", func(_ *config.Config, s *passiflow.Stats) {
			s.Walk.Packets, s.Walk.Parsed[packet.OK], s.Walk.Cut = 9, 9, 3
		}, "raise --snaplen"},
		{"waiting", func(_ *config.Config, s *passiflow.Stats) {
			s.Walk.Packets, s.Walk.Parsed[packet.OK], s.Waiting = 9, 9, 3
		}, "3 requests wait"},
		{"else", func(_ *config.Config, s *passiflow.Stats) {
			s.Walk.Packets, s.Walk.Parsed[packet.OK] = 9, 9
		}, "9 packets came, and no HTTP in them"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := config.DefaultConfig()
			var st passiflow.Stats
			c.set(&conf, &st)
			if got := strings.Join(causes(&conf, []string{"eth0"}, &st), "; "); !strings.Contains(got, c.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

package e2e

import (
	"bytes"
	"net"
	"os"
	"testing"
	"time"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/source/afpacket"
	"github.com/passiflow/passiflow/source/netnstest"
)

// A run that is over has given back its rings, also where it ended with packets
// in its hands.
func TestRelease(t *testing.T) {
	netnstest.Need(t)
	rings := func() int {
		b, err := os.ReadFile("/proc/thread-self/net/packet")
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("\n")) - 1
	}
	before := rings()
	c := afpacket.DefaultConfig()
	c.Interfaces, c.Workers, c.BlockTimeout = []string{"lo"}, 2, 5*time.Millisecond
	sources, err := afpacket.Open(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := passiflow.DefaultConfig()
	cfg.Sources, cfg.Packets = sources, 3
	p, err := passiflow.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	to, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	done := make(chan error, 1)
	go func() { done <- p.Run(t.Context()) }()
	for over := false; !over; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			over = true
		case <-time.After(time.Millisecond):
			_, _ = to.Write([]byte("x"))
		}
	}
	if n := rings() - before; n != 0 {
		t.Errorf("%d rings are still there", n)
	}
	s := p.Stats()
	if s.Source.Received != s.Walk.Packets {
		t.Errorf("received %d, read %d: %+v", s.Source.Received, s.Walk.Packets, s.Source)
	}
}

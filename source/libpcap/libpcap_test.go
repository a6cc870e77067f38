package libpcap

import (
	"strings"
	"testing"
	"time"
)

// Only Linux knows CAP_NET_RAW.
func TestCure(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "freebsd", "solaris"} {
		if got := cure(system); strings.Contains(got, "CAP_NET_RAW") != (system == "linux") || !strings.Contains(got, "root") {
			t.Errorf("%s: %s", system, got)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Snaplen = 0 }, "snaplen"},
		{func(c *Config) { c.BufferBytes = 1 }, "buffer_bytes"},
		{func(c *Config) { c.Wait = time.Hour }, "wait"},
	} {
		cfg := DefaultConfig()
		c.change(&cfg)
		if _, err := Open(cfg); err == nil || !strings.HasPrefix(err.Error(), c.want+": ") {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}

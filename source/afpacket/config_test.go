package afpacket

import (
	"strings"
	"testing"
	"time"
)

func TestConfigCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   []string // parts of the error; none: valid
	}{
		"default":          {func(c *Config) {}, nil},
		"ten interfaces":   {func(c *Config) { c.Interfaces = strings.Split("abcdefghij", "") }, nil},
		"workers":          {func(c *Config) { c.Workers = 0 }, []string{"workers"}},
		"many workers":     {func(c *Config) { c.Workers = 257 }, []string{"workers"}},
		"all at once":      {func(c *Config) { c.Workers, c.Snaplen, c.BlockBytes, c.BlockTimeout = -1, 0, 1, 0 }, []string{"workers", "snaplen", "block_bytes", "block_timeout"}},
		"part of a ms":     {func(c *Config) { c.BlockTimeout = time.Microsecond }, []string{"block_timeout"}},
		"twice":            {func(c *Config) { c.Interfaces = []string{"a", "a"} }, []string{"a is named twice"}},
		"any and more":     {func(c *Config) { c.Interfaces = []string{"a", "any"} }, []string{"any"}},
		"buffer too small": {func(c *Config) { c.BufferBytes = 1 << 20 }, []string{"buffer_bytes"}},
		"frame too long":   {func(c *Config) { c.Snaplen = 9 << 20 }, []string{"buffer_bytes"}},
		"buffer too large": {func(c *Config) { c.BufferBytes = 4 << 30 }, []string{"buffer_bytes"}},
	} {
		cfg := DefaultConfig()
		c.change(&cfg)
		err := cfg.check()
		if (err == nil) != (len(c.want) == 0) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not name %s", name, err, part)
			}
		}
	}
}

// A block holds a frame of Snaplen bytes and whole pages, and a ring never
// exceeds its share.
func TestBlocks(t *testing.T) {
	for _, snaplen := range []int{1, 96, 65535, 262144, 1 << 20} {
		for _, buffer := range []int{1 << 20, 8 << 20, 32 << 20, 512 << 20} {
			for _, block := range []int{64 << 10, 512 << 10, 1 << 20, 4 << 20} {
				c := DefaultConfig()
				c.Snaplen, c.BufferBytes, c.BlockBytes, c.Interfaces = snaplen, buffer, block, []string{"a", "b", "c"}
				if c.check() != nil {
					continue
				}
				if b := c.block(); b < snaplen+overhead || b%granule != 0 || 3*b*c.blocks() > buffer || c.blocks() < fewBlocks || b > max(block, snaplen+overhead+granule) {
					t.Errorf("snaplen %d, buffer %d, block %d: %d blocks of %d bytes", snaplen, buffer, block, c.blocks(), b)
				}
			}
		}
	}
}

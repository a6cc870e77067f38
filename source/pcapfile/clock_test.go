package pcapfile

import (
	"math"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

func TestClock(t *testing.T) {
	for _, c := range []struct {
		resolution byte
		offset     int64
		stamp      uint64
		want       packet.Time
	}{
		{6, 0, 1_800_000_000_123456, 1_800_000_000_123456_000},
		{9, 0, 1_800_000_000_123456789, 1_800_000_000_123456789},
		{0, 0, 1_800_000_000, 1_800_000_000e9},
		{0x80 | 10, 0, 1024*5 + 512, 5_500_000_000},
		{12, 0, 5_123456_789_999, 5_123456_789},
		{6, 3600, 1_800_000_000_000000, 1_800_003_600e9},
		{6, -3600, 1_800_000_000_000000, 1_799_996_400e9},
		// What cannot be is as near to it as a time can be.
		{6, -3600, 5_000000, 0},
		{6, 0, math.MaxUint64, maxTime},
		{0, 0, math.MaxUint64, maxTime},
		{9, 0, math.MaxUint64, maxTime},
		{19, 0, math.MaxUint64, 1_844_674_407},
		{0, math.MaxInt64, math.MaxUint64, maxTime},
		{0, math.MinInt64, math.MaxUint64, 0},
		{9, math.MaxInt64, 5, maxTime},
		{9, math.MinInt64, 5, 0},
	} {
		k, err := newClock(c.resolution)
		if err != nil {
			t.Fatal(err)
		}
		k.offset = c.offset
		if got := k.time(c.stamp); got != c.want {
			t.Errorf("%d of 10^-%d and %d s are %d, want %d", c.stamp, c.resolution, c.offset, got, c.want)
		}
	}
}

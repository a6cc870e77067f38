package main

import "testing"

func TestPercent(t *testing.T) {
	const mb = 1 << 20
	for _, alive := range []uint64{0, 1 * mb, 4 * mb, 10 * mb, 20 * mb, 100 * mb, 1 << 40} {
		p := percent(alive)
		grown := float64(max(alive, leastHeap)) * (1 + float64(p)/100)
		if least := max(float64(restHeap), float64(alive)*(1+growthShare)) * 0.99; grown < least || grown > least*1.05 {
			t.Errorf("%d MB alive: %d percent, which is %.0f MB", alive/mb, p, grown/mb)
		}
	}
}

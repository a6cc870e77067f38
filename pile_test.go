package passiflow

import (
	"runtime"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// What waits for a worker takes no more memory than its bound says, and leaves
// none behind that is not used any more.
func TestInboxBound(t *testing.T) {
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	const most = 16 << 20
	for _, size := range []int{100, 700, 40_000} {
		before := heap()
		b := &inbox{bell: make(chan struct{}, 1), most: most, fill: &pile{}}
		p, rest, n := packet.Packet{Data: make([]byte, size/2)}, packet.Rest{Frame: make([]byte, size)}, 0
		for ; b.put(&p, rest); n++ {
			p.Data[0]++
		}
		if n < most/(2*size+handedBytes) {
			t.Errorf("%d bytes: only %d found room", size, n)
		}
		if took := heap() - before; took > most+most/4 {
			t.Errorf("%d bytes: %d packets take %d bytes, want %d", size, n, took, most)
		}
		l := b.swap(&pile{})
		for i := range l.packets {
			if h := &l.packets[i]; h.packet.Data[0] != byte(i) || len(h.rest.Frame) != size {
				t.Fatalf("%d bytes: packet %d is another", size, i)
			}
		}
		l.empty()
		b.swap(l)
		b.put(&p, rest)
		l = b.swap(&pile{})
		l.empty()
		if took := heap() - before; took > 2<<20 {
			t.Errorf("%d bytes: nothing takes %d bytes", size, took)
		}
		runtime.KeepAlive(b)
		runtime.KeepAlive(l)
	}
}

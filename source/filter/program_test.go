package filter

import (
	"math/rand/v2"
	"testing"
)

func mustProgram(t testing.TB, expr string, link uint32, o Options) *Program {
	t.Helper()
	e, err := Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	code, err := e.Compile(link, o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProgram(code)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// httpFrame is a plain TCP segment to port 80.
func httpFrame() []byte {
	return cat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 60, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0x9c, 0x40, 0, 80}, make([]byte, 1400))
}

func TestRun(t *testing.T) {
	p, frame := mustProgram(t, "tcp port 80 and len = 1438", linkEthernet, Options{Snaplen: 77}), httpFrame()
	for n, want := range map[int]uint32{len(frame): 77, len(frame) - 1: 0, 20: 0, 0: 0} {
		if got := p.Run(frame[:n]); got != want {
			t.Errorf("%d bytes: %d, want %d", n, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { p.Run(frame) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	p := mustProgram(t, "tcp port 80 and tcp[((tcp[12] & 0xf0) >> 2)] = 0", linkEthernet, Options{})
	frame := httpFrame()
	if n := testing.AllocsPerRun(100, func() {
		p.Match(frame, len(frame), 0, 0)
		p.Match(frame, len(frame), 0x8100, 7)
	}); n != 0 {
		t.Errorf("%v allocations per match", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, expr := range []string{"tcp port 80", "host 10.0.0.9", "tcp[13] & 2 != 0", "vlan and ip"} {
		b.Run(expr, func(b *testing.B) {
			p := mustProgram(b, expr, linkEthernet, Options{})
			frame := httpFrame()
			b.ReportAllocs()
			for b.Loop() {
				p.Match(frame, len(frame), 0, 0)
			}
		})
	}
}

// TestTagBesideIsTagInPlace matches frames with their tag in place, and the same
// frames with the tag taken out and given beside.
func TestTagBesideIsTagInPlace(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	c, w := crafter{r}, writer{r, linkEthernet}
	for range 300 {
		expr := w.expr(2)
		e, err := Parse(expr)
		if err != nil {
			continue
		}
		code, err := e.Compile(linkEthernet, Options{})
		if err != nil {
			continue
		}
		p, err := NewProgram(code)
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			f := c.frame(linkEthernet)
			if len(f) < 16 {
				continue
			}
			typ, tci := uint16(f[12])<<8|uint16(f[13]), uint16(f[14])<<8|uint16(f[15])
			if typ == 0 {
				continue
			}
			bare := cat(f[:12], f[16:])
			want := p.Match(f, len(f), 0, 0)
			if got := p.Match(bare, len(bare), typ, tci); got != want {
				t.Fatalf("%q: %v with the tag beside, %v in place, of %x", expr, got, want, f)
			}
		}
	}
}

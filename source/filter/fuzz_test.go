package filter

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// FuzzExpression parses and compiles anything. What compiles must be a program
// that can run, and must say the same as the same program without optimiser.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{"", "tcp port 80", "host 10.0.0.1 and not (port 22 or 53)", "vlan 5 and mpls and ip6 host ::1",
		"tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", "ip6 protochain \\tcp", "geneve 1 and ether host 1:2:3:4:5:6", "portrange 1-2",
		"net 10.0.0.0 mask 255.0.0.0", "len % 3 ^ 2 - -1 >= 5", "llc ui or stp", "$12", "a::b.1.2.3", "\\", "1.2.3.4.5.6"} {
		for _, link := range []uint32{linkEthernet, linkRaw, linkNFLOG} {
			f.Add(s, link, true)
			f.Add(s, link, false)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		f.Add(writer{r, linkEthernet}.expr(3), uint32(linkEthernet), false)
	}
	f.Fuzz(func(t *testing.T, expr string, link uint32, live bool) {
		if len(expr) > 2000 {
			return
		}
		e, err := Parse(expr)
		if err != nil {
			checkError(t, expr, err)
			return
		}
		if _, err := layoutOf(link); err != nil {
			link = linkEthernet
		}
		code, err := e.Compile(link, Options{Live: live})
		nothing := errors.Is(err, ErrRejectsAll)
		if err != nil && !nothing {
			checkError(t, expr, err)
			return
		}
		g := &generator{options: Options{Live: live}}
		c := g.expression(e.root, link)
		var graph graph
		plain, err := NewProgram(assemble(graph.prologue(c.emit(&graph, graph.ret(1), graph.ret(0)))))
		if err != nil {
			t.Fatal(err)
		}
		p := plain
		if !nothing {
			if p, err = NewProgram(code); err != nil {
				t.Fatal(err)
			}
		}
		r := rand.New(rand.NewPCG(uint64(len(expr)), uint64(link)))
		for range 20 {
			frame := crafter{r}.frame(link)
			want := plain.MatchBeside(frame, len(frame), 0x8100, 7)
			if got := !nothing && p.MatchBeside(frame, len(frame), 0x8100, 7); got != want {
				t.Fatalf("%q: %v optimised, %v not, of %x", expr, got, want, frame)
			}
		}
	})
}

func checkError(t *testing.T, expr string, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%q: %v is no *Error", expr, err)
	}
	if e.Expr != expr || e.Offset < 0 || e.Length < 0 || e.Offset+e.Length > len(expr) || e.Msg == "" {
		t.Fatalf("%q: offset %d, length %d, message %q", expr, e.Offset, e.Length, e.Msg)
	}
	_ = e.Point()
}

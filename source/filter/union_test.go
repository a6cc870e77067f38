package filter

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// TestUnionIsAnyMember compares a union of random expressions with its members
// one by one, over whole and cut packets, with the tag in place and beside.
func TestUnionIsAnyMember(t *testing.T) {
	for _, link := range []uint32{linkEthernet, linkRaw, linkSLL2} {
		r := rand.New(rand.NewPCG(uint64(link), 9))
		c, w := crafter{r}, writer{r, link}
		for range 150 {
			o := Options{Live: r.IntN(2) == 0}
			var members []*Expression
			var single []*Program
			for len(members) < 3 {
				e, err := Parse(w.expr(1))
				if err != nil {
					continue
				}
				if code, err := e.Compile(link, o); err == nil {
					p, err := NewProgram(code)
					if err != nil {
						t.Fatal(err)
					}
					members, single = append(members, e), append(single, p)
				}
			}
			union, both := Union(members...), Intersection(members...)
			code, err := union.Compile(link, o)
			if err != nil {
				t.Fatalf("%v: %v", union, err)
			}
			p, err := NewProgram(code)
			if err != nil {
				t.Fatal(err)
			}
			var q *Program
			if code, err := both.Compile(link, o); err == nil {
				q, _ = NewProgram(code)
			} else if !errors.Is(err, ErrRejectsAll) {
				t.Fatalf("%v: %v", both, err)
			}
			for range 60 {
				f := c.frame(link)
				tag := uint16(0)
				if r.IntN(2) == 0 {
					tag = 0x8100
				}
				some, all := false, true
				for _, m := range single {
					yes := m.MatchBeside(f, len(f), tag, 7)
					some, all = some || yes, all && yes
				}
				if got := p.MatchBeside(f, len(f), tag, 7); got != some {
					t.Fatalf("link %d, live %v: union %v: %v, members say %v of %x", link, o.Live, union, got, some, f)
				}
				if got := q != nil && q.MatchBeside(f, len(f), tag, 7); got != all {
					t.Fatalf("link %d, live %v: intersection %v: %v, members say %v of %x", link, o.Live, both, got, all, f)
				}
			}
		}
	}
}

func TestUnionOfNothing(t *testing.T) {
	if _, err := Union().Compile(linkEthernet, Options{}); !errors.Is(err, ErrRejectsAll) {
		t.Errorf("got %v", err)
	}
}

func TestUnionNamesTheMemberThatIsWrong(t *testing.T) {
	good, _ := Parse("tcp")
	bad, _ := Parse("ip and host nowhere")
	_, err := Union(good, bad).Compile(linkEthernet, Options{})
	var e *Error
	if !errors.As(err, &e) || e.Expr != "ip and host nowhere" || e.Offset != 12 {
		t.Errorf("got %v", err)
	}
}

// TestPortsAcceptsWhatTheParserFinds gives random frames to the packet parser:
// when its innermost ports are wanted, the program must have accepted the frame,
// and so for every frame whose ports the parser does not find.
func TestPortsAcceptsWhatTheParserFinds(t *testing.T) {
	wanted := []Range{{80, 80}, {8080, 8090}, {53, 53}}
	is := func(p uint16) bool { return p == 80 || p >= 8080 && p <= 8090 || p == 53 }
	for _, link := range allLinks() {
		r := rand.New(rand.NewPCG(uint64(link), 77))
		c := crafter{r}
		code, err := Ports(wanted, nil).Compile(link, Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewProgram(code)
		if err != nil {
			t.Fatal(err)
		}
		accepted, refused, found := 0, 0, 0
		parser := packet.NewParser(packet.DefaultConfig())
		for range 4000 {
			f := c.frame(link)
			pk := packet.Packet{Data: f, Length: len(f), Link: packet.Link(link)}
			reason := parser.Parse(&pk)
			hit := reason == packet.OK && (pk.Proto == packet.TCP || pk.Proto == packet.UDP) && (is(pk.Src.Port()) || is(pk.Dst.Port()))
			if p.Match(f, len(f), 0, 0) {
				accepted++
			} else {
				refused++
				if hit {
					t.Fatalf("link %d: refused %v > %v: %x", link, pk.Src, pk.Dst, f)
				}
			}
			if hit {
				found++
			}
		}
		if link != linkARCNET && link != linkARCLinux && link != linkPPPD && (refused < 100 || found < 20) {
			t.Errorf("link %d: %d accepted, %d refused, %d found: tests too little", link, accepted, refused, found)
		}
	}
}

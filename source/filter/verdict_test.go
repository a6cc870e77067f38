package filter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// rounds is how many random expressions are compared per link type.
func rounds(t *testing.T, usual int) int {
	if s := os.Getenv("PASSIFLOW_FILTER_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return usual / 10
	}
	return usual
}

func allLinks() []uint32 {
	return []uint32{linkEthernet, linkSLL, linkSLL2, linkRaw, linkIPv4, linkIPv6, linkNull, linkLoop, linkPPP, linkPPPHDLC, linkPPPoE,
		linkCHDLC, linkARCNET, linkARCLinux, linkPPPD}
}

// TestVerdictsAreLibpcaps compares random expressions over random packets: both
// take an expression or both refuse it, and then both take a packet or both
// refuse it. libpcap's own optimiser changes some verdicts on packets that are
// too short; there the language as it is defined, without it, counts.
func TestVerdictsAreLibpcaps(t *testing.T) {
	for _, link := range allLinks() {
		n := 60
		switch link {
		case linkEthernet:
			n = 500
		case linkSLL, linkSLL2, linkRaw:
			n = 150
		}
		t.Run(fmt.Sprint(link), func(t *testing.T) {
			t.Parallel()
			l := newLibpcap(t, link)
			seed := uint64(link) + 1
			if s := os.Getenv("PASSIFLOW_FILTER_SEED"); s != "" {
				v, _ := strconv.ParseUint(s, 10, 64)
				seed += v * 1000
			}
			r := rand.New(rand.NewPCG(seed, 2))
			packets := make([][]byte, 400)
			for i := range packets {
				packets[i] = crafter{r}.frame(link)
			}
			c := comparison{libpcap: l, link: link, packets: packets}
			for range rounds(t, n) {
				c.compare(t, writer{r, link}.expr(3))
			}
			t.Logf("%d expressions, %d refused by both, %d that match nothing; %d verdicts, %d of them accept, %d where libpcap's optimiser differs from libpcap, %d where it reads unset registers",
				c.expressions, c.refused, c.nothing, c.verdicts, c.accepted, c.optimiser, c.unsettled)
			if c.expressions > 50 && (c.accepted*100 < c.verdicts || c.refused*2 > c.expressions) {
				t.Error("the random expressions test too little")
			}
		})
	}
}

type comparison struct {
	*libpcap
	link                                                                    uint32
	packets                                                                 [][]byte
	expressions, refused, nothing, verdicts, accepted, optimiser, unsettled int
}

func (c *comparison) compare(t *testing.T, expr string) {
	t.Helper()
	c.expressions++
	theirs, refusal := c.compile(t, expr, false)
	e, err := Parse(expr)
	var p *Program
	if err == nil {
		code, cerr := e.Compile(c.link, Options{})
		if err = cerr; err == nil {
			if p, err = NewProgram(code); err != nil {
				t.Fatalf("%q: %v", expr, err)
			}
		}
	}
	if refusal != "" {
		c.refused++
		if err == nil {
			t.Errorf("link %d: %q: libpcap refuses it and we do not: %s", c.link, expr, refusal)
		}
		return
	}
	nothing := errors.Is(err, ErrRejectsAll)
	short, refusal := c.compile(t, expr, true)
	if strings.Contains(refusal, "by zero") || strings.Contains(refusal, "more than 31") {
		// Found by libpcap's optimiser, in constants that it folds.
		c.refused++
		return
	}
	if refusal != "" && !strings.Contains(refusal, "rejects all") {
		t.Fatalf("%q: libpcap's optimiser refuses it: %s", expr, refusal)
	}
	if err != nil && !nothing {
		t.Errorf("link %d: %q: libpcap takes it and we do not: %v", c.link, expr, err)
		return
	}
	if nothing {
		c.nothing++
	}
	for _, packet := range c.packets {
		want, ok := interpret(theirs, packet, len(packet), tagged{})
		if !ok {
			continue // an endless loop in "protochain"
		}
		got := !nothing && p.Match(packet, len(packet), 0, 0)
		c.verdicts++
		if want {
			c.accepted++
		}
		if got != want && strings.Contains(expr, "geneve") && unsettled(t, e, c.link, packet) {
			c.unsettled++
			continue
		}
		if got != want {
			t.Errorf("link %d: %q: accept is %v, libpcap says %v of %x", c.link, expr, got, want, packet)
			return
		}
		if o, _ := interpret(short, packet, len(packet), tagged{}); o != want {
			c.optimiser++
		}
	}
}

// TestRefusalsAreLibpcaps compares what is wrong: primitives made without care,
// and right expressions with a word left out, doubled or moved.
func TestRefusalsAreLibpcaps(t *testing.T) {
	for _, link := range []uint32{linkEthernet, linkSLL, linkRaw, linkPPP} {
		t.Run(fmt.Sprint(link), func(t *testing.T) {
			t.Parallel()
			l := newLibpcap(t, link)
			seed := uint64(link) + 50
			if s := os.Getenv("PASSIFLOW_FILTER_SEED"); s != "" {
				v, _ := strconv.ParseUint(s, 10, 64)
				seed += v * 1000
			}
			r := rand.New(rand.NewPCG(seed, 3))
			packets := make([][]byte, 100)
			for i := range packets {
				packets[i] = crafter{r}.frame(link)
			}
			c, w := comparison{libpcap: l, link: link, packets: packets}, writer{r, link}
			for range rounds(t, 120) {
				expr := w.anyTerm()
				if w.one(2) {
					words := strings.Fields(w.expr(2))
					i, j := r.IntN(len(words)), r.IntN(len(words))
					switch w.IntN(3) {
					case 0:
						words = append(words[:i], words[i+1:]...)
					case 1:
						words[i], words[j] = words[j], words[i]
					case 2:
						words[i] += " " + words[j]
					}
					expr = strings.Join(words, " ")
				}
				c.compare(t, expr)
			}
			t.Logf("%d expressions, %d refused by both", c.expressions, c.refused)
		})
	}
}

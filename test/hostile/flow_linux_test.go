package hostile

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestSynFlood(t *testing.T) {
	c := record(t)
	for i := range 500_000 {
		c.tcp(end{0x0b000000 + uint32(i)*7, uint16(i)}, server, uint32(i), 0, syn, "")
	}
	r := run(t, bound{6 * time.Second, within(64)}, c.done(), "--memory", "64MiB")
	r.has(t, "evicted")
}

// Many conversations that each begin a message and say no more.
func TestPartialHeads(t *testing.T) {
	c := record(t)
	head := "POST /" + strings.Repeat("a", 1000) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n"
	for i := range 100_000 {
		c.open(i).say(0, head)
	}
	r := run(t, bound{20 * time.Second, within(256)}, c.done(), "--memory", "256MiB")
	r.has(t, "evicted")
}

// The same with a first byte of a body that is said to be long.
func TestFirstBytesOfBodies(t *testing.T) {
	c := record(t)
	for i := range 100_000 {
		c.open(i).say(0, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nx")
	}
	run(t, bound{20 * time.Second, within(256)}, c.done(), "--memory", "256MiB")
}

func TestGrowingBodies(t *testing.T) {
	for _, memory := range []int{64, 256} {
		t.Run(fmt.Sprint(memory), func(t *testing.T) {
			c := record(t)
			piece := strings.Repeat("b", 1400)
			talks := make([]*talk, 4_000)
			for i := range talks {
				talks[i] = c.open(i)
				talks[i].say(0, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
			}
			for range 60 {
				for _, k := range talks {
					k.send(0, ack|psh, piece)
				}
			}
			r := run(t, bound{20 * time.Second, within(memory)}, c.done(), "--memory", fmt.Sprint(memory, "MiB"))
			r.has(t, "shed at a bound")
		})
	}
}

// Compressed bodies are held as sent.
func TestGrowingCompressedBodies(t *testing.T) {
	c := record(t)
	piece := strings.Repeat("b", 1400)
	talks := make([]*talk, 4_000)
	for i := range talks {
		talks[i] = c.open(i)
		talks[i].say(0, "POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n")
	}
	for range 60 {
		for _, k := range talks {
			k.send(0, ack|psh, piece)
		}
	}
	r := run(t, bound{20 * time.Second, within(64)}, c.done(), "--memory", "64MiB")
	r.has(t, "shed at a bound")
}

// Whole requests with bodies that wait for their answers.
func TestUnansweredBodies(t *testing.T) {
	c := record(t)
	body := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("b", 100_000)
	for i := range 50 {
		k := c.open(i)
		for range 50 {
			k.say(0, body)
		}
	}
	r := run(t, bound{20 * time.Second, within(64)}, c.done(), "--memory", "64MiB")
	r.has(t, "shed at a bound")
}

// Requests that wait for their answers with long heads.
func TestUnansweredHeads(t *testing.T) {
	c := record(t)
	head := "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("c", 40_000) + "\r\n\r\n"
	for i := range 100 {
		k := c.open(i)
		for range 100 {
			k.say(0, head)
		}
	}
	r := run(t, bound{20 * time.Second, within(64)}, c.done(), "--memory", "64MiB")
	r.has(t, "shed at a bound")
}

// Many tiny requests and fields: what they take beside their bytes counts too.
func TestUnansweredFields(t *testing.T) {
	c := record(t)
	head := "GET / HTTP/1.1\r\n" + strings.Repeat("a:\r\n", 250) + "\r\n"
	for i := range 1000 {
		k := c.open(i)
		for range 40 {
			k.say(0, head)
		}
	}
	r := run(t, bound{20 * time.Second, within(64)}, c.done(), "--memory", "64MiB")
	r.has(t, "shed at a bound")
}

// What every conversation says byte by byte leaves a trace of each packet.
func TestDribble(t *testing.T) {
	c := record(t)
	k := c.open(0)
	head := "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("c", 63_000) + "\r\n\r\n"
	for i := range head {
		k.send(0, ack|psh, head[i:i+1])
	}
	k.say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	k.close()
	r := run(t, bound{3 * time.Second, 64}, c.done())
	if r.lines != 1 {
		t.Errorf("%d lines", r.lines)
	}
}

func TestDribbleOnMany(t *testing.T) {
	c := record(t)
	talks := make([]*talk, 2000)
	for i := range talks {
		talks[i] = c.open(i)
		talks[i].say(0, "GET / HTTP/1.1\r\nX: ")
		talks[i].say(1, "HTTP/1.1 200 OK\r\nX: ")
	}
	for range 300 {
		for _, k := range talks {
			k.send(0, ack, "x")
			k.send(1, ack, "x")
		}
	}
	run(t, bound{20 * time.Second, within(64)}, c.done(), "--memory", "64MiB")
}

// Segments that wait for one that never comes, in the worst order, on one
// conversation and on many.
func TestOutOfOrder(t *testing.T) {
	for _, order := range []string{"up", "down", "random"} {
		t.Run(order, func(t *testing.T) {
			c := record(t)
			k := c.open(0)
			r := rand.New(rand.NewPCG(1, 2))
			for i := range 200_000 {
				at := i
				switch order {
				case "down":
					at = 200_000 - i
				case "random":
					at = r.IntN(200_000)
				}
				c.tcp(k.at[0], k.at[1], k.next[0]+2+2*uint32(at), k.next[1], ack, "x")
			}
			run(t, bound{10 * time.Second, 100}, c.done())
		})
	}
	t.Run("many", func(t *testing.T) {
		c := record(t)
		for i := range 40_000 {
			k := c.open(i)
			for j := range 4 {
				c.tcp(k.at[0], k.at[1], k.next[0]+1+3000*uint32(j), k.next[1], ack, "x")
			}
		}
		r := run(t, bound{10 * time.Second, within(64)}, c.done(), "--memory", "64MiB")
		r.has(t, "missing in gaps")
	})
}

func TestOverlaps(t *testing.T) {
	for _, policy := range []string{"first", "linux"} {
		t.Run(policy, func(t *testing.T) {
			c := record(t)
			k := c.open(0)
			r := rand.New(rand.NewPCG(1, 2))
			piece := strings.Repeat("o", 1400)
			for range 100_000 {
				c.tcp(k.at[0], k.at[1], k.next[0]+1+uint32(r.IntN(1<<16)), k.next[1], ack, piece[:r.IntN(1400)])
			}
			run(t, bound{10 * time.Second, 100}, c.done(), "--overlap", policy)
		})
	}
}

// One tuple, and every flag.
func TestFlagStorm(t *testing.T) {
	c := record(t)
	r := rand.New(rand.NewPCG(1, 2))
	at := [2]end{client(0), server}
	for range 300_000 {
		from := r.IntN(2)
		c.tcp(at[from], at[1-from], r.Uint32()>>uint(r.IntN(32)), r.Uint32()>>uint(r.IntN(32)), byte(r.IntN(32)), "GET / HTTP/1.1\r\n\r\n"[:r.IntN(19)])
	}
	run(t, bound{10 * time.Second, 100}, c.done())
}

// Every packet twice, and each conversation's ports used again and again.
func TestDuplicatesAndReuse(t *testing.T) {
	c := record(t)
	for i := range 20_000 {
		k := &talk{c, [2]end{client(0), server}, [2]uint32{uint32(i) * 100_000, uint32(i) * 77_777}}
		for range 2 {
			k.next = [2]uint32{uint32(i) * 100_000, uint32(i) * 77_777}
			k.send(0, syn, "")
			k.send(1, syn|ack, "")
			k.send(0, ack, "")
			k.say(0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			k.say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			k.close()
		}
	}
	r := run(t, bound{10 * time.Second, 100}, c.done())
	if r.lines != 20_000 {
		t.Errorf("%d lines of 20000", r.lines)
	}
}

// A clock that jumps by years in both directions.
func TestClock(t *testing.T) {
	c := record(t)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 2_000 {
		k := c.open(i)
		for j := range 20 {
			c.now = r.Uint64N(1 << 32 * 1e9)
			if j%3 == 0 {
				c.now = []uint64{0, 1, 4294967295e9 + 999999999}[r.IntN(3)]
			}
			if j%5 == 0 {
				k.next[0] += uint32(r.IntN(3))
			}
			k.say(j&1, []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}[j&1])
		}
	}
	run(t, bound{10 * time.Second, 200}, c.done())
}

// Conversations that are over and may still say something: their ends were not
// acknowledged.
func TestUnacknowledgedEnds(t *testing.T) {
	c := record(t)
	for i := range 200_000 {
		k := c.open(i)
		k.say(0, get)
		k.say(1, empty)
		k.send(0, fin|ack, "")
		k.next[0]--
		k.send(1, fin|ack, "")
	}
	path := c.done()
	for _, unit := range []string{"exchange", "flow"} {
		r := run(t, bound{10 * time.Second, within(64)}, path, "--memory", "64MiB", "--unit", unit)
		if r.lines != 200_000 {
			t.Errorf("%d lines of 200000:\n%s", r.lines, tail(r.stderr))
		}
	}
}

// Early segments whose place in line is far from both ends of it.
func TestOutOfOrderWindow(t *testing.T) {
	c := record(t)
	k := c.open(0)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 300_000 {
		c.tcp(k.at[0], k.at[1], k.next[0]+2+2*uint32(i+r.IntN(4000)), k.next[1], ack, "x")
	}
	run(t, bound{5 * time.Second, 100}, c.done())
}

package hostile

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Whatever an attacker does to a bound, what the others say is still told, all
// of it: 2,000 exchanges among 200,000 packets of his.
func TestNeighbours(t *testing.T) {
	for name, attack := range map[string]func(c *capture) func(i int){
		"segments without a beginning": func(c *capture) func(i int) {
			for i := range 50_000 {
				c.open(100_000 + i)
			}
			return func(i int) { c.tcp(client(100_000+i%50_000), server, 1001+5+uint32(i), 5001, ack, "x") }
		},
		"bodies without an end": func(c *capture) func(i int) {
			var talks []*talk
			for i := range 500 {
				k := c.open(100_000 + i)
				k.say(0, "POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
				talks = append(talks, k)
			}
			piece := strings.Repeat("x", 1400)
			return func(i int) { talks[i%500].send(0, ack, piece) }
		},
		"bodies that fill the memory and stop": func(c *capture) func(i int) {
			for i := range 140 {
				k := c.open(100_000 + i)
				k.say(0, "POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 999_000))
			}
			return func(int) {}
		},
		"segments out of order": func(c *capture) func(i int) {
			var talks []*talk
			for i := range 2_000 {
				talks = append(talks, c.open(100_000+i))
			}
			r := rand.New(rand.NewPCG(1, 2))
			return func(int) {
				k := talks[r.IntN(len(talks))]
				c.tcp(k.at[0], k.at[1], k.next[0]+1+uint32(r.IntN(60_000)), k.next[1], ack, "x")
			}
		},
		"segments of nothing": func(c *capture) func(i int) {
			return func(i int) { c.tcp(end{0x0b000000 + uint32(i)*7, uint16(i)}, server, 1, 1, ack, "x") }
		},
		"SYNs": func(c *capture) func(i int) {
			return func(i int) { c.tcp(end{0x0b000000 + uint32(i)*7, uint16(i)}, server, 1, 0, syn, "") }
		},
		"fragments": func(c *capture) func(i int) {
			piece := make([]byte, 1480)
			return func(i int) {
				c.frame(c.ether(append(ip4(0x0b000000+uint32(i), server.ip, 6, uint16(i), 0x2000, len(piece)), piece...)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := record(t)
			c.step = 10_000 // 100,000 packets a second
			next := attack(c)
			for i := range 200_000 {
				next(i)
				if i%100 == 0 {
					c.exchange(i/100, "GET /good HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"+strings.Repeat("y", 3000)).close()
				}
			}
			r := run(t, bound{8 * time.Second, within(256)}, c.done(), "--memory", "256MiB")
			if got := r.ledger["in pairs"]; got != 2*2000 {
				t.Errorf("%d exchanges of 2000:\n%s", got/2, tail(r.stderr))
			}
		})
	}
}

// Package pairing holds the test of the promise that no request is ever joined
// to another's answer.
package pairing

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
)

// conversation writes the segments of one connection as a capture point
// between its ends would see them.
type conversation struct {
	r        *rand.Rand
	now      packet.Time
	seq      [2]uint32 // next of each side
	isn      [2]uint32
	mss      int
	segments []packet.Packet
	bytes    [][2]uint64 // of each segment: where its bytes stand in its side
	said     [2][]said
	next     int    // id of the next request
	late     bool   // the client sends before it has received what was just said
	had      uint32 // late: up to where it has received
	slow     int    // seconds that answers and further requests may be long in coming
}

// said is one message as it was sent.
type said struct {
	id         string
	begin, end uint64
	interim    bool
}

var ends = [2]netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:8080")}

func newConversation(seed uint64) *conversation {
	r := rand.New(rand.NewPCG(seed, 7))
	c := &conversation{r: r, now: 1_700_000_000e9, mss: []int{120, 400, 1448}[r.IntN(3)]}
	c.isn = [2]uint32{r.Uint32(), r.Uint32()}
	c.seq = c.isn
	return c
}

func (c *conversation) packet(from flow.Side, flags packet.Flags, data []byte) {
	c.now += packet.Time(time.Duration(1+c.r.IntN(30_000)) * time.Microsecond)
	p := packet.Packet{Time: c.now, Src: ends[from], Dst: ends[from.Peer()], Proto: packet.TCP, Payload: data, Hash: 1}
	p.TCP = packet.TCPHeader{Seq: c.seq[from], Flags: flags}
	if flags&packet.ACK != 0 {
		p.TCP.Ack = c.seq[from.Peer()]
		if c.late && from == flow.Client { // what it had received is what was there a packet ago
			p.TCP.Ack, c.had = c.had, p.TCP.Ack
		}
	}
	begin := uint64(c.seq[from] - c.isn[from] - 1)
	c.bytes = append(c.bytes, [2]uint64{begin, begin + uint64(len(data))})
	c.seq[from] += uint32(len(data))
	if flags&(packet.SYN|packet.FIN) != 0 {
		c.seq[from]++
	}
	c.segments = append(c.segments, p)
}

func (c *conversation) open() {
	c.packet(flow.Client, packet.SYN, nil)
	c.packet(flow.Server, packet.SYN|packet.ACK, nil)
	c.packet(flow.Client, packet.ACK, nil)
}

func (c *conversation) close() {
	c.packet(flow.Client, packet.FIN|packet.ACK, nil)
	c.packet(flow.Server, packet.FIN|packet.ACK, nil)
	c.packet(flow.Client, packet.ACK, nil)
}

// send writes text in segments, and the peer acknowledges now and then.
func (c *conversation) send(from flow.Side, text string) {
	for len(text) > 0 {
		n := min(c.mss, len(text))
		c.packet(from, packet.ACK|packet.PSH, []byte(text[:n]))
		text = text[n:]
	}
	if c.r.IntN(2) == 0 {
		c.packet(from.Peer(), packet.ACK, nil)
	}
}

// message notes a message that is about to be sent.
func (c *conversation) message(from flow.Side, id, text string, ahead int, interim bool) string {
	begin := uint64(c.seq[from]-c.isn[from]-1) + uint64(ahead)
	c.said[from] = append(c.said[from], said{id, begin, begin + uint64(len(text)), interim})
	return text
}

// request makes the next request.
func (c *conversation) request(ahead int) (id, method, text string) {
	id = fmt.Sprint(c.next)
	c.next++
	method = []string{"GET", "POST", "HEAD", "PUT"}[c.r.IntN(4)]
	head := fmt.Sprintf("%s /%s HTTP/1.1\r\nHost: a\r\nX-Id: %s\r\n", method, id, id)
	switch {
	case method == "GET" || method == "HEAD":
		text = head + "\r\n"
	case c.r.IntN(3) == 0:
		text = head + "Transfer-Encoding: chunked\r\n\r\n" + c.chunks()
	default:
		b := c.body()
		text = fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(b), b)
	}
	return id, method, c.message(flow.Client, id, text, ahead, false)
}

// answer makes the answer to a request.
func (c *conversation) answer(id, method string, ahead int) string {
	if c.slow > 0 && c.r.IntN(3) == 0 {
		c.now += packet.Time(c.r.IntN(c.slow)) * 1e9
	}
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Id: %s\r\n", id)
	var text string
	switch {
	case method == "HEAD":
		text = fmt.Sprintf("%sContent-Length: %d\r\n\r\n", head, c.r.IntN(500))
	case c.r.IntN(6) == 0:
		text = strings.Replace(head, "200 OK", "304 Not Modified", 1) + "\r\n"
	case c.r.IntN(3) == 0:
		text = head + "Transfer-Encoding: chunked\r\n\r\n" + c.chunks()
	default:
		b := c.body()
		text = fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(b), b)
	}
	return c.message(flow.Server, id, text, ahead, false)
}

func (c *conversation) body() string { return strings.Repeat("body ", c.r.IntN(60)) }

func (c *conversation) chunks() string {
	var b strings.Builder
	for range 1 + c.r.IntN(3) {
		n := 1 + c.r.IntN(150)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, strings.Repeat("c", n))
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}

// takeTurns is a client that waits for each answer.
func (c *conversation) takeTurns(n int) {
	for range n {
		if c.slow > 0 && c.r.IntN(2) == 0 {
			c.now += packet.Time(c.r.IntN(60)) * 1e9
		}
		id, method, text := c.request(0)
		switch head := strings.Index(text, "\r\n\r\n") + 4; {
		case c.r.IntN(5) == 0 && head < len(text): // Expect: 100-continue
			c.send(flow.Client, text[:head])
			c.send(flow.Server, c.message(flow.Server, id, "HTTP/1.1 100 Continue\r\nX-Id: "+id+"\r\n\r\n", 0, true))
			c.send(flow.Client, text[head:])
		case c.r.IntN(5) == 0 && head < len(text): // the answer comes before the request is over
			c.send(flow.Client, text[:head])
			c.send(flow.Server, c.answer(id, method, 0))
			c.send(flow.Client, text[head:])
			continue
		default:
			c.send(flow.Client, text)
		}
		if c.r.IntN(6) == 0 {
			c.send(flow.Server, c.message(flow.Server, id, "HTTP/1.1 103 Early Hints\r\nX-Id: "+id+"\r\n\r\n", 0, true))
		}
		c.send(flow.Server, c.answer(id, method, 0))
	}
}

// burst is a client that sends n requests at once, in segments of their own or
// run together.
func (c *conversation) burst(n int) {
	var ids, methods []string
	all, together := "", c.r.IntN(2) == 0
	for range n {
		id, method, text := c.request(len(all))
		ids, methods = append(ids, id), append(methods, method)
		if together {
			all += text
		} else {
			c.send(flow.Client, text)
		}
	}
	c.send(flow.Client, all)
	all, together = "", c.r.IntN(2) == 0
	for i := range n {
		text := c.answer(ids[i], methods[i], len(all))
		if together {
			all += text
		} else {
			c.send(flow.Server, text)
		}
	}
	c.send(flow.Server, all)
}

// slide is a client that keeps two requests on their way.
func (c *conversation) slide(n int) {
	c.had = c.seq[flow.Server]
	type ask struct{ id, method string }
	var open []ask
	reply := func() {
		c.send(flow.Server, c.answer(open[0].id, open[0].method, 0))
		open = open[1:]
	}
	for range n {
		if c.slow > 0 && c.r.IntN(2) == 0 {
			c.now += packet.Time(c.r.IntN(c.slow)) * 1e9
		}
		id, method, text := c.request(0)
		c.send(flow.Client, text)
		if open = append(open, ask{id, method}); len(open) == 2 {
			reply()
		}
	}
	for len(open) > 0 {
		reply()
	}
	c.late = false
}

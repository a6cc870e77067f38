package pairing

import (
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// TestSlowAnswer holds that a request waits for an answer whose head comes in
// pieces, however slowly, and not for one that never begins.
func TestSlowAnswer(t *testing.T) {
	for _, late := range []bool{false, true} {
		c := newConversation(1)
		c.mss = 1448
		c.open()
		c.send(flow.Client, c.message(flow.Client, "0", "GET / HTTP/1.1\r\nX-Id: 0\r\n\r\n", 0, false))
		answer := []string{"HTTP/1.1 200 OK\r\n", "X-Id: 0\r\n", "Content-Length: 2\r\n", "\r\nhi"}
		c.message(flow.Server, "0", answer[0]+answer[1]+answer[2]+answer[3], 0, false)
		for i, piece := range answer {
			if c.now += 20e9; late && i == 0 {
				c.now += 20e9
			}
			c.send(flow.Server, piece)
		}
		c.close()
		got := newObserver().see(c)
		if !late && (len(got) != 1 || got[0].Request == nil || got[0].Response == nil) {
			t.Errorf("%d records, want one exchange", len(got))
		}
		if late && (len(got) != 2 || got[0].Half != message.AnswerLate || got[1].Half != message.AnswerLate || got[0].Pair != got[1].Pair) {
			t.Errorf("%d records, want two halves tied together", len(got))
		}
	}
}

// TestAfterGoodbye holds that a request sent after the server has ended its
// side is one that gets no answer: to have received that end is not to have
// received bytes that the capture does not have.
func TestAfterGoodbye(t *testing.T) {
	c := newConversation(2)
	c.open()
	c.send(flow.Client, "GET /0 HTTP/1.1\r\nX-Id: 0\r\n\r\n")
	c.send(flow.Server, "HTTP/1.1 200 OK\r\nX-Id: 0\r\nContent-Length: 0\r\n\r\n")
	c.packet(flow.Server, packet.FIN|packet.ACK, nil)
	c.send(flow.Client, "GET /1 HTTP/1.1\r\nX-Id: 1\r\n\r\n")
	c.packet(flow.Client, packet.FIN|packet.ACK, nil)
	c.packet(flow.Server, packet.ACK, nil)
	got := newObserver().see(c)
	if len(got) != 2 || got[0].Response == nil || got[1].Half != message.NoAnswer {
		t.Errorf("%d records, the last is told as %v", len(got), got[len(got)-1].Half)
	}
}

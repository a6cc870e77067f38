package pairing

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
)

// doubtful is a conversation in which some messages end elsewhere for their
// receiver than for others: what it then takes for another one, or does not, is
// "evil". The client takes turns, or sends ahead; both may be late in receiving.
type doubtful struct {
	*conversation
	received [2]uint32 // up to where each side has received
	asked    []string  // what the server has to answer, and
	ends     []uint32  // where each of these ends
	answered int       // requests of the client's own, and
	answers  []uint32  // where each answer to them ends
}

func doubts(seed uint64) *conversation {
	r := rand.New(rand.NewPCG(seed, 11))
	d := &doubtful{conversation: newConversation(seed)}
	d.r = r
	d.open()
	d.received = [2]uint32{d.seq[1], d.seq[0]}
	ahead, sent := 1+r.IntN(3)*r.IntN(2), 0
	evil := func(id string) string { return "GET /evil" + id + " HTTP/1.1\r\nHost: a\r\n\r\n" }
	for sent < 3+r.IntN(6) || len(d.asked) > 0 {
		if r.IntN(2) == 0 {
			d.received[0] = d.seq[1]
		}
		if r.IntN(2) == 0 {
			d.received[1] = d.seq[0]
		}
		waiting := sent // requests of its own whose answers the client has not
		for _, end := range d.answers {
			if int32(d.received[0]-end) >= 0 {
				waiting--
			}
		}
		switch {
		case sent < 8 && waiting < ahead && r.IntN(2) == 0:
			id := fmt.Sprint(sent)
			sent++
			text := "GET /" + id + " HTTP/1.1\r\nHost: a\r\n\r\n"
			asks := []string{id}
			if r.IntN(3) == 0 {
				e := evil(id)
				head := "POST /" + id + " HTTP/1.1\r\nHost: a\r\n"
				n := len(e)
				switch r.IntN(5) {
				case 0: // a request for us, none for the server
					text = head + fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n", n) + e
				case 1: // the other way round
					text, asks = head+fmt.Sprintf("Content-Length: %d\r\nContent-Length: 0\r\n\r\n", n)+e, append(asks, "evil"+id)
				case 2:
					text = head + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n", n+5) + "0\r\n\r\n" + e
				case 3:
					text, asks = head+"Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\nx\r\n0\r\n\r\n"+e, append(asks, "evil"+id)
				case 4:
					text, asks = head+"\r\n@"+e, append(asks, "evil"+id)
				}
			}
			d.say(flow.Client, text)
			for _, a := range asks {
				d.asked, d.ends = append(d.asked, a), append(d.ends, d.seq[0])
			}
		case len(d.asked) > 0 && int32(d.received[1]-d.ends[0]) >= 0:
			text := d.reply()
			switch one := len(d.asked) == 0 || int32(d.received[1]-d.ends[0]) < 0; {
			case r.IntN(5) > 0:
				text = strings.Replace(text, "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 1)
			case one: // an answer for us, none for the client
				e := "HTTP/1.1 200 OK\r\nX-Id: evil\r\nContent-Length: 0\r\n\r\n"
				text = strings.Replace(text, "\r\n\r\n", fmt.Sprintf("\r\nContent-Length: 0\r\nContent-Length: %d\r\n\r\n", len(e)), 1) + e
			default: // the other way round
				next := strings.Replace(d.reply(), "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 1)
				text = strings.Replace(text, "\r\n\r\n", fmt.Sprintf("\r\nContent-Length: %d\r\nContent-Length: 0\r\n\r\n", len(next)), 1) + next
			}
			d.say(flow.Server, text)
			for len(d.answers) < d.answered {
				d.answers = append(d.answers, d.seq[1])
			}
		}
	}
	d.close()
	return d.conversation
}

// reply answers the next request that the server sees, without saying how long
// that is.
func (d *doubtful) reply() string {
	id := d.asked[0]
	d.asked, d.ends = d.asked[1:], d.ends[1:]
	if !strings.HasPrefix(id, "evil") {
		d.answered++
	}
	return "HTTP/1.1 200 OK\r\nX-Id: " + id + "\r\n\r\n"
}

// say sends text in one segment, acknowledging what its sender has received.
func (d *doubtful) say(from flow.Side, text string) {
	d.packet(from, packet.ACK|packet.PSH, []byte(text))
	d.segments[len(d.segments)-1].TCP.Ack = d.received[from]
}

// TestDoubt holds that messages which only one of the two ends sees make no wrong
// pair that is not marked as presumed, and none at all where only proof is wanted.
func TestDoubt(t *testing.T) {
	pairs, presumed, wrong := 0, 0, 0
	for _, how := range []protocol.Pairing{protocol.Likely, protocol.Proven} {
		o := observing(how)
		for seed := range uint64(4000) {
			for _, x := range o.see(doubts(seed)) {
				if x.Request == nil || x.Response == nil {
					continue
				}
				pairs++
				if x.Presumed {
					presumed++
				}
				if got := id(x.Response); "/"+got != x.Request.Target {
					if wrong++; !x.Presumed || how == protocol.Proven {
						t.Fatalf("conversation %d: %s joined to the answer to %s", seed, x.Request.Target, got)
					}
				}
			}
		}
	}
	t.Logf("%d pairs, %d presumed, %d of these wrong", pairs, presumed, wrong)
}

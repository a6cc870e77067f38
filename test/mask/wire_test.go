package mask

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"net/netip"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

// squeeze applies a content coding.
func squeeze(coding, s string) string {
	var b bytes.Buffer
	switch coding {
	case "gzip":
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
	case "deflate":
		w := zlib.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
	case "br":
		w := brotli.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
	case "zstd":
		w, _ := zstd.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
	default:
		return s
	}
	return b.String()
}

// content writes the fields about a body, and the body as it goes over the
// wire. ends says that the connection's end is the end of the body.
func (g *garden) content(answer bool) (head, body string, ends bool) {
	if g.r.IntN(8) == 0 {
		return "Content-Length: 0\r\n", "", false
	}
	kind, body := g.body()
	if kind != "" {
		head = pick(g, "Content-Type: ", "content-type: ") + kind + "\r\n"
	}
	coding := pick(g, "", "", "gzip", "deflate", "br", "zstd", "gzip, br")
	if coding != "" {
		for c := range strings.SplitSeq(coding, ", ") {
			body = squeeze(c, body)
		}
		head += "Content-Encoding: " + coding + "\r\n"
		switch g.r.IntN(12) {
		case 0: // broken at its end
			body = body[:len(body)-min(3, len(body))]
		case 1: // another coding than it says
			head = strings.Replace(head, "Content-Encoding: "+coding, "Content-Encoding: "+pick(g, "gzip", "br", "x-own"), 1)
		}
	}
	switch {
	case answer && g.r.IntN(12) == 0:
		return head, body, true
	case g.r.IntN(2) == 0:
		return head + fmt.Sprintf("Content-Length: %d\r\n", len(body)), body, false
	}
	head += "Transfer-Encoding: chunked\r\n"
	var b strings.Builder
	for body != "" {
		n := min(len(body), 1+g.r.IntN(pick(g, 5, 60, 2000)))
		fmt.Fprintf(&b, "%x%s\r\n%s\r\n", n, pick(g, "", ";ext=1"), body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n")
	if g.r.IntN(2) == 0 {
		b.WriteString(g.fields(answer))
	}
	return head, b.String() + "\r\n", false
}

func (g *garden) request() string {
	head, body, _ := g.content(false)
	line := pick(g, "POST", "PUT", "PATCH") + " " + pick(g, "", "", "http://h.example") + g.target() + " HTTP/1.1\r\nHost: h.example\r\n"
	return line + g.fields(false) + head + "\r\n" + body
}

func (g *garden) answer() (text string, ends bool) {
	interim := ""
	if g.r.IntN(6) == 0 {
		interim = "HTTP/1.1 103 Early Hints\r\n" + g.fields(true) + "\r\n"
	}
	head, body, ends := g.content(true)
	return interim + "HTTP/1.1 " + pick(g, "200 OK", "404 Not Found", "500 Oops") + "\r\n" + g.fields(true) + head + "\r\n" + body, ends
}

// talk is a connection on a tape whose segments are of any size.
type talk struct {
	g    *garden
	tape *pt.Tape
	at   [2]netip.AddrPort
	next [2]uint32
}

func (g *garden) begin(tape *pt.Tape, port int) *talk {
	k := &talk{g: g, tape: tape, next: [2]uint32{1000, 900_000}}
	k.at[0], k.at[1] = netip.MustParseAddrPort(fmt.Sprintf("10.0.0.1:%d", port)), netip.MustParseAddrPort("10.0.0.2:80")
	k.segment(0, packet.SYN, "")
	k.segment(1, packet.SYN|packet.ACK, "")
	k.segment(0, packet.ACK, "")
	return k
}

func (k *talk) segment(from int, flags packet.Flags, data string) {
	src, dst := k.at[from], k.at[1-from]
	s := pt.Seg{Seq: k.next[from], Flags: flags, Data: []byte(data)}
	if flags&packet.ACK != 0 {
		s.Ack = k.next[1-from]
	}
	k.tape.Frame(pt.Ether(pt.IPv4(src.Addr().String(), dst.Addr().String(), pt.TCP(src.Port(), dst.Port(), s))))
	k.skip(from, len(data), flags)
}

func (k *talk) skip(from, n int, flags packet.Flags) {
	k.next[from] += uint32(n)
	if flags&(packet.SYN|packet.FIN) != 0 {
		k.next[from]++
	}
}

// say sends data; with lose one segment of it is missing in the capture.
func (k *talk) say(from int, data string, lose bool) {
	most := pick(k.g, 20, 300, 1400)
	gone := -1
	if lose {
		gone = len(data)/4 + k.g.r.IntN(len(data)*3/4)
	}
	for at := 0; at < len(data); {
		n := min(len(data)-at, 1+k.g.r.IntN(most))
		if gone >= at && gone < at+n {
			k.skip(from, n, 0)
		} else {
			k.segment(from, packet.ACK|packet.PSH, data[at:at+n])
		}
		at += n
	}
	k.segment(1-from, packet.ACK, "")
}

func (k *talk) close() {
	k.segment(0, packet.FIN|packet.ACK, "")
	k.segment(1, packet.FIN|packet.ACK, "")
	k.segment(0, packet.ACK, "")
}

// traffic records conversations of all sorts.
func (g *garden) traffic(conversations int) []byte {
	tape := pt.NewTape()
	for i := range conversations {
		k := g.begin(tape, 20_000+i)
		sort := g.r.IntN(10)
		g.damaged = sort < 3
		for range 1 + g.r.IntN(3) {
			if sort == 9 { // an answer alone
				text, _ := g.answer()
				k.say(1, text, false)
				break
			}
			ask := g.request()
			if sort == 0 { // the capture stops inside
				k.say(0, ask[:len(ask)*(1+g.r.IntN(9))/10], false)
				break
			}
			k.say(0, ask, sort == 1)
			if sort == 8 { // nobody answers
				break
			}
			text, ends := g.answer()
			k.say(1, text, sort == 2)
			if ends {
				break
			}
		}
		if sort != 0 {
			k.close()
		}
	}
	g.damaged = false
	return tape.Bytes()
}

package golden

import (
	"fmt"
	"strings"
	"time"

	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
)

// scene is a capture with a name.
type scene struct {
	name      string
	play      func(*pt.Tape)
	bodyLimit int // 0: the default
}

const get = "GET /a?b=1 HTTP/1.1\r\nHost: shop.example\r\n\r\n"

// ok is an answer with a body.
func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

const tlsHello = "\x16\x03\x01\x00\x41\x01\x00\x00\x3d\x03\x03" + "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr" + "\x00\x00\x02\x13\x01\x01\x00\x00\x12\x00\x00\x00\x0e\x00\x0c\x00\x00\x09b.example"

var scenes = []scene{
	{name: "keep-alive", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get).answer(ok("one"))
		k.ask("POST /b HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer s3cret\r\nCookie: sid=1\r\nCookie: t=2\r\nContent-Length: 7\r\n\r\na=1&b=2").answer("HTTP/1.1 201 Created\r\nSet-Cookie: sid=2\r\nContent-Length: 0\r\n\r\n")
		k.ask("GET http://user:pw@shop.example/c HTTP/1.0\r\n\r\n").answer("HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\n\r\n\xff\xfe")
		k.close()
	}},
	{name: "pipelining", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(strings.Replace(get, "/a", "/1", 1) + strings.Replace(get, "/a", "/2", 1) + strings.Replace(get, "/a", "/3", 1))
		k.answer(ok("one") + ok("two") + ok("three"))
		k.close()
	}},
	{name: "chunked", play: func(t *pt.Tape) {
		k := open(t)
		k.ask("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1;q=\"a;b\"\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")
		k.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n5\r\nhello\r\n").answer("6\r\n world\r\n0\r\nDigest: md5=x\r\n\r\n")
		k.close()
	}},
	{name: "continue", play: func(t *pt.Tape) {
		k := open(t)
		k.ask("PUT /up HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
		k.answer("HTTP/1.1 100 Continue\r\n\r\n").ask("data").answer(ok("stored"))
		k.close()
	}},
	{name: "early-hints", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get).answer("HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n").answer(ok("page"))
		k.close()
	}},
	{name: "no-content", play: func(t *pt.Tape) { // answers without a body, whatever they say
		k := open(t)
		k.ask("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n").answer("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
		k.ask("DELETE /d HTTP/1.1\r\nHost: x\r\n\r\n").answer("HTTP/1.1 204 No Content\r\n\r\n")
		k.ask(get).answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: \"x\"\r\n\r\n")
		k.ask(get).answer(ok("last"))
		k.close()
	}},
	{name: "connect", play: func(t *pt.Tape) {
		k := open(t)
		k.ask("CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n").answer("HTTP/1.1 200 Connection established\r\n\r\n")
		k.ask(tlsHello).answer("\x16\x03\x03\x00\x04\x02\x00\x00\x00")
		k.close()
	}},
	{name: "upgrade", play: func(t *pt.Tape) {
		k := open(t)
		k.ask("GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n")
		k.answer("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		k.answer("\x81\x05hello").ask("\x81\x85\x00\x00\x00\x00world")
		k.close()
	}},
	{name: "close-delimited", play: func(t *pt.Tape) {
		k := open(t)
		k.ask("GET /old HTTP/1.0\r\n\r\n").answer("HTTP/1.0 200 OK\r\n\r\nas long").answer(" as it lasts")
		k.send(1, packet.FIN|packet.ACK, "")
		k.send(0, packet.FIN|packet.ACK, "")
		k.send(1, packet.ACK, "")
	}},
	{name: "codings", play: func(t *pt.Tape) {
		k := open(t)
		for _, c := range []string{"gzip", "deflate", "br", "zstd", "gzip, br"} {
			body := squeezed(c)
			k.ask(get).answer(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", c, len(body), body))
		}
		k.ask(get).answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nno gzip")
		k.close()
	}},
	{name: "body-limit", bodyLimit: 10, play: func(t *pt.Tape) {
		k := open(t)
		k.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789").answer(ok("0123456789abc"))
		k.ask(get).answer(ok("ééééééééé")) // cut between two characters
		body := squeezed("gzip")
		k.ask(get).answer(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		k.close()
	}},
	{name: "lost-in-body", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get).answer("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nabcde").lose(1, "fghij").answer("klmno")
		k.ask(get).answer(ok("whole"))
		k.close()
	}},
	{name: "lost-in-head", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get).answer("HTTP/1.1 200 OK\r\nContent-").lose(1, "Type: text/plain\r\nContent-Length: 3\r\n").answer("\r\nabc")
		k.ask(get).answer(ok("whole"))
		k.close()
	}},
	{name: "lost-in-chunk", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get).answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n01").lose(1, "234").answer("56789\r\n1\r\nx\r\n0\r\n\r\n")
		k.ask(get).answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n").lose(1, "2\r\ncd\r\n").answer("2\r\nef\r\n0\r\n\r\n")
		k.ask(get).answer(ok("whole"))
		k.close()
	}},
	{name: "lost-request", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get).answer(ok("one"))
		k.lose(0, strings.Replace(get, "/a", "/2", 1)).answer(ok("two"))
		k.ask(strings.Replace(get, "/a", "/3", 1)).answer(ok("three"))
		k.close()
	}},
	{name: "lost-answer", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get).lose(1, ok("one"))
		k.ask(strings.Replace(get, "/a", "/2", 1)).answer(ok("two"))
		k.close()
	}},
	{name: "one-sided", play: func(t *pt.Tape) {
		k := begin(t, "10.0.0.1:40000", "10.0.0.2:80")
		k.send(0, packet.SYN, "")
		k.next[1]++
		k.ack[0]++
		for range 2 {
			k.send(0, packet.ACK|packet.PSH, get)
			k.lose(1, ok("unseen"))
		}
		k = begin(t, "10.0.0.1:40001", "10.0.0.2:80")
		k.lose(0, get)
		k.send(1, packet.ACK|packet.PSH, ok("seen"))
	}},
	{name: "mid-stream", play: func(t *pt.Tape) {
		k := begin(t, "10.0.0.1:40000", "10.0.0.2:80")
		k.answer("the end of a body that began before")
		k.ask(get).answer(ok("one"))
		k.ask(get).answer(ok("two"))
		k.close()
	}},
	{name: "retransmission", play: func(t *pt.Tape) {
		k := open(t)
		k.put(0, k.next[0]+20, packet.ACK|packet.PSH, get[20:]) // the second half first
		k.put(0, k.next[0], packet.ACK|packet.PSH, get[:20])
		k.put(0, k.next[0], packet.ACK|packet.PSH, get[:20]) // again
		k.lose(0, get)
		a := ok("0123456789")
		k.put(1, k.next[1], packet.ACK|packet.PSH, a[:len(a)-4])
		k.put(1, k.next[1]+uint32(len(a))-8, packet.ACK|packet.PSH, "XXXX6789") // the same place says otherwise: the first stays
		k.lose(1, a)
		k.send(0, packet.ACK, "")
		k.put(0, k.next[0]-1, packet.ACK, "\x00") // a keep-alive probe
		k.ask(get).answer(ok("next"))
		k.close()
	}},
	{name: "ack-first", play: func(t *pt.Tape) { // the capture sees effects before their causes
		k := open(t)
		a := ok("early")
		k.lose(0, get)
		k.send(1, packet.ACK|packet.PSH, a)
		k.put(0, k.next[0]-uint32(len(get)), packet.PSH, get)
		k.ask(get).answer(ok("late"))
		k.close()
	}},
	{name: "ipv6", play: func(t *pt.Tape) {
		k := begin(t, "[2001:db8::1]:40000", "[2001:db8::2]:80")
		k.ip = func(src, dst string, in pt.Piece) pt.Piece {
			return pt.IPv6(src, dst, pt.Extension(0, pt.Extension(60, in)))
		}
		k.shake().ask(get).answer(ok("six")).close()
	}},
	{name: "vlan", play: func(t *pt.Tape) {
		k := begin(t, "10.0.0.1:40000", "10.0.0.2:80")
		k.wrap = func(in pt.Piece) pt.Piece { return pt.Ether(pt.VLAN(7, in)) }
		k.shake().ask(get).answer(ok("tagged")).close()
		k = begin(t, "10.0.0.1:40001", "10.0.0.2:80")
		k.wrap = func(in pt.Piece) pt.Piece { return pt.Ether(pt.Tag(0x88a8, 100, pt.VLAN(7, in))) }
		k.shake().ask(get).answer(ok("twice")).close()
	}},
	{name: "tunnels", play: func(t *pt.Tape) {
		outer := func(in pt.Piece) pt.Piece { return pt.Ether(pt.IPv4("192.0.2.1", "192.0.2.2", in)) }
		for i, wrap := range []func(pt.Piece) pt.Piece{
			func(in pt.Piece) pt.Piece { return outer(pt.UDP(50_000, 4789, pt.VXLAN(42, pt.Ether(in)))) },
			func(in pt.Piece) pt.Piece { return outer(pt.UDP(50_000, 6081, pt.GENEVE(42, nil, pt.Ether(in)))) },
			func(in pt.Piece) pt.Piece { return outer(pt.GRE(in)) },
			outer,
		} {
			k := begin(t, "10.0.0.1:40000", "10.0.0.2:80") // the same ends in each
			k.wrap = wrap
			k.shake().ask(get).answer(ok(fmt.Sprint("tunnel ", i))).close()
		}
	}},
	{name: "fragments", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get)
		a := ok(strings.Repeat("fragment ", 30))
		s := pt.TCP(80, 40000, pt.Seg{Seq: k.next[1], Ack: k.ack[1], Flags: packet.ACK | packet.PSH, Data: []byte(a)})
		all := (pt.IP4{ID: 7}).Fragments("10.0.0.2", "10.0.0.1", 104, s)
		for i := range all { // the last first
			t.Frame(pt.Ether(all[len(all)-1-i]))
		}
		k.lose(1, a)
		k.send(0, packet.ACK, "")
		k.close()
	}},
	{name: "port-reuse", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get).answer(ok("first")).close()
		t.Wait(time.Second)
		k = begin(t, "10.0.0.1:40000", "10.0.0.2:80")
		k.next, k.ack = [2]uint32{5_000_000, 7_000_000}, [2]uint32{7_000_000, 5_000_000}
		k.shake().ask(get).answer(ok("second")).close()
	}},
	{name: "no-answer", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get)
		k.send(1, packet.RST|packet.ACK, "")
		k = begin(t, "10.0.0.1:40001", "10.0.0.2:80").shake()
		k.ask(get)
		t.Wait(40 * time.Second)
		k.answer(ok("too late")).close()
	}},
	{name: "unasked", play: func(t *pt.Tape) {
		k := open(t)
		k.answer("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		k.send(1, packet.FIN|packet.ACK, "")
		k.send(0, packet.FIN|packet.ACK, "")
		k.send(1, packet.ACK, "")
	}},
	{name: "streaming", play: func(t *pt.Tape) {
		k := open(t)
		k.ask(get).answer("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
		for range 3 {
			t.Wait(4 * time.Second)
			k.answer("data: 2\n\n")
		}
		k.close()
	}},
	{name: "http09", play: func(t *pt.Tape) {
		k := open(t)
		k.ask("GET /old\r\n").answer("<html>no head</html>")
		k.send(1, packet.FIN|packet.ACK, "")
		k.send(0, packet.FIN|packet.ACK, "")
		k.send(1, packet.ACK, "")
	}},
	{name: "sloppy", play: func(t *pt.Tape) {
		k := open(t)
		k.ask("GET / HTTP/1.1\nHost: x\nX-Folded: a\n b\n\n").answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
		k.ask("GET /caf\xe9 HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n").answer(ok("fine"))
		k.close()
	}},
	{name: "nonsense", play: func(t *pt.Tape) {
		open(t).ask("\x00\x01\x02 password=secret").answer("\x03\x04 more of it").close()
	}},
	{name: "tls", play: func(t *pt.Tape) {
		k := begin(t, "10.0.0.1:40000", "10.0.0.2:443").shake()
		k.ask(tlsHello).answer("\x16\x03\x03\x00\x04\x02\x00\x00\x00").close()
	}},
}

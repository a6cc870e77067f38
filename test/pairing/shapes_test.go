package pairing

import (
	"fmt"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// turn is what a side says in one segment: "C" or "S"; in lower case: which is
// not seen.
type turn struct{ from, text string }

func play(turns []turn) (c *conversation, drop []int) {
	c = newConversation(1)
	c.mss = 100000
	c.open()
	for _, t := range turns {
		from := flow.Client
		if strings.EqualFold(t.from, "S") {
			from = flow.Server
		}
		if strings.ToLower(t.from) == t.from {
			drop = append(drop, len(c.segments))
		}
		if t.text == "FIN" {
			c.packet(from, packet.FIN|packet.ACK, nil)
			continue
		}
		c.packet(from, packet.ACK|packet.PSH, []byte(t.text))
	}
	c.close()
	return c, drop
}

// show writes an exchange as target{body}marks=answer: a "?" behind it where the
// pair is only presumed, nothing on the side of a half that is missing.
func show(got []*message.Exchange) string {
	half := func(name string, m *message.Message) string {
		if len(m.Body) > 0 {
			name += fmt.Sprintf("{%s}", m.Body)
		}
		if m.Marks != 0 {
			name += fmt.Sprint(m.Marks.Names(nil))
		}
		return name
	}
	var all []string
	for _, x := range got {
		var q, a string
		if x.Request != nil {
			q = half(strings.TrimPrefix(x.Request.Target, "/"), x.Request)
		}
		if x.Response != nil {
			a = half(x.Response.Status, x.Response)
		}
		if x.Presumed {
			a += "?"
		}
		if n := len(x.Interim); n > 0 {
			q += fmt.Sprintf("+%d", n)
		}
		all = append(all, q+"="+a)
	}
	return strings.NewReplacer("\r\n", "|").Replace(strings.Join(all, "  "))
}

// TestShapes reads conversations of which the two ends may think differently, each
// by hand: requests and answers smuggled past one of them, lengths that are none,
// answers that come too early or to nobody. 1 is asked and answered with 1; what
// only one reading of the bytes asks is "evil".
func TestShapes(t *testing.T) {
	ok := func(id string) string {
		return "HTTP/1.1 200 OK\r\nContent-Length: " + fmt.Sprint(len(id)) + "\r\n\r\n" + id
	}
	get := func(id string) string { return "GET /" + id + " HTTP/1.1\r\nHost: a\r\n\r\n" }
	post := func(id, fields, body string) string {
		return "POST /" + id + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body
	}
	for _, x := range []struct {
		name  string
		turns []turn
		want  string
	}{
		{"CL.TE, server reads TE", []turn{{"C", post("1", "Content-Length: 35\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+get("evil"))}, {"S", ok("1")}, {"S", ok("evil")}, {"C", get("2")}, {"S", ok("2")}},
			`1[conflicting_length]=200{1}  =200{evil}  =200{2}  evil=  2=`},
		{"CL.TE, server reads CL", []turn{{"C", post("1", "Content-Length: 36\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+get("evil"))}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1[conflicting_length]=200{1}  =200{2}  =200{3}  evil=  2=  3=`},
		{"TE.CL, server reads CL=4", []turn{{"C", post("1", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "24\r\n"+get("evil")+"\r\n0\r\n\r\n")}, {"S", ok("1")}, {"S", ok("evil")}, {"C", get("2")}, {"S", ok("2")}},
			`=200{evil}  1{GET /evil HTTP/1.1|Host: a|||0|}[conflicting_length bad_chunk]=200{1}  2=200{2}?`},
		{"two lengths, server reads last", []turn{{"C", post("1", "Content-Length: 0\r\nContent-Length: 31\r\n", get("evil"))}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1[conflicting_length]=200{1}  =200{2}  =200{3}  evil=  2=  3=`},
		{"bad length, server takes it", []turn{{"C", post("1", "Content-Length: +31\r\n", get("evil"))}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1[conflicting_length]=200{1}  =200{2}  =200{3}  evil=  2=  3=`},
		{"te with space before colon, server ignores", []turn{{"C", post("1", "Transfer-Encoding : chunked\r\nContent-Length: 36\r\n", "0\r\n\r\n"+get("evil"))}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1[conflicting_length bad_header]=200{1}  =200{2}  =200{3}  evil=  2=  3=`},
		{"te obfuscated, server takes it", []turn{{"C", post("1", "Transfer-Encoding: xchunked\r\nContent-Length: 36\r\n", "0\r\n\r\n"+get("evil"))}, {"S", ok("1")}, {"S", ok("evil")}, {"C", get("2")}, {"S", ok("2")}},
			`1{0||GET /evil HTTP/1.1|Host: a||}[conflicting_length bad_header]=200{1}  =200{evil}  2=200{2}?`},
		{"obs-fold te", []turn{{"C", post("1", "X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"+get("2"))}, {"S", ok("1")}, {"S", ok("2")}},
			`1{0||}[conflicting_length folded_header bad_header]=200{1}  =200{2}  2=`},
		{"TE: chunked, identity", []turn{{"C", post("1", "Transfer-Encoding: chunked, identity\r\n", "1\r\nx\r\n0\r\n\r\n"+get("2"))}, {"S", ok("1")}, {"S", ok("2")}},
			`1{x}[conflicting_length]=200{1}  =200{2}  2=`},
		{"bare LF heads and chunks", []turn{{"C", "POST /1 HTTP/1.1\nTransfer-Encoding: chunked\n\n1\nx\n0\n\n" + get("2")}, {"S", ok("1")}, {"S", ok("2")}},
			`1{x}[bare_lf]=200{1}  2=200{2}`},
		{"HEAD with length", []turn{{"C", "HEAD /1 HTTP/1.1\r\n\r\n"}, {"S", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"}, {"C", get("2")}, {"S", ok("2")}},
			`1=200  2=200{2}`},
		{"HEAD answered with a body all the same", []turn{{"C", "HEAD /1 HTTP/1.1\r\n\r\n"}, {"S", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, {"C", get("2")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1=200  2=200{2}  3=200{3}`},
		{"204 with a body", []turn{{"C", get("1")}, {"S", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello"}, {"C", get("2")}, {"S", ok("2")}},
			`1=204  2=200{2}`},
		{"304 with length, then pipelined", []turn{{"C", get("1") + get("2")}, {"S", "HTTP/1.1 304 No\r\nContent-Length: 500\r\n\r\n" + ok("2")}},
			`1=304  2=200{2}`},
		{"1xx flood", []turn{{"C", get("1")}, {"S", strings.Repeat("HTTP/1.1 102 P\r\n\r\n", 20) + ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`=102  =102  =102  =102  =102  =102  =102  =102  =102  =102  =102  =102  1+8=200{1}  2=200{2}`},
		{"answer before the request ends, then the rest", []turn{{"C", post("1", "Content-Length: 10\r\n", "01234")}, {"S", ok("1")}, {"C", "56789" + get("2")}, {"S", ok("2")}},
			`1{0123456789}=200{1}  2=200{2}`},
		{"answer before the request ends, rest never sent", []turn{{"C", post("1", "Content-Length: 1000\r\n", "01234")}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`=200{2}  1{01234GET /2 HTTP/1.1|Host: a||}[cut_end]=200{1}`},
		{"Upgrade refused", []turn{{"C", "GET /1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1=200{1}  2=200{2}`},
		{"CONNECT refused with body", []turn{{"C", "CONNECT a:1 HTTP/1.1\r\n\r\n"}, {"S", "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"}, {"C", get("2")}, {"S", ok("2")}},
			`a:1=403{no}  2=200{2}`},
		{"CONNECT with pipelined request, refused", []turn{{"C", "CONNECT a:1 HTTP/1.1\r\n\r\n" + get("2")}, {"S", "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"}, {"S", ok("2")}},
			`a:1=403{no}  2=200{2}`},
		{"CONNECT with pipelined request, granted", []turn{{"C", "CONNECT a:1 HTTP/1.1\r\n\r\n" + get("2")}, {"S", "HTTP/1.1 200 OK\r\n\r\n"}, {"S", ok("2")}},
			`a:1=200  2=`},
		{"GET with body", []turn{{"C", "GET /1 HTTP/1.1\r\nContent-Length: 31\r\n\r\n" + get("evil")}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1{GET /evil HTTP/1.1|Host: a||}=200{1}  2=200{2}`},
		{"408 before anything", []turn{{"C", get("1")}, {"S", ok("1")}, {"S", "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"}, {"C", get("2")}},
			`1=200{1}  =408  2=`},
		{"408 crosses the request", []turn{{"C", get("1")}, {"S", ok("1")}, {"S", "HTTP/1.1 408 T\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"}, {"S", "FIN"}, {"C", get("2")}},
			`1=200{1}  =408  2=`},
		{"response splitting in one answer", []turn{{"C", get("1")}, {"S", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + ok("injected")}, {"C", get("2")}, {"S", ok("2")}},
			`1=200  =200{injected}  2=200{2}`},
		{"pipelined with early answers", []turn{{"C", get("1") + get("2")}, {"S", ok("1")}, {"C", get("3")}, {"S", ok("2") + ok("3")}},
			`1=200{1}  2=200{2}  3=200{3}`},
		{"Expect refused, body sent anyway looks like request", []turn{{"C", post("1", "Expect: 100-continue\r\nContent-Length: 31\r\n", "")}, {"S", "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"}, {"C", get("evil")}, {"C", get("2")}, {"S", ok("2")}},
			`1[body_unsent]=417  =200{2}  evil=  2=`},
		{"answer with both, chunked body", []turn{{"C", get("1")}, {"S", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}, {"C", get("2")}, {"S", ok("2")}},
			`1=200{hello}[conflicting_length]  2=200{2}`},
		{"answer with both, client reads CL, splitting", []turn{{"C", get("1")}, {"S", "HTTP/1.1 200 OK\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\ninjected-injected!"}, {"C", get("2")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1=200[conflicting_length]  =200{injected-injected!}  2=200{2}  3=200{3}`},
		{"chunk size overflow", []turn{{"C", post("1", "Transfer-Encoding: chunked\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n")}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1[bad_chunk]=200{1}  2=200{2}?`},
		{"huge length", []turn{{"C", post("1", "Content-Length: 18446744073709551621\r\n", "hello")}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1[conflicting_length]=200{1}  =200{2}  2=`},
		{"length int64 max", []turn{{"C", post("1", "Content-Length: 9223372036854775807\r\n", "hello")}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1[conflicting_length]=200{1}  =200{2}  2=`},
		{"HTTP/1.0 close delimited", []turn{{"C", "GET /1 HTTP/1.0\r\n\r\n"}, {"S", "HTTP/1.0 200 OK\r\n\r\nbody "}, {"S", ok("x")}, {"S", "FIN"}},
			`1=200{body HTTP/1.1 200 OK|Content-Length: 1||x}[close_delimited]`},
		{"101 to nobody", []turn{{"C", get("1")}, {"S", "HTTP/1.1 101 S\r\n\r\n" + ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1=101`},
		{"100 to a request without expect", []turn{{"C", get("1")}, {"S", "HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n" + ok("1")}},
			`1+1=200{1}`},
		{"bare CR in a value hides te", []turn{{"C", post("1", "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 36\r\n", "0\r\n\r\n"+get("evil"))}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1{0||GET /evil HTTP/1.1|Host: a||}[conflicting_length bad_header]=200{1}  2=200{2}?`},
		{"a chunk extension that ends with LF", []turn{{"C", post("1", "Transfer-Encoding: chunked\r\n", "1;a\nx\r\n0\r\n\r\n"+get("2"))}, {"S", ok("1")}, {"S", ok("2")}},
			`1{x}[bad_chunk bare_lf]=200{1}  =200{2}  2=`},
		{"answer lost between", []turn{{"C", get("1")}, {"s", ok("1")}, {"C", get("2")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1=  2=200{2}  3=200{3}`},
		{"205 with a body", []turn{{"C", get("1")}, {"S", "HTTP/1.1 205 R\r\nContent-Length: 5\r\n\r\nhello"}, {"C", get("2")}, {"S", ok("2")}},
			`1=205{hello}  2=200{2}`},
		{"two chunked", []turn{{"C", post("1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n"+get("2"))}, {"S", ok("1")}, {"S", ok("2")}},
			`1{x}[conflicting_length]=200{1}  =200{2}  2=`},
		{"lower-case head", []turn{{"C", "head /1 HTTP/1.1\r\n\r\n"}, {"S", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, {"C", get("2")}, {"S", ok("2")}},
			`1=200{hello}  2=200{2}`},
		{"bad chunk hides a request", []turn{{"C", post("1", "Transfer-Encoding: chunked\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n"+get("evil"))}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("evil")}, {"S", ok("2")}},
			`1[bad_chunk]=200{1}  2=  =200{evil}  =200{2}`},
		{"junk hides a request", []turn{{"C", get("1") + "@ " + get("evil")}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("evil")}, {"S", ok("2")}},
			`1=200{1}  =200{evil}  =200{2}  2=`},
		{"two lengths hide an answer", []turn{{"C", get("1") + get("2")}, {"S", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 46\r\n\r\n" + ok("injected")}, {"S", ok("2")}},
			`1=200[conflicting_length]  =200{injected}  =200{2}  2=`},
		{"blank lines", []turn{{"C", post("1", "Content-Length: 1\r\n", "x\r\n")}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1{x}=200{1}  2=200{2}`},
		{"chunked, name with a blank", []turn{{"C", post("1", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n"+get("2"))}, {"S", ok("1")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1[conflicting_length bad_header]=200{1}  =200{2}  =200{3}  2=  3=`},
		{"bare CR, no length", []turn{{"C", post("1", "X: a\rContent-Length: 31\r\n", get("evil"))}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1[conflicting_length bad_header]=200{1}  =200{2}  =200{3}  evil=  2=  3=`},
		{"Expect refused, then 2", []turn{{"C", post("1", "Expect: 100-continue\r\nContent-Length: 33\r\n", "")}, {"S", "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"}, {"C", get("2")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1[body_unsent]=417  2=200{2}?  3=200{3}?`},
		{"lengths that differ, client in turns", []turn{{"C", post("1", "Content-Length: 1\r\nContent-Length: 01x\r\n", "x")}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}, {"C", get("3")}, {"S", ok("3")}},
			`1{x}[conflicting_length]=200{1}  2=200{2}?  3=200{3}?`},
		{"LF in the middle hides te", []turn{{"C", post("1", "X: a\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+get("2"))}, {"S", ok("1")}, {"S", ok("2")}},
			`1[conflicting_length bare_lf]=200{1}  =200{2}  2=`},
		{"LF, no CR anywhere", []turn{{"C", "POST /1 HTTP/1.1\nContent-Length: 1\n\nx"}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1{x}[bare_lf]=200{1}  2=200{2}`},
		{"CR and LF make up for each other", []turn{{"C", post("1", "X: a\nY: b\rContent-Length: 31\r\n", get("evil"))}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1[conflicting_length bare_lf]=200{1}  =200{2}  evil=  2=`},
		{"a folded line hides a length", []turn{{"C", post("1", "X: a\r\n Content-Length: 31\r\n", get("evil"))}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1[conflicting_length folded_header]=200{1}  =200{2}  evil=  2=`},
		{"a length that is folded", []turn{{"C", post("1", "Content-Length:\r\n 31\r\n", get("evil"))}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("evil")}, {"S", ok("2")}},
			`1{GET /evil HTTP/1.1|Host: a||}[conflicting_length folded_header]=200{1}  2=  =200{evil}  =200{2}`},
		{"a blank before the first field", []turn{{"C", "POST /1 HTTP/1.1\r\n Content-Length: 31\r\n\r\n" + get("evil")}, {"S", ok("1")}, {"C", get("2")}, {"S", ok("2")}},
			`1{GET /evil HTTP/1.1|Host: a||}[conflicting_length bad_header]=200{1}  2=200{2}?`},
		{"chunked in HTTP/1.0", []turn{{"C", "POST /1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n" + get("2")}, {"S", ok("1")}, {"C", get("3")}, {"S", ok("3")}},
			`1[conflicting_length]=200{1}  =200{3}  2=  3=`},
		{"trailer fields smuggle a length", []turn{{"C", post("1", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nContent-Length: 31\r\n\r\n"+get("2"))}, {"S", ok("1")}, {"S", ok("2")}},
			`1{x}=200{1}  2=200{2}`},
	} {
		c, drop := play(x.turns)
		if got := show(newObserver().see(c, drop...)); got != x.want {
			t.Errorf("%s:\n got %s\nwant %s", x.name, got, x.want)
		}
	}
}

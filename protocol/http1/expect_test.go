package http1

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol/protocoltest"
)

// TestExpect says what becomes of a request that waits for consent before it
// sends its body.
func TestExpect(t *testing.T) {
	post := lines("POST /1 HTTP/1.1", "Expect: 100-Continue", "Content-Length: 5")
	get := lines("GET /2 HTTP/1.1", "Host: x")
	no := lines("HTTP/1.1 417 Expectation Failed", "Content-Length: 0")
	ok := lines("HTTP/1.1 200 OK", "Content-Length: 0")
	unsent, two := told{What: "/1", Marks: message.BodyUnsent}, told{What: "/2"}
	sent := func(body string) told { return told{What: "/1", Body: body, Size: int64(len(body))} }
	for _, x := range []struct {
		name string
		in   []seg
		want []told
	}{
		{"never sent", []seg{c(post), s(no), c(get), s(ok)}, []told{unsent, two}},
		{"never sent, chunked and compressed", []seg{c(lines("POST /1 HTTP/1.1", "expect: 100-continue", "Transfer-Encoding: chunked", "Content-Encoding: gzip")), s(no), c(get)},
			[]told{unsent, two}},
		{"never sent, the request in pieces", []seg{c(post), s(no), c("G"), c("ET /"), c(get[5:])}, []told{unsent, two}},
		{"never sent, a method of its own", []seg{c(post), s(no), c("BREW" + get[3:])}, []told{unsent, two}},
		{"never sent, twice", []seg{c(post), s(no), c(post), s(no), c(get)}, []told{unsent, unsent, two}},
		{"never sent, an early hint before", []seg{c(post), s(lines("HTTP/1.1 103 Early Hints")), s(no), c(get)}, []told{unsent, two}},
		{"never sent, then the end", []seg{c(post), s(no), fin(c(""))}, []told{unsent}},
		{"sent all the same", []seg{c(post), s(no), c("hello"), c(get)}, []told{sent("hello"), two}},
		{"sent all the same, nearly a request", []seg{c(post), s(no), c("GET /"), c(get)}, []told{sent("GET /"), two}},
		{"sent with consent", []seg{c(post), s(lines("HTTP/1.1 100 Continue")), c("GET /"), s(ok), c(get)}, []told{sent("GET /"), two}},
		{"sent without waiting", []seg{c(post + "GET /"), s(ok), c(get)}, []told{sent("GET /"), two}},
		{"begun before the answer", []seg{c(post + "he"), s(no), c("llo"), c(get)}, []told{sent("hello"), two}},
		{"no expectation", []seg{c(lines("POST /1 HTTP/1.1", "Content-Length: 5")), s(no), c("GET /"), c(get)}, []told{sent("GET /"), two}},
		{"a body that is a request", []seg{c(lines("POST /1 HTTP/1.1", "Expect: 100-continue", "Content-Type: message/http", "Content-Length: 28")), s(no), c(get)},
			[]told{sent(get)}},
		{"a gap behind the head", []seg{c(post), s(no), gap(2, c("llo")), c(get)},
			[]told{{"/1", "llo", message.Gapped, 5, 2, []message.Gap{{Offset: uint64(len(post)), Length: 2}}}, two}},
		{"an answer that was not seen", []seg{c(post), gap(9, s("rest")), c(get)}, []told{{What: "/1", Marks: message.CutEnd, Size: -1}, two}},
		{"a side that was not seen", []seg{c(post), c(get)}, []told{{What: "/1", Marks: message.CutEnd, Size: -1}, two}},
		{"half an answer", []seg{c(post), s(no[:30]), c(get)}, []told{{What: "/1", Marks: message.CutEnd, Size: -1}, two}},
		{"no answer yet", []seg{c(get), s(ok), c(post), c("GET / HTTP/1.0\r\n\r\n"), c(get)}, []told{two, {What: "/1", Body: "GET /", Marks: message.CutEnd, Size: 5}, two}},
		{"a faulty head behind it", []seg{c(post), s(no), c("GET /2 HTTP/1.1\r\nno field\r\n\r\n"), c(get)}, []told{unsent, two}},
	} {
		d := protocoltest.Run(protocolOf(), x.in)
		d.Check(t)
		if diff := cmp.Diff(x.want, tell(d, flow.Client)); diff != "" || d.Err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", x.name, d.Err, diff)
		}
	}
}

// TestRestOfLine: what is left of a request line is no request.
func TestRestOfLine(t *testing.T) {
	for _, rest := range []string{"1 HTTP/1.1", "abc HTTP/1.1", "1  HTTP/1.0"} {
		d := protocoltest.Run(protocolOf(), []seg{c(lines("POST /1 HTTP/1.1", "Content-Length: 5")), c("GET /" + lines(rest, "Host: x")), c(lines("GET /2 HTTP/1.1"))})
		d.Check(t)
		want := []told{{What: "/1", Body: "GET /", Size: 5}, {What: "/2"}}
		if diff := cmp.Diff(want, tell(d, flow.Client)); diff != "" || d.Err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", rest, d.Err, diff)
		}
	}
}

package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol/protocoltest"
)

// told is what these tests look at in a message.
type told struct {
	What, Body string
	Marks      message.Mark
	Size, Lost int64
	Gaps       []message.Gap
}

func tell(d *protocoltest.Driver, side flow.Side) (all []told) {
	for _, m := range d.Ended {
		if m.From == side {
			all = append(all, told{m.Target + m.Status, string(m.Body), m.Marks, m.Size, m.Lost, m.Gaps})
		}
	}
	return all
}

func gap(n uint64, x seg) seg { x.Lost = n; return x }
func mid(x seg) seg           { x.Mid = true; return x }

const (
	next = "HTTP/1.1 201 Next\r\nContent-Length: 1\r\n\r\n1"
	head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" // 39 bytes
	te   = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
)

// TestGaps says what becomes of messages around missing bytes.
func TestGaps(t *testing.T) {
	after := told{What: "201", Body: "1", Size: 1}
	gz := squeeze(t, "gzip", strings.Repeat("0123456789", 3))
	for _, c := range []struct {
		name string
		in   []seg
		want []told
	}{
		{"inside a body", []seg{s(head + "012"), gap(4, s("789"+next))},
			[]told{{"200", "012789", message.Gapped, 10, 4, []message.Gap{{Offset: 42, Length: 4}}}, after}},
		{"the rest of a body", []seg{s(head + "012"), gap(7, s(next))},
			[]told{{"200", "012", message.Gapped, 10, 7, []message.Gap{{Offset: 42, Length: 7}}}, after}},
		{"more than the rest of a body", []seg{s(head + "012"), gap(8, s("TTP/1.1 299 No\r\n\r\n")), s(next)},
			[]told{{"200", "012", message.Gapped, 10, 7, []message.Gap{{Offset: 42, Length: 7}}}, after}},
		{"twice in a body", []seg{s(head + "0"), gap(2, s("3")), gap(2, s("6789"+next))},
			[]told{{"200", "036789", message.Gapped, 10, 4, []message.Gap{{Offset: 40, Length: 2}, {Offset: 43, Length: 2}}}, after}},
		{"inside a chunk", []seg{s(te + "a\r\n012"), gap(4, s("789\r\n0\r\n\r\n"+next))},
			[]told{{"200", "012789", message.Gapped, 10, 4, []message.Gap{{Offset: 53, Length: 4}}}, after}},
		{"the rest of a chunk", []seg{s(te + "a\r\n012"), gap(7, s("\r\n0\r\n\r\n"+next))},
			[]told{{"200", "012", message.Gapped, 10, 7, []message.Gap{{Offset: 53, Length: 7}}}, after}},
		{"across chunks", []seg{s(te + "a\r\n012"), gap(9, s("5\r\nabcde\r\n0\r\n\r\n"+next)), s(next)},
			[]told{{"200", "012", message.Gapped | message.CutEnd, -1, 9, []message.Gap{{Offset: 53, Length: 9}}}, after}},
		{"inside a head", []seg{s(head[:30]), gap(5, s("\r\n\r\n0123456789"+next)), s(next)},
			[]told{{"200", "", message.Gapped | message.CutEnd, -1, 5, []message.Gap{{Offset: 30, Length: 5}}}, after}},
		{"between messages", []seg{s(head + "0123456789"), gap(100, s("rest of something")), s(next)},
			[]told{{"200", "0123456789", 0, 10, 0, nil}, after}},
		{"a body until the end", []seg{s("HTTP/1.1 200 OK\r\n\r\n012"), gap(4, s("789")), fin(s(""))},
			[]told{{"200", "012789", message.Gapped | message.CloseDelimited, 10, 4, []message.Gap{{Offset: 22, Length: 4}}}}},
		{"a packed body", []seg{s(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(gz)) + gz[:len(gz)-8]), gap(8, s(next))},
			[]told{{"200", strings.Repeat("0123456789", 3), message.Gapped, -1, 8, []message.Gap{{Offset: uint64(63 + len(gz) - 8), Length: 8}}}, after}},
		{"the end", []seg{s(head + "012"), {From: flow.Server, Lost: 7, End: true}},
			[]told{{"200", "012", message.Gapped, 10, 7, []message.Gap{{Offset: 42, Length: 7}}}}},
		{"in the middle, then a message", []seg{mid(s("end of a body")), s("HTTP/1.1 looks like one"), s(next)}, []told{after}},
		{"in the middle, at a message", []seg{mid(s(next))}, []told{after}},
		{"in the middle, a faulty head", []seg{mid(s("HTTP/1.1 200 OK\r\nthis is text\r\n\r\n")), s(next)}, []told{after}},
		{"an answer to HEAD", []seg{mid(s("x")), s(head), s(next)}, []told{{"200", "", 0, 0, 0, nil}, after}},
		{"an answer to HEAD, then a gap", []seg{mid(s("x")), s(head), gap(9, s(next))}, []told{{"200", "", 0, 0, 0, nil}, after}},
		{"an answer to HEAD without a length, then a gap", []seg{mid(s("x")), s("HTTP/1.1 200 OK\r\n\r\n"), gap(9, s(next))}, []told{{"200", "", 0, 0, 0, nil}, after}},
		{"an answer to GET, then a gap", []seg{mid(s("x")), s(head), gap(4, s("456789"+next))},
			[]told{{"200", "456789", message.Gapped, 10, 4, []message.Gap{{Offset: 39, Length: 4}}}, after}},
		{"answers to HEAD at once", []seg{mid(s("x")), s(head + head + next)}, []told{{"200", "", 0, 0, 0, nil}, {"200", "", 0, 0, 0, nil}, after}},
		{"an answer to HEAD, chunked", []seg{mid(s("x")), s(te), s(next)}, []told{{"200", "", 0, 0, 0, nil}, after}},
	} {
		d := protocoltest.Run(protocolOf(), append([]seg{{From: flow.Client, Data: "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"}}, c.in...))
		d.Check(t)
		if diff := cmp.Diff(c.want, tell(d, flow.Server)); diff != "" || d.Err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", c.name, d.Err, diff)
		}
	}
}

// TestRequestGaps does the same for requests.
func TestRequestGaps(t *testing.T) {
	const post = "POST /p HTTP/1.1\r\nContent-Length: 10\r\n\r\n"
	const more = "PUT /next HTTP/1.1\r\nHost: x\r\n\r\n"
	after := told{What: "/next"}
	for _, c := range []struct {
		name string
		in   []seg
		want []told
	}{
		{"inside a body", []seg{c(post + "012"), gap(4, c("789"+more))},
			[]told{{"/p", "012789", message.Gapped, 10, 4, []message.Gap{{Offset: uint64(len(post) + 3), Length: 4}}}, after}},
		{"inside a target", []seg{c("GET /tar"), gap(4, c("t HTTP/1.1\r\n\r\n")), c(more)},
			[]told{{"/tar", "", message.Gapped | message.CutEnd, -1, 4, []message.Gap{{Offset: 8, Length: 4}}}, after}},
		{"in the middle, a short rest", []seg{mid(c("GE")), c(more)}, []told{after}},
		{"in the middle, a rest that looks like a method", []seg{mid(c("GET")), c(more)}, []told{after}},
		{"in the middle, a body of words", []seg{mid(c("GET together\r\n")), c("some words and HTTP/1.1\r\n"), c(more)}, []told{after}},
		{"an odd method is believed in a whole line", []seg{mid(c("rest")), c("BREW /next HTTP/1.1\r\n\r\n")}, []told{after}},
		{"a head in two segments", []seg{mid(c("rest")), c(more[:9]), c(more[9:])}, []told{after}},
	} {
		d := protocoltest.Run(protocolOf(), c.in)
		d.Check(t)
		if diff := cmp.Diff(c.want, tell(d, flow.Client)); diff != "" || d.Err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", c.name, d.Err, diff)
		}
	}
}

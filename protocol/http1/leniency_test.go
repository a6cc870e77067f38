package http1

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol/protocoltest"
)

const text = "the body, long enough to be worth packing"

// TestLeniency reads answers that break the rules and that browsers show all
// the same: each gives its body and a mark.
func TestLeniency(t *testing.T) {
	gz, raw, zl := squeeze(t, "gzip", text), squeeze(t, "flate", text), squeeze(t, "zlib", text)
	br, zs := squeeze(t, "br", text), squeeze(t, "zstd", text)
	chunks := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(text), text)
	coded := func(ce, body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", ce, len(body), body)
	}
	for _, c := range []struct {
		name, data string
		marks      message.Mark
	}{
		{"gzip", coded("gzip", gz), 0},
		{"x-gzip in capitals", coded("X-GZIP", gz), 0},
		{"quoted", coded("\"gzip\"", gz), 0},
		{"control characters around", coded("\x0b gzip \x01", gz), 0},
		{"no-break space around", coded("\xa0gzip\xa0", gz), 0},
		{"a second colon", coded(": gzip", gz), 0},
		{"zlib", coded("deflate", zl), 0},
		{"bare deflate", coded("deflate", raw), 0},
		{"gzip as deflate", coded("deflate", gz), 0},
		{"br", coded("br", br), 0},
		{"zstd", coded("zstd", zs), 0},
		{"identity", coded("identity", text), 0},
		{"stacked", coded("gzip, br", squeeze(t, "br", gz)), 0},
		{"stacked in two fields", coded("gzip\r\nContent-Encoding: deflate", squeeze(t, "zlib", gz)), 0},
		{"announced twice, packed once", coded("gzip, gzip", gz), message.BadEncoding},
		{"gzip announced over deflate and not done", coded("deflate, gzip", raw), message.BadEncoding},
		{"deflate announced over gzip and not done", coded("gzip, deflate", gz), message.BadEncoding},
		{"not packed at all", coded("gzip", text), message.BadEncoding},
		{"unknown coding", coded("exi", text), message.BadEncoding},
		{"gzip with reserved flags", coded("gzip", gz[:3]+"\x80"+gz[4:]), 0},
		{"gzip with a wrong header checksum", coded("gzip", gz[:3]+"\x02"+gz[4:10]+"\x00\x00"+gz[10:]), 0},
		{"gzip with a name", coded("gzip", gz[:3]+"\x08"+gz[4:10]+"name\x00"+gz[10:]), 0},
		{"gzip with something behind", coded("gzip", gz+"padding"), 0},
		{"folded coding", coded("\r\n gzip", gz), message.FoldedHeader},

		{"chunked", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunks, 0},
		{"chunked in capitals", lines("HTTP/1.1 200 OK", "TRANSFER-ENCODING: CHUNKED") + chunks, 0},
		{"chunked with HTTP/1.0", lines("HTTP/1.0 200 OK", "Transfer-Encoding: chunked") + chunks, 0},
		{"chunked on a folded line", lines("HTTP/1.1 200 OK", "Transfer-Encoding:\r\n chunked") + chunks, message.FoldedHeader},
		{"chunked and a length", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 3") + chunks, message.ConflictLength},
		{"xchunked", lines("HTTP/1.1 200 OK", "Transfer-Encoding: xchunked") + chunks, message.ConflictLength},
		{"chu NUL nked", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chu\x00nked") + chunks, message.ConflictLength},
		{"space before the colon", lines("HTTP/1.1 200 OK", "Transfer-Encoding : chunked") + chunks, message.BadHeader},
		{"NUL before the name", lines("HTTP/1.1 200 OK", "\x00Transfer-Encoding: chunked") + chunks, message.BadHeader},
		{"name and value on lines of their own", lines("HTTP/1.1 200 OK", "A: b", "Transfer-Encoding\r\n :\r\n chunked") + chunks, message.BadHeader},
		{"folded onto another field", lines("HTTP/1.1 200 OK", "A: b", "\tTransfer-Encoding: chunked") + chunks, message.ConflictLength},
		{"behind a bare CR", lines("HTTP/1.1 200 OK", "A: b\rTransfer-Encoding: chunked") + chunks, message.ConflictLength},
		{"behind a bare CR in the status line", lines("HTTP/1.1 200 OK\rTransfer-Encoding: chunked", "A: b") + chunks, message.ConflictLength},
		{"said to be chunked and has a length", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", fmt.Sprint("Content-Length: ", len(text))) + text, message.BadChunk},
		{"said to be chunked and is not", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + text, message.BadChunk},
		{"gzip as transfer coding", lines("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(gz), gz), 0},
		{"lines of chunks without CR", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + strings.ReplaceAll(chunks, "\r", ""), message.BareLF},
		{"junk behind a chunk's size", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + strings.Replace(chunks, "\r", "x\r", 1), message.BadChunk},
		{"empty lines before a chunk", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "\r\n\r\n" + chunks, message.BadChunk},
		{"zeros before a chunk's size", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "000000" + chunks, 0},
		{"spaces around a chunk's size", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + " " + strings.Replace(chunks, "\r", "  \r", 1), 0},
		{"no last chunk", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunks[:len(chunks)-5], message.CutEnd},
		{"several lengths", lines("HTTP/1.1 200 OK", fmt.Sprint("Content-Length: ", len(text)), "Content-Length: 1") + text, message.ConflictLength},
		{"no length", lines("HTTP/1.1 200 OK", "Content-Length: many") + text, message.ConflictLength | message.CloseDelimited},

		{"lines without CR", "HTTP/1.1 200 OK\nA: b\n\n" + text, message.BareLF},
		{"white space in the last line", "HTTP/1.1 200 OK\nContent-Length: 41\n \n" + text, message.BadHeader},
		{"white space before the status line", " \r\n\t\r\n" + lines("HTTP/1.1 200 OK", "A: b") + text, message.CloseDelimited},
		{"lower case", lines("http/1.1 200 OK", "A: b") + text, message.BadHeader},
		{"no reason", lines("HTTP/1.1 200", "A: b") + text, message.CloseDelimited},
		{"SHOUTcast", lines("ICY 200 OK", "A: b") + text, message.CloseDelimited},
		{"HTTP/0.9", text, message.HTTP09},
	} {
		for _, at := range []int{len(c.data), 1, 9, 20, len(c.data) - 20} {
			d := protocoltest.Run(protocolOf(), []seg{protocoltest.Segment{Data: lines("GET / HTTP/1.1", "Host: x")}, s(c.data[:at]), fin(s(c.data[at:]))})
			d.Check(t)
			if d.Err != nil || len(d.Messages) < 2 {
				t.Errorf("%s: %d messages, error %v", c.name, len(d.Messages), d.Err)
				break
			}
			m := d.Messages[1]
			if string(m.Body) != text || m.Marks&c.marks != c.marks || c.marks == 0 && m.Marks != 0 {
				t.Errorf("%s: body %q, marks %v", c.name, m.Body, m.Marks.Names(nil))
			}
			if m.Marks&message.Incomplete == 0 && m.Size != int64(len(text)) {
				t.Errorf("%s: size %d", c.name, m.Size)
			}
		}
	}
}

// TestRequests reads requests that few send.
func TestRequests(t *testing.T) {
	for _, c := range []struct {
		data, op, target, version string
		marks                     message.Mark
	}{
		{lines("PROPFIND /dav HTTP/1.1", "Depth: 1"), "PROPFIND", "/dav", "1.1", 0},
		{lines("QUERY /q HTTP/1.1", "Content-Length: 0"), "QUERY", "/q", "1.1", 0},
		{lines("get / HTTP/1.0"), "get", "/", "1.0", 0},
		{lines("OPTIONS * HTTP/1.1"), "OPTIONS", "*", "1.1", 0},
		{lines("GET http://a.example:81/x HTTP/1.1"), "GET", "http://a.example:81/x", "1.1", 0},
		{lines("GET /a b HTTP/1.1"), "GET", "/a b", "1.1", message.BadHeader},
		{lines("GET  /a  HTTP/1.1"), "GET", "/a", "1.1", message.BadHeader},
		{lines("GET /HTTP/1.1", "Host: x"), "GET", "/HTTP/1.1", "", message.BadHeader},
		{lines("X!#$%&'*+-.^_`|~9 / HTTP/1.1"), "X!#$%&'*+-.^_`|~9", "/", "1.1", 0},
		{"GET /simple\r\n", "GET", "/simple", "0.9", message.HTTP09},
		{lines("GET / HTTP/1.1", "A: b", "C d"), "GET", "/", "1.1", message.BadHeader},
		{lines("GET / HTTP/1.1", "A: b\x00"), "GET", "/", "1.1", message.BadHeader},
	} {
		d := protocoltest.Run(protocolOf(), []seg{protocoltest.Segment{Data: c.data}})
		d.Check(t)
		if d.Err != nil || len(d.Messages) != 1 {
			t.Errorf("%q: %d messages, %v", c.data, len(d.Messages), d.Err)
			continue
		}
		if m := d.Messages[0]; m.Op != c.op || m.Target != c.target || m.Version != c.version || m.Marks != c.marks {
			t.Errorf("%q: %q %q %q %v", c.data, m.Op, m.Target, m.Version, m.Marks.Names(nil))
		}
	}
}

// A line that begins with a blank continues no field of another block: neither
// where the head begins with it nor where the trailer does (RFC 9112 section
// 5.2). Later ones in the trailer continue what it holds.
func TestLeadingContinuation(t *testing.T) {
	for _, c := range []struct {
		trailer string
		want    []string
		marks   message.Mark
	}{
		{" B: c\r\n", []string{"Transfer-Encoding=chunked", "A=b", "B=c"}, message.BadHeader},
		{"\tmore\r\n", []string{"Transfer-Encoding=chunked", "A=b", "\tmore="}, message.BadHeader},
		{"C: d\r\n more\r\n", []string{"Transfer-Encoding=chunked", "A=b", "C=d more"}, message.FoldedHeader},
	} {
		m := answer(t, DefaultConfig(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n1\r\nx\r\n0\r\n"+c.trailer+"\r\n")
		var got []string
		for _, f := range m.Fields {
			got = append(got, f.Name+"="+f.Value)
		}
		if !slices.Equal(got, c.want) || m.Marks != c.marks {
			t.Errorf("%q: %q, %v", c.trailer, got, m.Marks.Names(nil))
		}
	}
}

// TestFields reads field lines.
func TestFields(t *testing.T) {
	d := protocoltest.Run(protocolOf(), []seg{protocoltest.Segment{
		Data: "POST / HTTP/1.1\r\nA:1\r\nB:  two words \t\r\nC:\r\nA: again\r\nD: one\r\n\ttwo\r\n three\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nE: trailer\r\n\r\n"}})
	d.Check(t)
	if len(d.Messages) != 1 {
		t.Fatalf("%d messages", len(d.Messages))
	}
	m := d.Messages[0]
	var got []string
	for _, f := range m.Fields {
		got = append(got, f.Name+"="+f.Value)
	}
	want := []string{"A=1", "B=two words", "C=", "A=again", "D=one two three", "Transfer-Encoding=chunked", "E=trailer"}
	if !slices.Equal(got, want) {
		t.Errorf("fields %q", got)
	}
}

// What a trailer field weighs that goes on over lines does not grow with each of
// them by all that came before.
func TestFoldedTrailerWeighs(t *testing.T) {
	head := "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	lines := "E: one\r\n two\r\n three\r\n four\r\nF: x\r\n five\r\n"
	d := protocoltest.Run(protocolOf(), []seg{protocoltest.Segment{Data: head + "0\r\n" + lines + "\r\n"}})
	d.Check(t)
	m := d.Messages[0]
	const values = "one two three four" + "x five"
	if want := len(head) + len(lines) + strings.Count(lines, "\n") + len(values); int(m.Head) != want {
		t.Errorf("the head holds %d bytes, want %d", m.Head, want)
	}
}

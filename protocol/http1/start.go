package http1

import (
	"bytes"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/protocol"
)

// firstLine bounds how far a probe looks for the end of a start line.
const firstLine = 8 << 10

// methodLimit bounds the length of a method that a probe believes.
const methodLimit = 32

// tokens has a 1 for each character that may stand in a token (RFC 9110 section
// 5.6.2), in rows of 16.
const tokens = "" +
	"0000000000000000" +
	"0000000000000000" +
	"0101111100110110" +
	"1111111111000000" +
	"0111111111111111" +
	"1111111111100011" +
	"1111111111111111" +
	"1111111111101010" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000"

func isToken(c byte) bool { return tokens[c] == '1' }

// probe tells whether a side's first bytes are HTTP/1.x.
func probe(head []byte, from flow.Side) protocol.Match {
	head = skipBlank(head)
	if len(head) == 0 {
		return protocol.More
	}
	request, answer := startsRequest(head), startsAnswer(head)
	if !asks(from) {
		request, answer = answer, request
	}
	switch {
	case request == protocol.Yes:
		return protocol.Yes
	case answer == protocol.Yes:
		return protocol.Reversed
	case request == protocol.More || answer == protocol.More:
		return protocol.More
	}
	return protocol.No
}

// skipBlank returns b without the empty lines at its front that a reader
// ignores (RFC 9112 section 2.2).
func skipBlank(b []byte) []byte {
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// startsAnswer tells whether b begins with a status line.
func startsAnswer(b []byte) protocol.Match {
	const http = "HTTP/1."
	n := min(len(b), len(http))
	if string(b[:n]) != http[:n] {
		if n = min(len(b), 4); string(b[:n]) != "ICY "[:n] {
			return protocol.No
		}
		if len(b) < 7 {
			return protocol.More
		}
		return yes(digits(b[4:7]))
	}
	if len(b) < 12 {
		return protocol.More
	}
	if !digit(b[7]) || b[8] != ' ' || !digits(b[9:12]) {
		return protocol.No
	}
	if len(b) == 12 {
		return protocol.More
	}
	return yes(b[12] == ' ' || b[12] == '\r' || b[12] == '\n')
}

// startsRequest tells whether b begins with a request line: a method, a target
// and the version, in one line, or the simple line of HTTP/0.9.
func startsRequest(b []byte) protocol.Match {
	i := 0
	for i < len(b) && isToken(b[i]) {
		i++
	}
	if i == 0 || i > methodLimit {
		return protocol.No
	}
	if i == len(b) {
		return protocol.More
	}
	if b[i] != ' ' {
		return protocol.No
	}
	line := b[:min(len(b), firstLine)]
	e := bytes.IndexByte(line, '\n')
	if e < 0 {
		if len(b) >= firstLine {
			return yes(knownMethod(b[:i]))
		}
		if rest := bytes.TrimLeft(b[i:], " \t"); knownMethod(b[:i]) && len(rest) > 0 && (rest[0] == '/' || len(b) > 256) {
			return protocol.Yes
		}
		if bytes.IndexByte(line, 0) >= 0 {
			return protocol.No
		}
		return protocol.More
	}
	line = trimCR(line[:e])
	if v := lastVersion(line); v > i && knownMethod(b[:i]) {
		return yes(line[v+5] == '1')
	}
	return yes(requestLine(line) || simpleRequest(line))
}

// requestLine tells whether a line is a whole and exact request line.
func requestLine(line []byte) bool {
	line = trimCR(line)
	n := len(line) - len(" HTTP/1.1")
	if n < 3 || string(line[n:n+8]) != " HTTP/1." || !digit(line[n+8]) {
		return false
	}
	sp := bytes.IndexByte(line[:n], ' ')
	if sp <= 0 || sp > methodLimit || sp+1 == n || methodEnd(line[:sp]) {
		return false
	}
	for _, c := range line[:sp] {
		if !isToken(c) {
			return false
		}
	}
	for _, c := range line[sp+1 : n] {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// knownMethod tells whether a word is a method that no other protocol uses in
// this place.
func knownMethod(b []byte) bool {
	switch string(b) {
	case "GET", "POST", "PUT", "HEAD", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
		"PROPFIND", "PROPPATCH", "MKCOL", "REPORT", "SEARCH", "QUERY":
		return true
	}
	return false
}

// methodEnd tells whether a word is the end of a known method that is no method
// itself: what a gap inside of a request line leaves.
func methodEnd(b []byte) bool {
	const known = " GET POST PUT HEAD PATCH DELETE OPTIONS CONNECT TRACE PROPFIND PROPPATCH MKCOL REPORT SEARCH QUERY "
	if len(b) >= len("PROPPATCH") || knownMethod(b) {
		return false
	}
	var word [16]byte
	n := copy(word[:], b)
	word[n] = ' '
	return bytes.Contains([]byte(known), word[:n+1])
}

func yes(b bool) protocol.Match {
	if b {
		return protocol.Yes
	}
	return protocol.No
}

func digit(c byte) bool { return c-'0' <= 9 }

func digits(b []byte) bool {
	for _, c := range b {
		if !digit(c) {
			return false
		}
	}
	return true
}

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

package http1

import (
	"errors"
	"strings"

	"github.com/passiflow/passiflow/message"
)

// coding is one content or transfer coding.
type coding uint8

const (
	identity coding = iota
	gzipped
	deflated
	brotlied
	zstded
	unknown // one that cannot be undone
)

// codings are the codings of a body in the order they were applied.
type codings struct {
	n    uint8
	list [6]coding
}

var (
	errBomb    = errors.New("body decompresses to more than its bound")
	errUnknown = errors.New("unknown content coding")
)

// add appends the codings of a field value.
func (c *codings) add(value string) {
	for more := true; more; {
		var v string
		v, value, more = strings.Cut(value, ",")
		c.push(codingOf(trimCoding(v)))
	}
}

func (c *codings) push(x coding) {
	switch {
	case x == identity:
	case int(c.n) == len(c.list):
		c.list[c.n-1] = unknown
	default:
		c.list[c.n] = x
		c.n++
	}
}

func codingOf(s string) coding {
	switch {
	case s == "", message.EqualFold(s, "identity"):
		return identity
	case message.EqualFold(s, "gzip"), message.EqualFold(s, "x-gzip"):
		return gzipped
	case message.EqualFold(s, "deflate"), message.EqualFold(s, "x-deflate"):
		return deflated
	case message.EqualFold(s, "br"):
		return brotlied
	case message.EqualFold(s, "deflated"), message.EqualFold(s, "zlib"): // not registered, but sent
		return deflated
	case message.EqualFold(s, "zstd"):
		return zstded
	}
	return unknown
}

// trimCoding takes parameters, and around the name of a coding whatever no name
// has, off it, as browsers do.
func trimCoding(s string) string {
	if i := strings.IndexByte(s, ';'); i >= 0 {
		s = s[:i]
	}
	for len(s) > 0 && !alphanumeric(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && !alphanumeric(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func alphanumeric(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

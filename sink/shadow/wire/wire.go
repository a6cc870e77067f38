// Package wire puts recorded HTTP requests on the wire again and reads what
// they are answered.
//
// A request is sent as it was recorded: method, target, version and header
// fields in their order and spelling. Only what frames the body is made anew,
// because a record holds the body without chunks and compression: a body that
// was chunked is chunked again, one that was compressed is compressed again with
// the same coding, and anything else gets its Content-Length.
package wire

import (
	"slices"
	"strings"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

// Refusal says why a recorded request is not sent.
type Refusal string

// The reasons; Sendable is none.
const (
	Sendable     Refusal = ""
	NoRequest    Refusal = "no request"     // an answer alone
	NotHTTP      Refusal = "not http"       // of another protocol, or HTTP/0.9
	UnsafeMethod Refusal = "unsafe method"  // it may change something, and that was not asked for
	Connect      Refusal = "connect"        // it would open a tunnel
	Incomplete   Refusal = "incomplete"     // bytes of it were not captured
	CutBody      Refusal = "body truncated" // the record holds only a part of its body
	Masked       Refusal = "masked"         // something in it was hidden when it was recorded
	BadEncoding  Refusal = "bad encoding"   // its body could not be decompressed
	Malformed    Refusal = "malformed"      // it cannot be written without becoming another one
)

// Refusals lists the reasons, without Sendable.
func Refusals() []Refusal {
	return []Refusal{NoRequest, NotHTTP, UnsafeMethod, Connect, Incomplete, CutBody, Masked, BadEncoding, Malformed}
}

// SafeMethods returns the methods that by their definition change nothing
// (RFC 9110 section 9.2.1).
func SafeMethods() []string { return []string{"GET", "HEAD", "OPTIONS", "TRACE"} }

// Safe tells whether a request of this method may be sent twice where nobody
// knows what became of the first one.
func Safe(method string) bool { return slices.Contains(SafeMethods(), method) }

// Config says which requests are sent and what is changed in them.
type Config struct {
	// Methods are the methods that are sent. Default SafeMethods.
	Methods []string
	// Unsafe sends whatever the method is. Default false.
	Unsafe bool
	// AsIs also sends requests that are masked, or whose body is only in part
	// known or could not be decompressed, with what the record holds. Default
	// false.
	AsIs bool
	// Host replaces the Host field. Default: as recorded.
	Host string
	// Remove names header fields that are left out, before Replace and Set.
	Remove []string
	// Replace changes values of header fields.
	Replace []HeaderRule
	// Set sets header fields to a value, whether they are there or not.
	Set []message.Field
	// Targets change the request target, one after the other.
	Targets []Rule
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Methods: SafeMethods()} }

// Refuse returns why the request of x is not sent.
func (c *Config) Refuse(x *message.Exchange) Refusal {
	m := x.Request
	switch {
	case m == nil:
		return NoRequest
	case x.Protocol != "http" && x.Protocol != "http2" || m.Version == "0.9" || m.Marks&message.HTTP09 != 0:
		return NotHTTP
	case m.Op == "CONNECT":
		return Connect
	case m.Marks&message.Incomplete != 0:
		return Incomplete
	case !c.wanted(m):
		return UnsafeMethod
	}
	if !c.AsIs {
		switch {
		case hidden(m):
			return Masked
		case m.Marks&message.BodyTruncated != 0 || m.Size >= 0 && m.Size != int64(len(m.Body)):
			return CutBody
		case m.Marks&(message.BadEncoding|message.Bomb) != 0:
			return BadEncoding
		}
	}
	return Sendable
}

// wanted tells whether the methods of m may be sent: that in its first line,
// and those in fields that servers obey in its place.
func (c *Config) wanted(m *message.Message) bool {
	if c.Unsafe {
		return true
	}
	if !slices.Contains(c.Methods, m.Op) {
		return false
	}
	for _, f := range m.Fields {
		switch strings.ToLower(f.Name) {
		case "x-http-method-override", "x-http-method", "x-method-override":
			if !slices.Contains(c.Methods, strings.ToUpper(strings.TrimSpace(f.Value))) {
				return false
			}
		}
	}
	return true
}

// hidden tells whether a mask has been at m.
func hidden(m *message.Message) bool {
	if rule.Masked(m.Target) || rule.Masked(m.Body) {
		return true
	}
	for _, f := range m.Fields {
		if rule.Masked(f.Value) {
			return true
		}
	}
	return false
}

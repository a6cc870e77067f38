// Package messages writes each half of an exchange as a message of its own, in
// the shape that receivers of TCP Sniffer know: receiver, destination,
// direction, and what HTTP said. One JSON object a line.
package messages

import (
	"strings"
	"unicode/utf8"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// Config is what can be set: nothing.
type Config struct{}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{} }

// New returns the format.
func New(Config) format.Format { return messages{} }

type messages struct{}

// ContentType returns the media type of NDJSON; a single line is JSON.
func (messages) ContentType() string { return "application/x-ndjson" }

// Append appends a line for each half of x, in the order in which they were
// said. What is not HTTP has no such shape and gives none.
func (messages) Append(dst []byte, x *message.Exchange) []byte {
	if x.Protocol != "http" || x.Flow == nil {
		return dst
	}
	if x.Request != nil {
		dst = appendMessage(dst, x.Flow, x.Request, true)
	}
	for _, m := range x.Interim {
		dst = appendMessage(dst, x.Flow, m, false)
	}
	if x.Response != nil {
		dst = appendMessage(dst, x.Flow, x.Response, false)
	}
	return dst
}

func appendMessage(dst []byte, f *flow.Flow, m *message.Message, request bool) []byte {
	dst = append(dst, `{"receiver":{"ip":`...)
	dst = format.AppendEnd(dst, f.Server)
	dst = append(dst, `},"destination":{"ip":`...)
	dst = format.AppendEnd(dst, f.Client)
	if request {
		dst = append(dst, `},"direction":"request","method":`...)
		dst = format.AppendText(dst, m.Op)
		dst = append(dst, `,"path":`...)
		dst = format.AppendText(dst, m.Target)
	} else {
		dst = append(dst, `},"direction":"response"`...)
		if status(m.Status) {
			dst = append(dst, `,"statusCode":`...)
			dst = append(dst, m.Status...)
		}
	}
	dst = append(dst, `,"headers":`...)
	dst = appendHeaders(dst, m.Fields)
	if body := format.Body(m); len(body) > 0 {
		if utf8.Valid(body) {
			dst = append(dst, `,"body":`...)
			dst = format.AppendQuoted(dst, body)
		} else {
			dst = append(dst, `,"bodyEncoding":"binary"`...)
		}
	}
	if m.Marks&(message.BodyTruncated|message.Incomplete|message.Bomb) != 0 || m.Lost > 0 {
		dst = append(dst, `,"bodyTruncated":true`...)
	}
	dst = append(dst, `,"timestamp":"`...)
	dst = m.Start.Time().UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	return append(dst, '"', '}', '\n')
}

// status tells whether s is a number as JSON writes it.
func status(s string) bool {
	if len(s) != 3 || s[0] == '0' {
		return false
	}
	return s[0]-'0' <= 9 && s[1]-'0' <= 9 && s[2]-'0' <= 9
}

// few is how many fields are compared pair by pair; a hostile head has
// thousands.
const few = 48

// appendHeaders appends an object in which the last value of a name stands, at
// the place where it came.
func appendHeaders(dst []byte, fields []message.Field) []byte {
	dst = append(dst, '{')
	sep := false
	var last map[string]int
	if len(fields) > few {
		last = make(map[string]int, len(fields))
		for i := range fields {
			last[strings.ToLower(fields[i].Name)] = i
		}
	}
	for i := range fields {
		name := fields[i].Name
		if last != nil && last[strings.ToLower(name)] != i || last == nil && named(fields[i+1:], name) {
			continue
		}
		if sep {
			dst = append(dst, ',')
		}
		sep = true
		dst = format.AppendLower(dst, name)
		dst = append(dst, ':')
		dst = format.AppendText(dst, fields[i].Value)
	}
	return append(dst, '}')
}

func named(fields []message.Field, name string) bool {
	for i := range fields {
		if message.EqualFold(fields[i].Name, name) {
			return true
		}
	}
	return false
}

// Package resurface writes exchanges as Resurface takes them in: one line of
// NDJSON for each request with its answer, an array of pairs of a key and a
// value, after the logging rules of that product. docs/guides/resurface.md says
// where its documents and its programs differ, and which of them this follows.
package resurface

import (
	"bytes"
	"fmt"
	"os"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// Config is what can be set.
type Config struct {
	// Rules is text in the rules language, one rule a line, or file:// and the
	// path of a file that holds it. Blank: the predefined set strict, which keeps
	// method, URL, status, times and three headers.
	Rules string
	// Name is what errors call Rules. Default "rules"
	Name string
	// Host is the value of the pair host, which no rule sees. Default: the name
	// of the machine, or else "unknown"
	Host string
	// ClientHeader is the name of a request header to put the client's address
	// in, in place of one of that name that was sent. Default: none
	ClientHeader string
	// BodyLimit is how many bytes of a body are written. Default 1 MiB
	BodyLimit int
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Name: "rules", Host: hostName(), BodyLimit: 1 << 20}
}

func hostName() string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "unknown"
}

// New reads the rules and returns the format; an error tells line and column.
// Append returns dst as it is for a record that the rules drop, that has no
// answer or that is no HTTP.
//
// The format is a rule.Rule as well: Apply decides about a record and leaves of
// it what may be sent, in place of its content, for Append to write as it is. An
// output that has the rules run there keeps nothing in its queue and spool that
// they remove.
//
// Both may be called by several goroutines. The format has three more methods:
// AllowHTTP, SkipCompression and SkipSubmission tell what the rules say about
// sending; Rules, how many there are; Dropped, what was dropped until now, by
// reason.
func New(c Config) (format.Format, error) {
	def := DefaultConfig()
	if c.Name == "" {
		c.Name = def.Name
	}
	if c.Host == "" {
		c.Host = def.Host
	}
	if c.BodyLimit <= 0 {
		c.BodyLimit = def.BodyLimit
	}
	rules, err := parse(c.Name, c.Rules)
	if err != nil {
		return nil, fmt.Errorf("resurface rules: %w", err)
	}
	return newEncoder(c, rules), nil
}

// ready is the protocol of a record that Apply left: the body of its request is
// the line to send.
const ready = "resurface"

func (e *encoder) ContentType() string { return "application/ndjson; charset=UTF-8" }

// Append implements format.Format.
func (e *encoder) Append(dst []byte, x *message.Exchange) []byte {
	if x.Protocol == ready {
		if x.Request != nil {
			dst = append(dst, x.Request.Body...)
		}
		return dst
	}
	w := e.room.Get().(*work)
	defer e.put(w)
	dst, why := e.line(dst, x, w)
	e.dropped[why].Add(1)
	return dst
}

// Apply implements rule.Rule.
func (e *encoder) Apply(x *message.Exchange) (keep bool) {
	w := e.room.Get().(*work)
	defer e.put(w)
	var why reason
	w.line, why = e.line(w.line[:0], x, w)
	e.dropped[why].Add(1)
	if why != sent {
		return false
	}
	line := bytes.Clone(w.line)
	first := x.Request
	x.Request = &message.Message{
		From: first.From, Start: first.Start, End: first.End, Begin: first.Begin, Stop: first.Stop, Index: first.Index,
		Body: line, Size: int64(len(line)), WireSize: -1,
	}
	x.Protocol, x.Response, x.Interim, x.Half = ready, nil, nil, message.LoneMessage
	return true
}

// AllowHTTP tells whether the capture URL may be one without TLS.
func (e *encoder) AllowHTTP() bool { return e.rules.allowHTTP }

// SkipCompression tells whether bodies are to be sent as they are.
func (e *encoder) SkipCompression() bool { return e.rules.skipCompression }

// SkipSubmission tells whether nothing is to be sent.
func (e *encoder) SkipSubmission() bool { return e.rules.skipSubmission }

// Rules tells how many rules there are.
func (e *encoder) Rules() int { return e.rules.count }

// Dropped tells what was dropped until now, by reason.
func (e *encoder) Dropped() map[string]uint64 {
	all := map[string]uint64{}
	for why := sent + 1; why < reasons; why++ {
		all[why.String()] = e.dropped[why].Load()
	}
	return all
}

// Package json writes records as NDJSON, version 1: one JSON object a line
// (docs/reference/record.md). It is written by hand because this is where most
// of the program's time goes: it allocates nothing but the room it appends to.
package json

import (
	"maps"
	"slices"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// Config is what can be set.
type Config struct {
	// Labels go into each record as they are, such as the name of the host.
	// Default: none.
	Labels map[string]string
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{} }

// New returns the format. It keeps room of its own between records, so each
// goroutine needs one of its own.
func New(c Config) format.Format {
	e := &encoder{}
	if len(c.Labels) > 0 {
		e.labels = append(e.labels, `,"labels":{`...)
		for i, k := range slices.Sorted(maps.Keys(c.Labels)) {
			if i > 0 {
				e.labels = append(e.labels, ',')
			}
			e.labels = appendString(e.labels, k)
			e.labels = append(e.labels, ':')
			e.labels = appendString(e.labels, c.Labels[k])
		}
		e.labels = append(e.labels, '}')
	}
	return e
}

type encoder struct {
	clock  clock
	labels []byte // ready to be appended
	order  []int  // of many header names
	next   []int
}

func (e *encoder) ContentType() string { return "application/x-ndjson" }

// Append appends one line for x.
func (e *encoder) Append(dst []byte, x *message.Exchange) []byte {
	if x.Summary != nil {
		return e.appendFlow(dst, x.Summary)
	}
	return e.appendExchange(dst, x)
}

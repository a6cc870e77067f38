// Package webhook posts records to an address by HTTP.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// Batch says how records share requests.
type Batch string

// The ways.
const (
	Each  Batch = "each"  // each line that the format makes is a request of its own
	Array Batch = "array" // a JSON array of them
	Lines Batch = "lines" // one line each (NDJSON)
)

// Config is what can be set.
type Config struct {
	// Post says where to and how: address, token, headers, TLS, timeout,
	// compression.
	Post sink.PostConfig
	// Batch says how records share requests. Default Array.
	Batch Batch
	// Concurrency is how many requests are under way at once with Each, so that
	// a distant receiver keeps up; more than 1 means that records may overtake
	// each other. Default 1; at most 64.
	Concurrency int
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Post: sink.DefaultPostConfig(), Batch: Array, Concurrency: 1}
}

// New returns a sink that posts what f makes of each record. It opens no
// connection yet.
func New(c Config, f format.Format) (sink.Sink, error) {
	w := &webhook{batch: c.Batch, format: f, kind: f.ContentType()}
	w.lines = strings.HasPrefix(w.kind, "application/x-ndjson")
	switch {
	case c.Batch != Each && c.Batch != Array && c.Batch != Lines:
		return nil, fmt.Errorf("webhook: batch %q: must be each, array or lines", c.Batch)
	case c.Concurrency < 1 || c.Concurrency > maxConcurrency:
		return nil, fmt.Errorf("webhook: concurrency %d: must be between 1 and %d", c.Concurrency, maxConcurrency)
	case c.Batch == Array && !w.lines:
		return nil, fmt.Errorf("webhook: batch array: %s cannot stand in a JSON array: use each or lines", w.kind)
	}
	if w.lines && c.Batch != Lines {
		w.kind = "application/json"
	}
	p, err := sink.NewPoster(c.Post)
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	w.post = p
	w.lanes = make([]lane, c.Concurrency)
	return w, nil
}

type webhook struct {
	post   *sink.Poster
	batch  Batch
	format format.Format
	kind   string // media type of the bodies
	lines  bool   // the format writes lines of JSON
	buffer []byte // kept between batches
	lanes  []lane // for Each
	ahead  sink.Ahead
	closed bool
}

// maxConcurrency is what an idle connection is kept for.
const maxConcurrency = 64

// keep is the largest buffer that is kept, in bytes.
const keep = 8 << 20

func (w *webhook) Write(ctx context.Context, batch []*message.Exchange) error {
	if w.closed {
		return sink.Broken(errors.New("webhook: the sink is closed"))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.batch == Each {
		return w.each(ctx, batch)
	}
	size := len(batch)
	for done := 0; done < len(batch); {
		n := min(size, len(batch)-done)
		err := w.together(ctx, batch[done:done+n])
		switch {
		case err == nil:
			done += n
		case n > 1 && divides(err):
			// One record is to blame, or all together are too large: smaller
			// requests find out which.
			size = (n + 1) / 2
		case n > 1 && done == 0:
			return err // about all of them
		default:
			return sink.Partial(done, err)
		}
	}
	return nil
}

// divides tells whether the parts of a batch may fare better than the whole.
func divides(err error) bool {
	var s *sink.StatusError
	if !errors.As(err, &s) {
		return false
	}
	switch s.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// together posts batch as one request.
func (w *webhook) together(ctx context.Context, batch []*message.Exchange) error {
	b := w.room()
	if w.batch == Array {
		b = append(b, '[')
	}
	open := len(b)
	for _, x := range batch {
		at := len(b)
		b = w.format.Append(b, x)
		if w.batch == Array {
			join(b[at:])
		}
	}
	if len(b) == open {
		return nil
	}
	if w.batch == Array {
		b[len(b)-1] = ']' // in place of the last comma
	}
	w.buffer = b
	_, err := w.post.Post(ctx, w.kind, b)
	return err
}

// join turns the ends of lines into commas: inside JSON no raw line end occurs.
func join(lines []byte) {
	for i, c := range lines {
		if c == '\n' {
			lines[i] = ','
		}
	}
}

func (w *webhook) room() []byte {
	if cap(w.buffer) > keep {
		w.buffer = nil
	}
	return w.buffer[:0]
}

func (w *webhook) Close(context.Context) error {
	if !w.closed {
		w.closed = true
		w.buffer, w.lanes, w.ahead = nil, nil, sink.Ahead{}
		w.post.Close()
	}
	return nil
}

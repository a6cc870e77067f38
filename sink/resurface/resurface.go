// Package resurface submits records to a Resurface database, in bundles of
// lines, as that product's own programs do. The rules that decide what is sent
// belong to the format.
package resurface

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/klauspost/compress/zlib"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// Config is what can be set.
type Config struct {
	// Post says where to and how: the capture URL, TLS, timeout. Gzip is left
	// out of account: the format's rules say whether bodies are compressed.
	Post sink.PostConfig
	// Bundle is how many bytes of lines go into one request, about; a longer
	// line has one of its own. Default 5 MiB
	Bundle int
	// Discard sends nothing, and needs no URL. Default false
	Discard bool
	// Log takes what the rules have dropped, at the end; nil is silent.
	Log *slog.Logger
}

// DefaultConfig returns the defaults. A bundle may take a receiver that writes
// it to disk a while, so that the timeout is 30 s.
func DefaultConfig() Config {
	c := Config{Post: sink.DefaultPostConfig(), Bundle: 5 << 20}
	c.Post.Timeout = 30 * time.Second
	return c
}

// terms are what a format may say about sending: that of Resurface has rules
// about it.
type terms interface {
	AllowHTTP() bool
	SkipCompression() bool
	SkipSubmission() bool
	Dropped() map[string]uint64
}

// New returns a sink that submits what f makes of each record. It opens no
// connection yet. A capture URL without TLS is an error unless f allows it.
func New(c Config, f format.Format) (sink.Sink, error) {
	s := &resurface{format: f, bundle: c.Bundle, log: c.Log}
	if s.bundle <= 0 {
		s.bundle = DefaultConfig().Bundle
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	allow := true
	if t, ok := f.(terms); ok {
		s.terms = t
		allow, s.plain, s.discard = t.AllowHTTP(), t.SkipCompression(), t.SkipSubmission()
	}
	if s.discard {
		s.log.Warn("the rule skip_submission is set: nothing is sent")
	}
	if s.discard = s.discard || c.Discard; s.discard {
		return s, nil
	}
	c.Post.Gzip = false
	c.Post.Retry, c.Post.Taken = retry, taken
	if !s.plain {
		c.Post.Headers = maps.Clone(c.Post.Headers)
		if c.Post.Headers == nil {
			c.Post.Headers = map[string]string{}
		}
		// So the receiver calls zlib (RFC 1950); it is no registered name.
		c.Post.Headers["Content-Encoding"] = "deflated"
	}
	p, err := sink.NewPoster(c.Post)
	if err != nil {
		return nil, fmt.Errorf("resurface: %w", err)
	}
	if u, err := url.Parse(c.Post.URL); !allow && (err != nil || u.Scheme != "https") {
		p.Close()
		return nil, fmt.Errorf("resurface: %s would carry what was captured in the clear: use https, or allow it with a line allow_http_url in the rules", p.Place())
	}
	s.post = p
	return s, nil
}

// taken is how a receiver says that it has a bundle: with this status and no
// other. Others of success come from something else at that address.
func taken(status int) bool { return status == http.StatusNoContent }

// retry leaves out the statuses that say that it is the bundle that is wrong.
// With any other, such as that of an address that is not served yet, the
// records wait rather than be lost.
func retry(status int) bool { return !divides(status) && status != http.StatusUnsupportedMediaType }

// divides tells whether the parts of a bundle may fare better than the whole.
func divides(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

type resurface struct {
	post    *sink.Poster
	format  format.Format
	terms   terms // nil where the format has none
	bundle  int
	plain   bool
	discard bool
	log     *slog.Logger
	closed  bool

	lines  []byte // of the batch
	ends   []int  // of each record in lines
	packed bytes.Buffer
	zlib   *zlib.Writer
}

// Write implements sink.Sink. Records that the rules drop count as delivered.
func (s *resurface) Write(ctx context.Context, batch []*message.Exchange) error {
	if s.closed {
		return sink.Broken(errors.New("resurface: the sink is closed"))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for done := 0; done < len(batch); {
		n := s.fill(batch[done:])
		sent, err := s.send(ctx, n)
		if err != nil {
			return sink.Partial(done+sent, err)
		}
		done += n
	}
	return nil
}

// fill makes the lines of the next bundle and returns of how many records.
func (s *resurface) fill(batch []*message.Exchange) (n int) {
	if cap(s.lines) > keep {
		s.lines = nil
	}
	s.lines, s.ends = s.lines[:0], append(s.ends[:0], 0)
	for n < len(batch) && (n == 0 || len(s.lines) < s.bundle) {
		s.lines = s.format.Append(s.lines, batch[n])
		s.ends = append(s.ends, len(s.lines))
		n++
	}
	return n
}

// send submits the lines of the first n records. Where they are refused
// together, smaller bundles find out which of them it is.
func (s *resurface) send(ctx context.Context, n int) (sent int, err error) {
	size := n
	for sent < n {
		to := min(sent+size, n)
		err := s.submit(ctx, s.lines[s.ends[sent]:s.ends[to]])
		var answer *sink.StatusError
		switch {
		case err == nil:
			sent = to
		case to-sent > 1 && errors.As(err, &answer) && divides(answer.Status):
			size = (to - sent + 1) / 2
		default:
			return sent, err
		}
	}
	return sent, nil
}

func (s *resurface) submit(ctx context.Context, lines []byte) error {
	if len(lines) == 0 || s.discard {
		return nil
	}
	if !s.plain {
		lines = s.pack(lines)
	}
	_, err := s.post.Post(ctx, s.format.ContentType(), lines)
	return err
}

// keep is how much room is kept for the next bundle, in bytes.
const keep = 16 << 20

// pack compresses lines into room that is kept.
func (s *resurface) pack(lines []byte) []byte {
	if s.packed.Cap() > keep {
		s.packed = bytes.Buffer{}
	}
	s.packed.Reset()
	if s.zlib == nil {
		s.zlib = zlib.NewWriter(&s.packed)
	} else {
		s.zlib.Reset(&s.packed)
	}
	_, _ = s.zlib.Write(lines) // into memory
	_ = s.zlib.Close()
	return s.packed.Bytes()
}

// Close implements sink.Sink.
func (s *resurface) Close(context.Context) error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.lines, s.zlib, s.packed = nil, nil, bytes.Buffer{}
	if s.post != nil {
		s.post.Close()
	}
	if s.terms != nil {
		var attrs []any
		dropped := s.terms.Dropped()
		for _, why := range slices.Sorted(maps.Keys(dropped)) {
			if n := dropped[why]; n > 0 {
				attrs = append(attrs, why, n)
			}
		}
		if attrs != nil {
			s.log.Info("not submitted, by the rules or for want of an answer", attrs...)
		}
	}
	return nil
}

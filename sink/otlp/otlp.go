// Package otlp delivers spans to an OpenTelemetry collector, by OTLP over HTTP
// in JSON (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
package otlp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// Config is what can be set.
type Config struct {
	// Post says where to and how. An address without a path stands for its
	// /v1/traces. Bodies are compressed by default.
	Post sink.PostConfig
	// Service is the service.name of spans whose port has none in Services.
	// Default "unknown_service", which the conventions want.
	Service string
	// Services are the service.name of spans by the port of the server, as
	// "8080". Default: none.
	Services map[string]string
	// Resource are more attributes of every resource, such as
	// deployment.environment.name. Default: none.
	Resource map[string]string
	// Version of the program, for the scope of the spans.
	Version string
	// Log is told what a collector says it did not take. nil: nobody is.
	Log *slog.Logger
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	c := Config{Post: sink.DefaultPostConfig(), Service: "unknown_service"}
	c.Post.Gzip = true
	c.Post.Retry = retryLater
	return c
}

// retryLater tells which answers the protocol lets a client try again after.
func retryLater(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

const (
	path = "/v1/traces"
	// schema is where the conventions stand that the names of attributes follow.
	schema = "https://opentelemetry.io/schemas/1.26.0"
	// keep is the largest buffer that is kept, in bytes.
	keep = 8 << 20
)

// New returns a sink that posts what f makes of each record: one span in JSON,
// or nothing. It opens no connection yet.
func New(c Config, f format.Format) (sink.Sink, error) {
	if u, err := url.Parse(c.Post.URL); err == nil && (u.Path == "" || u.Path == "/") && u.Host != "" {
		u.Path = path
		c.Post.URL = u.String()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &spans{format: f, log: c.Log, ports: map[uint16]int{}}
	s.tail = []byte(`]}],"schemaUrl":"` + schema + `"}`)
	s.add(c.Service, &c)
	names := map[string]int{c.Service: 0}
	for _, port := range slices.Sorted(maps.Keys(c.Services)) {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("otlp: services: %q is not a port", port)
		}
		name := c.Services[port]
		if name == "" {
			return nil, fmt.Errorf("otlp: services: port %s has no name", port)
		}
		at, known := names[name]
		if !known {
			at = len(s.groups)
			names[name] = at
			s.add(name, &c)
		}
		s.ports[uint16(n)] = at
	}
	var err error
	if s.post, err = sink.NewPoster(c.Post); err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	return s, nil
}

type spans struct {
	post   *sink.Poster
	format format.Format
	log    *slog.Logger
	ports  map[uint16]int // where in groups
	groups []group
	tail   []byte // behind the spans of a group
	buffer []byte
	warned time.Time
	closed bool
}

// group is the spans of one resource.
type group struct {
	head  []byte // before its spans
	spans []byte
}

// add makes the group of a service.
func (s *spans) add(service string, c *Config) {
	b := append([]byte(`{"resource":{"attributes":[`), `{"key":"service.name","value":{"stringValue":`...)
	b = append(format.AppendQuoted(b, service), '}', '}')
	for _, key := range slices.Sorted(maps.Keys(c.Resource)) {
		if key == "service.name" {
			continue
		}
		b = append(b, `,{"key":`...)
		b = format.AppendQuoted(b, key)
		b = append(b, `,"value":{"stringValue":`...)
		b = append(format.AppendQuoted(b, c.Resource[key]), '}', '}')
	}
	b = append(b, `]},"scopeSpans":[{"scope":{"name":"passiflow","version":`...)
	b = format.AppendQuoted(b, c.Version)
	b = append(b, `},"schemaUrl":"`+schema+`","spans":[`...)
	s.groups = append(s.groups, group{head: b})
}

// Write implements sink.Sink.
func (s *spans) Write(ctx context.Context, batch []*message.Exchange) error {
	if s.closed {
		return sink.Broken(errors.New("otlp: the sink is closed"))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	size := len(batch)
	rejected, why := 0, error(nil)
	for done := 0; done < len(batch); {
		n := min(size, len(batch)-done)
		err := s.send(ctx, batch[done:done+n])
		var status *sink.StatusError
		switch {
		case err == nil:
			done += n
		case n > 1 && errors.As(err, &status) && status.Status == http.StatusRequestEntityTooLarge:
			size = (n + 1) / 2
		case sink.IsPermanent(err) && !errors.As(err, &status):
			// Partly refused: what comes behind has not been tried.
			rejected, why = rejected+n-sink.Delivered(err), err
			done += n
		case rejected > 0:
			// An error tells of one thing alone. What comes behind comes again.
			s.log.Warn("the collector did not take all spans, and some of these count as written", "spans", rejected, "error", why)
			return sink.Partial(done, err)
		case done == 0 && n == len(batch):
			return err // about all of them
		default:
			return sink.Partial(done, err)
		}
	}
	return sink.PartlyRefused(len(batch)-rejected, why)
}

// send posts the spans of batch as one request.
func (s *spans) send(ctx context.Context, batch []*message.Exchange) error {
	count := s.collect(batch)
	if count == 0 {
		return nil
	}
	b := append(s.buffer[:0], `{"resourceSpans":[`...)
	for i := range s.groups {
		if g := &s.groups[i]; len(g.spans) > 0 {
			b = append(b, g.head...)
			b = append(b, g.spans[:len(g.spans)-1]...) // without the last comma
			b = append(b, s.tail...)
			b = append(b, ',')
		}
	}
	b[len(b)-1] = ']'
	b = append(b, '}')
	if s.buffer = b; cap(b) > keep {
		s.buffer = nil
	}
	answer, err := s.post.Post(ctx, "application/json", b)
	if err != nil {
		return err
	}
	return s.rejected(answer, count, len(batch))
}

// collect fills the groups and returns how many spans there are.
func (s *spans) collect(batch []*message.Exchange) (count int) {
	for i := range s.groups {
		g := &s.groups[i]
		if cap(g.spans) > keep {
			g.spans = nil
		}
		g.spans = g.spans[:0]
	}
	for _, x := range batch {
		at := 0
		if x.Flow != nil {
			at = s.ports[x.Flow.Server.Port()]
		}
		g := &s.groups[at]
		before := len(g.spans)
		if g.spans = s.format.Append(g.spans, x); len(g.spans) > before {
			g.spans = append(g.spans, ',')
			count++
		}
	}
	return count
}

// rejected reads what a collector says of a request that it took in part: what
// it left must not be sent again.
func (s *spans) rejected(answer []byte, count, records int) error {
	var a struct {
		PartialSuccess struct {
			RejectedSpans json.Number
			ErrorMessage  string
		}
	}
	if len(answer) == 0 || json.Unmarshal(answer, &a) != nil {
		return nil // taken; what else was answered nobody has to understand
	}
	n, err := a.PartialSuccess.RejectedSpans.Int64()
	if err == nil && n > 0 {
		n = min(n, int64(count))
		return sink.PartlyRefused(records-int(n), fmt.Errorf("%s: %d spans rejected: %.200q", s.post.Place(), n, a.PartialSuccess.ErrorMessage))
	}
	if a.PartialSuccess.ErrorMessage != "" && time.Since(s.warned) > time.Minute {
		s.warned = time.Now()
		s.log.Warn("the collector took all spans and warns", "message", fmt.Sprintf("%.200s", a.PartialSuccess.ErrorMessage))
	}
	return nil
}

// Close implements sink.Sink.
func (s *spans) Close(context.Context) error {
	if !s.closed {
		s.closed = true
		s.post.Close()
	}
	return nil
}

// Package otlp writes exchanges as spans of OpenTelemetry, in the JSON form of
// its protocol (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding),
// with the names of the stable semantic conventions for HTTP. The request around
// the spans is the sink's.
package otlp

import (
	"strconv"
	"strings"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// Config is what can be set.
type Config struct {
	// Client makes spans of the kind CLIENT, which stand for what the client saw.
	// Default false: SERVER.
	Client bool
	// Sampled leaves out requests whose traceparent says that their trace is not
	// recorded. Default false: they are written.
	Sampled bool
	// Headers are the names of request and answer headers to write as
	// http.request.header.NAME and http.response.header.NAME. Default: none.
	Headers []string
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{} }

// New returns the format. Append writes one span, a JSON object without a line
// end, and nothing for what is not HTTP.
func New(c Config) format.Format {
	s := &spans{client: c.Client, sampled: c.Sampled}
	for _, h := range c.Headers {
		s.headers = append(s.headers, strings.ToLower(h))
	}
	return s
}

type spans struct {
	client, sampled bool
	headers         []string
}

// The kinds of a span and the code of a failure, as the protocol numbers them.
const (
	kindServer  = "2"
	kindClient  = "3"
	statusError = `{"code":2}`
)

// Flags of a span beside those of its trace: whether its parent is known to
// stand in another process, and that it does.
const (
	flagKnown  = 0x100
	flagRemote = 0x200
)

// ContentType returns the media type of a span.
func (*spans) ContentType() string { return "application/json" }

// Append implements format.Format.
func (s *spans) Append(dst []byte, x *message.Exchange) []byte {
	first, last := x.Request, x.Response
	if first == nil {
		first = last
	}
	if last == nil {
		last = first
	}
	if x.Protocol != "http" || first == nil || x.Flow == nil {
		return dst
	}
	parent, traced := traceOf(x.Request)
	if traced && s.sampled && parent.flags&1 == 0 {
		return dst
	}
	self := identity(x, first)
	if !traced {
		parent.trace, parent.flags = self.trace, 1
	}
	dst = append(dst, `{"traceId":"`...)
	dst = append(dst, parent.trace[:]...)
	dst = append(dst, `","spanId":"`...)
	dst = append(dst, self.span[:]...)
	flags := uint64(parent.flags) | flagKnown
	if traced {
		flags |= flagRemote
		dst = append(dst, `","parentSpanId":"`...)
		dst = append(dst, parent.span[:]...)
		if parent.state != "" {
			dst = append(dst, `","traceState":`...)
			dst = format.AppendText(dst, parent.state)
			dst = dst[:len(dst)-1]
		}
	}
	dst = append(dst, `","flags":`...)
	dst = strconv.AppendUint(dst, flags, 10)
	kind := kindServer
	if s.client {
		kind = kindClient
	}
	method, known := methodOf(x.Request)
	name := method
	if !known {
		name = "HTTP"
	}
	dst = append(dst, `,"name":"`...)
	dst = append(dst, name...)
	dst = append(dst, `","kind":`...)
	dst = append(dst, kind...)
	dst = append(dst, `,"startTimeUnixNano":"`...)
	dst = strconv.AppendInt(dst, int64(first.Start), 10)
	dst = append(dst, `","endTimeUnixNano":"`...)
	dst = strconv.AppendInt(dst, int64(max(first.Start, first.End, last.End)), 10)
	dst = append(dst, `","attributes":[`...)
	a := attributes{dst, len(dst)}
	a.text("http.request.method", method)
	if !known && x.Request != nil && x.Request.Op != "" {
		a.text("http.request.method_original", x.Request.Op)
	}
	var from origin // as the server sees it: the client knows only whom it asks
	if x.Request != nil && !s.client {
		from = originOf(x.Request)
	}
	host, port := s.request(&a, x, from)
	failure := s.response(&a, x)
	s.ends(&a, x.Flow, host, port, from)
	s.record(&a, x, first)
	dst = append(a.dst, ']')
	if failure {
		dst = append(dst, `,"status":`...)
		dst = append(dst, statusError...)
	}
	return append(dst, '}')
}

// request appends what the request says, and returns whom it is meant for.
func (s *spans) request(a *attributes, x *message.Exchange, from origin) (host string, port uint16) {
	m := x.Request
	if m == nil {
		return host, port
	}
	t := parseTarget(m)
	if from.scheme != "" {
		t.scheme = from.scheme
	}
	if from.host != "" {
		t.host, t.port = from.host, from.port
		if t.port == 0 {
			t.port = standardPort(t.scheme)
		}
	}
	a.text("url.scheme", t.scheme)
	if t.path != "" {
		a.text("url.path", t.path)
	}
	if t.query != "" {
		a.text("url.query", t.query)
	}
	if host, port = t.host, t.port; host == "" {
		host = x.Flow.Server.Addr().WithZone("").Unmap().String()
	}
	if port == 0 {
		port = x.Flow.Server.Port()
	}
	if s.client && t.path != "" {
		a.full(t, host, port)
	}
	if agent, ok := m.Get("User-Agent"); ok {
		a.text("user_agent.original", agent)
	}
	if m.WireSize > 0 {
		a.number("http.request.body.size", uint64(m.WireSize))
	}
	for _, h := range s.headers {
		a.header("http.request.header.", h, m)
	}
	return host, port
}

// response appends what the answer says, and tells whether the exchange has
// failed.
func (s *spans) response(a *attributes, x *message.Exchange) bool {
	m := x.Response
	if m == nil {
		// That no answer was seen is a failure where none came, and says nothing
		// where it may have been missed.
		if x.Half == message.NoAnswer || x.Half == message.AnswerLate {
			a.text("error.type", x.Half.String())
			return true
		}
		return false
	}
	if m.WireSize > 0 {
		a.number("http.response.body.size", uint64(m.WireSize))
	}
	for _, h := range s.headers {
		a.header("http.response.header.", h, m)
	}
	code, err := strconv.ParseUint(m.Status, 10, 16)
	if err != nil || len(m.Status) != 3 {
		return false
	}
	a.number("http.response.status_code", code)
	if code >= 500 || s.client && code >= 400 {
		a.text("error.type", m.Status)
		return true
	}
	return false
}

// ends appends the ends of the connection, as they are seen from where the span
// stands.
func (s *spans) ends(a *attributes, f *flow.Flow, host string, port uint16, from origin) {
	peer, local := f.Client, f.Server
	if s.client {
		peer, local = local, peer
	}
	if host != "" {
		a.text("server.address", host)
		a.number("server.port", uint64(port))
	}
	if !s.client {
		client, port := from.client, from.clientPort
		if !client.IsValid() {
			client, port = peer.Addr(), peer.Port()
		}
		a.address("client.address", client)
		if port > 0 {
			a.number("client.port", uint64(port))
		}
	}
	a.address("network.peer.address", peer.Addr())
	a.number("network.peer.port", uint64(peer.Port()))
	a.address("network.local.address", local.Addr())
	a.number("network.local.port", uint64(local.Port()))
}

// record appends what makes the span traceable to the record.
func (s *spans) record(a *attributes, x *message.Exchange, first *message.Message) {
	version := first.Version
	if version != "" {
		a.text("network.protocol.version", version)
	}
	a.key("passiflow.id", "stringValue")
	a.dst = append(a.dst, '"')
	a.dst = format.AppendID(a.dst, x.Flow, first)
	a.dst = append(a.dst, `"}}`...)
	if x.Flow.Source != "" {
		a.text("passiflow.source", x.Flow.Source)
	}
	if half := x.Half.String(); half != "" {
		a.text("passiflow.half", half)
	}
	var all message.Mark
	for _, m := range [...]*message.Message{x.Request, x.Response} {
		if m != nil {
			all |= m.Marks
		}
	}
	if all&message.Incomplete != 0 {
		a.key("passiflow.incomplete", "boolValue")
		a.dst = append(a.dst, `true}}`...)
	}
}

package builtin

import (
	"errors"
	"time"

	spans "github.com/passiflow/passiflow/format/otlp"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/otlp"
)

func newOTLP() *SinkSetup {
	c, f := otlp.DefaultConfig(), spans.DefaultConfig()
	kind := "server"
	p := &poster{config: &c.Post}
	all := p.options("address of the collector, such as http://localhost:4318; without a path, its /v1/traces")
	more := []Option{
		{Name: "service", Usage: "name of the service (service.name) for spans whose port has none in services", To: &c.Service},
		{Name: "services", Usage: "names of services (service.name) by the port of the server", To: &c.Services},
		{Name: "resource", Usage: "more attributes of the resource", To: &c.Resource},
		{Name: "span_kind", Usage: "whether spans stand for what the server did or for what the client saw", To: &kind, Words: []string{"server", "client"}},
		{Name: "sampled_only", Usage: "leave out requests whose traceparent says that their trace is not recorded", To: &f.Sampled},
		{Name: "capture_headers", Usage: "headers of requests and answers to write as attributes", To: &f.Headers},
	}
	return &SinkSetup{
		Options: append(all[:1:1], append(more, all[1:]...)...),
		Units:   []string{"exchange", "message"},
		Queue:   func(q *sink.QueueConfig) { q.Linger, q.Batch = time.Second, 1<<20 }, // a busy capture gives few requests
		Open: func(o SinkOptions) (Opened, error) {
			if o.Unit == "flow" {
				return Opened{}, errors.New("unit flow: a conversation is no span: use unit exchange")
			}
			if err := p.set(o); err != nil {
				return Opened{}, err
			}
			c.Log, c.Version, f.Client = o.Log, o.Version, kind == "client"
			s, err := otlp.New(c, spans.New(f))
			return Opened{Records: s, Place: p.place()}, err
		},
	}
}

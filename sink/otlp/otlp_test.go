package otlp_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/otlp"
	"github.com/passiflow/passiflow/sink/sinktest"
)

// names writes spans that have a name only.
type names struct{ sinktest.Format }

func (names) Append(dst []byte, x *message.Exchange) []byte {
	if x.Protocol == "none" {
		return dst
	}
	return fmt.Appendf(dst, `{"name":%q}`, sinktest.Name(x))
}

// collector takes spans.
type collector struct {
	*httptest.Server
	path   string
	spans  []string // service and name
	sizes  []int
	status func(spans int) int
	answer string
}

func collect(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.path = r.URL.Path
		var in io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			in, _ = gzip.NewReader(r.Body)
		}
		var body struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct {
						Key   string
						Value struct{ StringValue string }
					}
				}
				ScopeSpans []struct {
					Scope     struct{ Name, Version string }
					SchemaURL string
					Spans     []struct{ Name string }
				}
				SchemaURL string
			}
		}
		d := json.NewDecoder(in)
		d.DisallowUnknownFields()
		if err := d.Decode(&body); err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v, %s", err, r.Header.Get("Content-Type"))
		}
		var got []string
		for _, rs := range body.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					got = append(got, rs.Resource.Attributes[0].Value.StringValue+" "+s.Name)
				}
				if ss.Scope.Name != "passiflow" || ss.SchemaURL == "" || len(ss.Spans) == 0 || rs.Resource.Attributes[0].Key != "service.name" {
					t.Errorf("%+v", ss)
				}
			}
		}
		c.sizes = append(c.sizes, len(got))
		if c.status != nil {
			if status := c.status(len(got)); status != 200 {
				w.WriteHeader(status)
				return
			}
		}
		c.spans = append(c.spans, got...)
		io.WriteString(w, c.answer)
	}))
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, change func(*otlp.Config)) sink.Sink {
	t.Helper()
	c := otlp.DefaultConfig()
	change(&c)
	s, err := otlp.New(c, names{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Place {
		c := collect(t)
		g := sinktest.NewGate(t, c.Config.Handler)
		return sinktest.Place{Sink: open(t, func(o *otlp.Config) { o.Post.URL = g.URL }), Gate: g, Break: func() { g.Refuse(0) },
			Received: func() (all []string) {
				for _, s := range c.spans {
					all = append(all, strings.TrimPrefix(s, "unknown_service "))
				}
				return all
			}}
	})
}

func exchanges(n int) (all []*message.Exchange) {
	for i := range n {
		port := []string{"80", "8080", "9090"}[i%3]
		all = append(all, &message.Exchange{Flow: &flow.Flow{Server: netip.MustParseAddrPort("10.0.0.1:" + port)}, Request: &message.Message{Target: fmt.Sprintf("/%d", i)}})
	}
	return all
}

func TestServices(t *testing.T) {
	c := collect(t)
	s := open(t, func(o *otlp.Config) {
		o.Post.URL, o.Service, o.Services = c.URL+"/", "shop", map[string]string{"8080": "orders", "9090": "shop"}
		o.Resource = map[string]string{"deployment.environment.name": "test", "service.name": "not this"}
	})
	batch := append(exchanges(6), &message.Exchange{Protocol: "none"}, &message.Exchange{Protocol: "none", Flow: &flow.Flow{}})
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"shop /0", "shop /2", "shop /3", "shop /5", "orders /1", "orders /4"}, c.spans); d != "" || c.path != "/v1/traces" {
		t.Error(c.path, d)
	}
	c.sizes = nil
	if err := s.Write(t.Context(), batch[6:]); err != nil || len(c.sizes) > 0 {
		t.Errorf("%v, %d requests for nothing", err, len(c.sizes))
	}
}

func TestStatus(t *testing.T) {
	c := collect(t)
	s := open(t, func(o *otlp.Config) { o.Post.URL = c.URL + "/own/path" })
	for status, permanent := range map[int]bool{400: true, 401: true, 404: true, 408: true, 413: true, 500: true, 501: true, 302: false, 308: false, 429: false, 502: false, 503: false, 504: false} {
		c.status = func(int) int { return status }
		if err := s.Write(t.Context(), exchanges(1)); err == nil || sink.IsPermanent(err) != permanent {
			t.Errorf("%d: %v", status, err)
		}
	}
	if c.path != "/own/path" {
		t.Error(c.path)
	}
	c.sizes = nil
	c.status = func(n int) int {
		if n > 3 {
			return 413
		}
		return 200
	}
	if err := s.Write(t.Context(), exchanges(10)); err != nil || len(c.spans) != 10 {
		t.Errorf("%v, %d spans in %v", err, len(c.spans), c.sizes)
	}
}

func TestPartialSuccess(t *testing.T) {
	c := collect(t)
	var log bytes.Buffer
	s := open(t, func(o *otlp.Config) { o.Post.URL, o.Log = c.URL, slog.New(slog.NewTextHandler(&log, nil)) })
	for _, a := range []struct {
		answer    string
		delivered int // -1: all
	}{
		{"", -1}, {"{}", -1}, {"no json", -1}, {`{"partialSuccess":{}}`, -1}, {`{"partialSuccess":{"errorMessage":"slow down"}}`, -1},
		{`{"partialSuccess":{"rejectedSpans":"0"}}`, -1},
		{`{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}`, 6}, {`{"partialSuccess":{"rejectedSpans":2}}`, 7},
		{`{"partialSuccess":{"rejectedSpans":"99"}}`, 0}, {`{"partialSuccess":{"rejectedSpans":"-1"}}`, -1},
	} {
		c.answer = a.answer
		err := s.Write(t.Context(), exchanges(9))
		if a.delivered < 0 && err != nil || a.delivered >= 0 && (!sink.IsPermanent(err) || sink.IsPartial(err) || sink.Delivered(err) != a.delivered) {
			t.Errorf("%s: %v, delivered %d", a.answer, err, sink.Delivered(err))
		}
	}
	if strings.Count(log.String(), "slow down") != 1 {
		t.Error(log.String())
	}
	// Behind a queue, what was rejected is counted and not sent again.
	c.answer, c.spans = `{"partialSuccess":{"rejectedSpans":"3"}}`, nil
	q := sink.NewRecords(s, sink.DefaultQueueConfig())
	q.Push(t.Context(), exchanges(9))
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := q.Stats(); st.Written.Records != 6 || st.Dropped[sink.Refused].Records != 3 || len(c.spans) != 9 {
		t.Errorf("%+v, %d spans", st, len(c.spans))
	}
}

// What is rejected of one of several requests for a batch is counted, too.
func TestPartialSuccessOfParts(t *testing.T) {
	c := collect(t)
	c.status = func(n int) int {
		if n > 3 {
			return 413
		}
		return 200
	}
	c.answer = `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}`
	s := open(t, func(o *otlp.Config) { o.Post.URL = c.URL })
	q := sink.NewRecords(s, sink.DefaultQueueConfig())
	q.Push(t.Context(), exchanges(9))
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	requests := int64(0)
	for _, n := range c.sizes {
		if n <= 3 {
			requests++
		}
	}
	if st := q.Stats(); requests < 2 || st.Dropped[sink.Refused].Records != requests || st.Written.Records != 9-requests || len(c.spans) != 9 {
		t.Errorf("%+v, %d spans in %d requests", st, len(c.spans), requests)
	}
}

func TestFaults(t *testing.T) {
	for want, change := range map[string]func(*otlp.Config){
		"otlp: url: none given":                   func(c *otlp.Config) { c.Post.URL = "" },
		`otlp: services: "http" is not a port`:    func(c *otlp.Config) { c.Services = map[string]string{"http": "x"} },
		`otlp: services: "0" is not a port`:       func(c *otlp.Config) { c.Services = map[string]string{"0": "x"} },
		"otlp: services: port 80 has no name":     func(c *otlp.Config) { c.Services = map[string]string{"80": ""} },
		"otlp: url http://h: must use https in p": func(c *otlp.Config) { c.Post.Production = true },
	} {
		c := otlp.DefaultConfig()
		c.Post.URL = "http://h"
		change(&c)
		if _, err := otlp.New(c, names{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

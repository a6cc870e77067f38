package oracle

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/passiflow/passiflow/flow"
	spans "github.com/passiflow/passiflow/format/otlp"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink/otlp"
)

// TestOTLP reads what the sink sends with the protocol's own messages, strictly:
// unknown names and values of another type are errors. What differs from plain
// protobuf JSON is that ids are hexadecimal.
func TestOTLP(t *testing.T) {
	ids := regexp.MustCompile(`"(traceId|spanId|parentSpanId)":"([0-9a-f]*)"`)
	var got []*trace.ResourceSpans
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		b, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		read(t, b)
		b = ids.ReplaceAllFunc(b, func(m []byte) []byte {
			part := ids.FindSubmatch(m)
			id, err := hex.DecodeString(string(part[2]))
			if want := map[string]int{"traceId": 16, "spanId": 8, "parentSpanId": 8}[string(part[1])]; err != nil || len(id) != want {
				t.Errorf("%s", m)
			}
			return []byte(`"` + string(part[1]) + `":"` + base64.StdEncoding.EncodeToString(id) + `"`)
		})
		var q collector.ExportTraceServiceRequest
		if err := protojson.Unmarshal(b, &q); err != nil {
			t.Errorf("%v\n%s", err, b)
		}
		got = append(got, q.ResourceSpans...)
	}))
	defer s.Close()
	for _, client := range []bool{false, true} {
		got = nil
		c := otlp.DefaultConfig()
		c.Post.URL, c.Services, c.Resource = s.URL, map[string]string{"8080": "orders"}, map[string]string{"a": "b"}
		to, err := otlp.New(c, spans.New(spans.Config{Client: client, Headers: []string{"accept"}}))
		if err != nil {
			t.Fatal(err)
		}
		batch := []*message.Exchange{
			exchange("80", "GET", "/a?b", "200", "Accept", "x", "accept", "y\xff", "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate", "k=v"),
			exchange("8080", "BREW", "*", "500"), exchange("8080", "CONNECT", "h:1", "xyz"),
			{Protocol: "http", Flow: &flow.Flow{}, Response: &message.Message{Status: "404"}, Half: message.RequestUnseen},
			{Protocol: "http", Flow: &flow.Flow{}, Request: &message.Message{Op: "GET", Start: 5, End: 7}, Half: message.NoAnswer},
		}
		if err := to.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || len(got[0].ScopeSpans[0].Spans) != 3 || len(got[1].ScopeSpans[0].Spans) != 2 {
			t.Fatalf("%v", got)
		}
		first := got[0].ScopeSpans[0].Spans[0]
		want := trace.Span_SPAN_KIND_SERVER
		if client {
			want = trace.Span_SPAN_KIND_CLIENT
		}
		if first.Kind != want || hex.EncodeToString(first.ParentSpanId) != "00f067aa0ba902b7" || first.TraceState != "k=v" || first.Flags != 0x301 {
			t.Errorf("%v", first)
		}
		last := got[0].ScopeSpans[0].Spans[2]
		if last.Status.GetCode() != trace.Status_STATUS_CODE_ERROR || last.StartTimeUnixNano != 5 || last.EndTimeUnixNano != 7 {
			t.Errorf("%v", last)
		}
	}
}

// read reads b as collectors do.
func read(t *testing.T, b []byte) {
	t.Helper()
	q := ptraceotlp.NewExportRequest()
	if err := q.UnmarshalJSON(b); err != nil {
		t.Errorf("%v\n%s", err, b)
		return
	}
	first := q.Traces().ResourceSpans().At(0)
	if name, ok := first.Resource().Attributes().Get("service.name"); !ok || name.Str() != "unknown_service" {
		t.Errorf("service %v", name)
	}
	s := first.ScopeSpans().At(0).Spans().At(0)
	query, _ := s.Attributes().Get("url.query")
	status, _ := s.Attributes().Get("http.response.status_code")
	if s.TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" || s.ParentSpanID().String() != "00f067aa0ba902b7" || s.TraceState().AsRaw() != "k=v" ||
		s.Name() != "GET" || s.StartTimestamp() != 1e18 || s.EndTimestamp() != 1e18+9 || query.Str() != "b" || status.Int() != 200 {
		t.Errorf("%v %v", s.TraceID(), s.Attributes().AsRaw())
	}
	if q.Traces().SpanCount() != 5 {
		t.Errorf("%d spans", q.Traces().SpanCount())
	}
}

func exchange(port, method, target, status string, fields ...string) *message.Exchange {
	x := &message.Exchange{Protocol: "http", Flow: &flow.Flow{ID: 3, Client: netip.MustParseAddrPort("[fe80::1]:9"), Server: netip.MustParseAddrPort("10.0.0.1:" + port)},
		Request: &message.Message{Op: method, Target: target, Start: 1e18, End: 1e18 + 1, WireSize: 3}, Response: &message.Message{Status: status, Start: 1e18 + 5, End: 1e18 + 9}}
	for i := 0; i+1 < len(fields); i += 2 {
		x.Request.Fields = append(x.Request.Fields, message.Field{Name: fields[i], Value: fields[i+1]})
	}
	return x
}

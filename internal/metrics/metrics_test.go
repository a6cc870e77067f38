package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/internal/metrics"
	"github.com/passiflow/passiflow/message"
)

func exchange(host, target, status string) *message.Exchange {
	f := &flow.Flow{Server: netip.MustParseAddrPort("10.0.0.2:80")}
	q := &message.Message{Op: "GET", Target: target, Start: 1e9, End: 1e9}
	if host != "" {
		q.Fields = []message.Field{{Name: "Host", Value: host}}
	}
	x := &message.Exchange{Flow: f, Request: q}
	if status == "" {
		x.Half = message.NoAnswer
	} else {
		x.Response = &message.Message{Status: status, Start: 1e9, End: 1e9 + 30e6}
	}
	return x
}

func get(t *testing.T, s *metrics.Server, path string) (int, string) {
	t.Helper()
	r, err := http.Get("http://" + s.Address() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestServer(t *testing.T) {
	var ill error
	s, err := metrics.Open(metrics.Config{Address: "127.0.0.1:0", Version: "1.2", Healthy: func() error { return ill }, Counts: func() []metrics.Count {
		return []metrics.Count{{Name: "packets_total", Help: "Packets.", Labels: [][2]string{{"way", "parsed"}}, Value: 7}, {Name: "packets_total", Help: "Packets.", Labels: [][2]string{{"way", "cut"}}, Value: 8}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	batch := []*message.Exchange{exchange("Shop.example", "/users/1", "200"), exchange("shop.example", "/users/2", "503"), exchange("", "/x", "200"), exchange("shop.example", "/y", "")}
	if err := s.Services.Write(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	_, page := get(t, s, "/metrics")
	for _, want := range []string{
		`passiflow_packets_total{way="parsed"} 7`,
		`passiflow_http_requests_total{method="GET",route="/users/{id}",service="shop.example",status="200"} 1`,
		`passiflow_http_requests_total{method="GET",route="/users/{id}",service="shop.example",status="503"} 1`,
		`passiflow_http_request_duration_seconds_bucket{method="GET",route="/users/{id}",service="shop.example",le="0.025"} 0`,
		`passiflow_http_request_duration_seconds_bucket{method="GET",route="/users/{id}",service="shop.example",le="0.05"} 2`,
		`service="10.0.0.2:80"`,
		`passiflow_http_halves_total{reason="no_answer",service="shop.example"} 1`,
		`passiflow_build_info{version="1.2"} 1`,
		"go_goroutines", "process_",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	if code, text := get(t, s, "/healthz"); code != 200 || text != "ok\n" {
		t.Error(code, text)
	}
	ill = errors.New("output webhook failed")
	if code, text := get(t, s, "/healthz"); code != 503 || !strings.Contains(text, "webhook") {
		t.Error(code, text)
	}
	if code, _ := get(t, s, "/"); code != 404 {
		t.Error(code)
	}
}

// Hosts and paths are chosen by who sends requests; how many series there are
// is not.
func TestBounds(t *testing.T) {
	s, err := metrics.Open(metrics.Config{Address: "127.0.0.1:0", Counts: func() []metrics.Count { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	for i := range 1000 {
		x := exchange(fmt.Sprintf("h%c%c%c", 'a'+i%26, 'a'+i/26%26, 'a'+i/676), "/", "200")
		y := exchange("one.example", fmt.Sprintf("/%c%c%c", 'a'+i%26, 'a'+i/26%26, 'a'+i/676), "200")
		y.Request.Op = fmt.Sprint("M", i)
		if err := s.Services.Write(context.Background(), []*message.Exchange{x, y, exchange(strings.Repeat("x", 5000), strings.Repeat("/y", 5000), "2x0")}); err != nil {
			t.Fatal(err)
		}
	}
	_, page := get(t, s, "/metrics")
	n := strings.Count(page, "\npassiflow_http_requests_total{")
	if n < 190 || n > 210 {
		t.Errorf("%d series", n)
	}
	if len(page) > 1<<20 {
		t.Errorf("%d bytes", len(page))
	}
	for code := range 1000 {
		if err := s.Services.Write(context.Background(), []*message.Exchange{exchange("two.example", "/", fmt.Sprint(code))}); err != nil {
			t.Fatal(err)
		}
	}
	_, page = get(t, s, "/metrics")
	if all := strings.Count(page, "\npassiflow_http_requests_total{") - n; all > 100 || !strings.Contains(page, `status="508"} 1`) || !strings.Contains(page, `status="104"} 1`) {
		t.Errorf("%d statuses", all)
	}
}

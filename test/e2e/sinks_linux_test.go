package e2e

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// keeper keeps the bodies posted to it, by path.
type keeper struct {
	*httptest.Server
	mu     sync.Mutex
	bodies map[string][]string
}

func keep(t *testing.T) *keeper {
	k := &keeper{bodies: map[string][]string{}}
	k.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		var in io.Reader = q.Body
		if q.Header.Get("Content-Encoding") == "gzip" {
			in, _ = gzip.NewReader(q.Body)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Error(err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.bodies[q.URL.Path] = append(k.bodies[q.URL.Path], string(b))
	}))
	t.Cleanup(k.Close)
	return k
}

func read[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	return v
}

// TestSinksTogether captures everything on the loopback, what the sinks send
// there included, and gives the same exchanges to each kind of sink.
func TestSinksTogether(t *testing.T) {
	s, _ := shop(t)
	k := keep(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "sinks.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(`
sinks:
  - {kind: webhook, url: URL/array}
  - {kind: webhook, url: URL/lines, batch: lines, gzip: true}
  - {kind: otlp, url: URL, service: shop}
  - {kind: har, path: DIR/shop.har}
  - {kind: file, path: DIR/shop.ndjson.gz}
`, "URL", k.URL)), 0o600); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(file)
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(b), "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, "-i", "lo", "--config", file)
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	const n = 200
	began := time.Now()
	for i := range n {
		q, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s/%d", s.URL, i), nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Traceparent", "00-"+trace+"-"+parent+"-01")
		a, err := s.Client().Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, a.Body)
		a.Body.Close()
		if i%50 == 49 {
			time.Sleep(100 * time.Millisecond) // several deliveries
		}
	}
	took := time.Since(began)
	if out := c.stop(); len(out) != 0 {
		t.Errorf("%d records on standard output", len(out))
	}
	var array, lines, file2, har []string
	for _, body := range k.bodies["/array"] {
		for _, r := range read[[]record](t, body) {
			array = append(array, r.ID+r.String())
		}
	}
	for line := range strings.Lines(strings.Join(k.bodies["/lines"], "")) {
		r := read[record](t, line)
		lines = append(lines, r.ID+r.String())
	}
	f, err := os.Open(filepath.Join(dir, "shop.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		r := read[record](t, line)
		file2 = append(file2, r.ID+r.String())
	}
	archive, err := os.ReadFile(filepath.Join(dir, "shop.har"))
	if err != nil {
		t.Fatal(err)
	}
	type entries struct {
		Log struct {
			Entries []struct {
				ID       string `json:"_id"`
				Request  struct{ Method, URL string }
				Response struct {
					Status  int
					Content struct{ Size int }
				}
			}
		}
	}
	for _, e := range read[entries](t, string(archive)).Log.Entries {
		har = append(har, fmt.Sprintf("%s%s %s 0: %d %d", e.ID, e.Request.Method, strings.TrimPrefix(e.Request.URL, s.URL), e.Response.Status, e.Response.Content.Size))
	}
	for i := range n {
		if want := fmt.Sprintf("GET /%d 0: 200 ", i); len(array) != n || !strings.Contains(array[i], want) {
			t.Fatalf("%d records, the %dth is not %s", len(array), i, want)
		}
	}
	want := strings.Join(array, "\n")
	for name, got := range map[string][]string{"lines": lines, "file": file2, "har": har} {
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: %d records that differ: %.100q, want %.100q", name, len(got), got, array)
		}
	}
	type export struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []struct{ TraceID, ParentSpanID, SpanID, Name string }
			}
		}
	}
	spans := map[string]bool{}
	for _, body := range k.bodies["/v1/traces"] {
		for _, s := range read[export](t, body).ResourceSpans[0].ScopeSpans[0].Spans {
			if s.TraceID != trace || s.ParentSpanID != parent || s.Name != "GET" {
				t.Errorf("%+v", s)
			}
			spans[s.SpanID] = true
		}
	}
	if len(spans) != n {
		t.Errorf("%d spans", len(spans))
	}
	// A busy capture gives few requests: one in 200 ms, which on a busy machine
	// are many.
	for path, bodies := range k.bodies {
		if len(bodies) > 20+int(took/(200*time.Millisecond)) {
			t.Errorf("%s: %d requests for %d records", path, len(bodies), n)
		}
	}
}

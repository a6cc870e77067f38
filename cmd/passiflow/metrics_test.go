package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// page asks for a page until it holds all of want.
func page(t *testing.T, url string, want ...string) string {
	t.Helper()
	text := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
		missing := ""
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return text
		}
	}
	t.Fatalf("%s: not all of %q in\n%s", url, want, text)
	return ""
}

// TestMetrics scrapes a program that follows a file and writes to two sinks.
func TestMetrics(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals on Windows")
	}
	p := start(t, "message=reading", "capture", "-r", write(t, "shop"), "--follow", "--metrics", "127.0.0.1:0", "--sink", "file="+t.TempDir()+"/a", "--sink", "file="+t.TempDir()+"/b")
	address := func(p *program) string {
		_, line, _ := strings.Cut(p.ready, "message=metrics address=")
		at, _, _ := strings.Cut(line, "\n")
		return strings.Trim(at, `"`)
	}
	page(t, "http://"+address(p)+"/metrics",
		`passiflow_packets_total{way="in_conversations"} 18`,
		`passiflow_messages_total{way="in_pairs"} 6`,
		`passiflow_output_records_total{output="file",way="written"} 3`,
		`passiflow_output_records_total{output="file-2",way="written"} 3`,
		`passiflow_output_records_held{output="these metrics"} 0`,
		`passiflow_output_circuit_open{output="file"} 0`,
		`passiflow_http_requests_total{method="POST",route="/orders",`,
	)
	page(t, "http://"+address(p)+"/healthz", "ok")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if n := p.end(); n != exitOK {
		t.Error(n, p.words.String())
	}
	// Who has the port already is told.
	q := start(t, "message=reading", "capture", "-r", write(t, "shop"), "--follow", "--metrics", "127.0.0.1:0")
	defer func() { _ = q.Process.Kill() }()
	self := run([]string{"capture", "-r", write(t, "shop"), "--metrics", address(q)})
	if self != exitUsage {
		t.Error(fmt.Sprint("the port is taken: ", self))
	}
}

// TestFailingSink scrapes a program one of whose sinks cannot deliver and has
// what it gets in a spool, and another of whose sinks is refused.
func TestFailingSink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals on Windows")
	}
	refuses := httptest.NewServer(http.NotFoundHandler())
	defer refuses.Close()
	config := filepath.Join(t.TempDir(), "c.yaml")
	// The name is also that of an output of the program's own.
	text := fmt.Sprintf(`
sinks:
  - {kind: webhook, name: metrics, url: "http://127.0.0.1:1", retry: {min: 1ms, max: 5ms}, spool: {directory: %q, sync: 1ms}}
  - {kind: webhook, url: %q, batch: each}
`, t.TempDir(), refuses.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "message=reading", "capture", "-r", write(t, "shop"), "--follow", "--metrics", "127.0.0.1:0", "--config", config)
	at := regexp.MustCompile("message=metrics address=(.*)").FindStringSubmatch(p.ready)
	if at == nil {
		t.Fatal(p.ready)
	}
	text = page(t, "http://"+at[1]+"/metrics",
		`passiflow_output_records_spooled{output="metrics"} 3`,
		`passiflow_output_circuit_open{output="metrics"} 1`,
		`passiflow_output_circuit_open{output="webhook"} 0`,
		`passiflow_output_records_total{output="webhook",way="dropped_refused"} 3`,
	)
	// What waits becomes less again, so that it is no counter.
	for _, way := range []string{"spooled", "held", "open", "waiting", "on_their_way_to_another_worker"} {
		if strings.Contains(text, `way="`+way+`"`) {
			t.Errorf("%s is a counter: %s", way, text)
		}
	}
	if !strings.Contains(text, "passiflow_packets_on_their_way_to_another_worker 0\n") {
		t.Error(text)
	}
	faults, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(faults) > 0 {
		t.Error(faults, err)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if n := p.end(); n != exitOK {
		t.Error(n, p.words.String())
	}
	// A file could have waited: that its records were refused is an error.
	if n := run([]string{"capture", "-r", write(t, "shop"), "--sink", "webhook=" + refuses.URL}); n != exitRun {
		t.Error(n)
	}
}

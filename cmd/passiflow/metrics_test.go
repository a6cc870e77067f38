package main

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// page asks for a page until it holds all of want.
func page(t *testing.T, url string, want ...string) {
	t.Helper()
	text := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
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
			return
		}
	}
	t.Fatalf("%s: not all of %q in\n%s", url, want, text)
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
		`passiflow_output_records_total{output="records to file",way="written"} 3`,
		`passiflow_output_records_total{output="records to file-2",way="written"} 3`,
		`passiflow_output_records_held{output="records to metrics"} 0`,
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

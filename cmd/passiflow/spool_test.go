package main

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passiflow/passiflow/sink/sinktest"
)

// TestSpoolOutlivesKill kills the program while the receiver is down. What it had
// read comes when both are back, and nothing secret was on the disk meanwhile.
func TestSpoolOutlivesKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is followed cannot be removed on Windows")
	}
	address := sinktest.Nobody(t)
	dir := t.TempDir()
	settings := filepath.Join(dir, "passiflow.yaml")
	if err := os.WriteFile(settings, []byte("sinks:\n  - {kind: webhook, url: \"http://"+address+"/in\", batch: lines, spool: {sync: 100ms}, retry: {min: 10ms, max: 100ms}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	spool := filepath.Join(dir, "spool")
	args := []string{"capture", "--config", settings, "--spool", spool}
	p := start(t, "message=reading", append(args, "-r", write(t, "shop"), "--follow")...)
	segment := waitForSegment(t, filepath.Join(spool, "webhook"))
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.end() // -1: it was killed

	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(b); !strings.Contains(text, "/orders") || strings.Contains(text, "s3cret") {
		t.Errorf("on the disk: %q", text)
	}

	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	ids := map[string]int{}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			var x struct{ ID string }
			if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
				t.Error(err)
			}
			ids[x.ID]++
		}
	})}
	go func() { _ = s.Serve(l) }() // ends with Close, which is its error
	defer s.Close()
	p = start(t, "message=reading", append(args, "-r", write(t, "empty"))...)
	if code := p.end(); code != 0 || !strings.Contains(p.words.String(), "from an earlier run") {
		t.Errorf("code %d, %s", code, p.words.String())
	}
	mu.Lock()
	defer mu.Unlock()
	if len(ids) != 3 {
		t.Errorf("got %v", ids)
	}
	if left, _ := filepath.Glob(filepath.Join(spool, "webhook", "*.segment")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// waitForSegment returns the name of a spool's file once it holds all that the
// shop was asked.
func waitForSegment(t *testing.T, dir string) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		names, _ := filepath.Glob(filepath.Join(dir, "*.segment"))
		if len(names) == 0 {
			continue
		}
		if b, err := os.ReadFile(names[0]); err == nil && strings.Contains(string(b), "/nowhere") && strings.Contains(string(b), "not found") {
			return names[0]
		}
	}
	t.Fatal("not all is in the spool after a minute")
	return ""
}

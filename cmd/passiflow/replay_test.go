package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestReplayStopped ends a replay by a signal: what was not asked was not found to
// be the same, unless there is no end but that.
func TestReplayStopped(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals on Windows")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for loop, want := range map[string]int{"1": exitRun, "0": exitOK} {
		asked, hold := make(chan bool, 10), make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			asked <- true
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}))
		c := exec.CommandContext(t.Context(), self, "replay", write(t, "shop"), "--to", s.URL, "--speed", "max", "--loop", loop)
		c.Env = append(os.Environ(), runMark)
		var said bytes.Buffer
		c.Stdout, c.Stderr = &said, &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-asked:
		case <-time.After(time.Minute):
			t.Error("nothing is asked")
		}
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // its exit code is looked at
		close(hold)
		s.Close()
		if code := c.ProcessState.ExitCode(); code != want || !strings.Contains(said.String(), "stopped before its end") {
			t.Errorf("--loop %s: code %d, want %d\n%s", loop, code, want, said.String())
		}
	}
}

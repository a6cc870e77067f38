package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestResurface is the demo of the network sniffer's place, where there may be a
// network namespace.
func TestResurface(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("network namespaces are Linux's")
	}
	dir := t.TempDir()
	for _, p := range []string{"../../cmd/passiflow", "."} {
		if out, err := exec.Command("go", "build", "-o", dir+"/", p).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	out, err := exec.Command(filepath.Join(dir, "demo"), "-resurface", "-program", filepath.Join(dir, "passiflow")).CombinedOutput()
	var e *exec.ExitError
	if errors.As(err, &e) && e.ExitCode() == refused {
		t.Skipf("%s", out)
	}
	if err != nil || !strings.Contains(string(out), "7 calls, 7 messages") || !strings.Contains(string(out), "session_field:theme") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestRecorded is the demo on a machine that gives no right to capture.
func TestRecorded(t *testing.T) {
	program := filepath.Join(t.TempDir(), "passiflow")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/passiflow").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := recorded(program); err != nil {
		t.Error(err)
	}
}

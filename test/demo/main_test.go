package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

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

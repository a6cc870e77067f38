package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/internal/manual"
)

// TestManual holds the manual pages to the command line.
func TestManual(t *testing.T) {
	dir := filepath.Join("..", "..", "docs", "reference", "man")
	pages := manual.Pages(newRoot(&process{stdout: os.Stdout, stderr: os.Stderr}))
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, page := range pages {
			if err := os.WriteFile(filepath.Join(dir, name), page, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range kept {
		if pages[f.Name()] == nil {
			t.Errorf("%s describes no command", f.Name())
		}
	}
	for name, page := range pages {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if d := cmp.Diff(string(got), string(page)); d != "" {
			t.Errorf("%s, run make docs: %s", name, d)
		}
	}
}

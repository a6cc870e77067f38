package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/passiflow/passiflow/source/netnstest"
)

// TestLastPackets ends the capture in the moment in which an answer has come:
// what lies in the ring is read.
func TestLastPackets(t *testing.T) {
	netnstest.Need(t)
	root := serve(t, nil, "127.0.0.1")
	if err := os.WriteFile(filepath.Join(root, "x"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		c := start(t, "-i", "lo", "-p", "8080", "--json", "tcp")
		curl(t, "-o", "/dev/null", "http://127.0.0.1:8080/x")
		if got := c.end(); len(got) != 1 || got[0].Response == nil {
			t.Fatalf("%d records\n%s", len(got), c.words.String())
		}
	}
}

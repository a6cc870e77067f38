package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/passiflow/passiflow/source/netnstest"
)

// TestOwnDeliveries captures the very interface that records leave by: they are
// not records themselves.
func TestOwnDeliveries(t *testing.T) {
	netnstest.Need(t)
	root := serve(t, nil, "127.0.0.1")
	if err := os.WriteFile(filepath.Join(root, "x"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	var posts, records atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		posts.Add(1)
		records.Add(int64(strings.Count(string(b), `"schema":"passiflow.exchange/1"`)))
	}))
	defer hook.Close()
	c := start(t, "-i", "lo", "--json", "--sink", "webhook="+hook.URL+"/in", "tcp")
	for i := range 10 {
		curl(t, "-o", "/dev/null", "http://127.0.0.1:8080/x")
		if i%3 == 0 { // each delivery is on the wire before the next
			n := int64(i + 1)
			until(func() bool { return records.Load() >= n })
		}
	}
	got := c.stop()
	if len(got) != 10 || records.Load() != 10 || posts.Load() < 2 {
		t.Errorf("%d records, %d delivered in %d posts\n%s", len(got), records.Load(), posts.Load(), c.words.String())
	}
	if !strings.Contains(c.words.String(), "own deliveries, not told") {
		t.Errorf("the ledger does not tell of deliveries:\n%s", c.words.String())
	}
}

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/passiflow/passiflow/source/netnstest"
)

// TestShadow sends what is asked of one server to another one, on an interface
// where both are seen: what the shadow is asked is no request to be sent again.
func TestShadow(t *testing.T) {
	netnstest.Need(t)
	netnstest.IP(t, "link set lo up")
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	defer old.Close()
	var asked, unsafe atomic.Int64
	next := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != http.MethodGet {
			unsafe.Add(1)
		}
		if r.URL.Path == "/7" {
			w.WriteHeader(http.StatusTeapot)
		}
		fmt.Fprint(w, r.URL.Path)
	}))
	defer next.Close()
	c := start(t, "-i", "lo", "--json", "--sink", "shadow="+next.URL, "tcp")
	for i := range 20 {
		curl(t, "-o", "/dev/null", fmt.Sprintf("%s/%d", old.URL, i))
		if i%5 == 0 {
			curl(t, "-o", "/dev/null", "-d", "x=1", old.URL+"/post")
		}
	}
	until(func() bool { return asked.Load() == 20 })
	got := c.stop()
	words := c.words.String()
	if len(got) != 24 || asked.Load() != 20 || unsafe.Load() != 0 {
		t.Errorf("%d records, %d requests to the shadow, %d of them unsafe\n%s", len(got), asked.Load(), unsafe.Load(), words)
	}
	if !strings.Contains(words, "sent=20 same=19 different=1 unanswered=0 not_sent=4") {
		t.Error(words)
	}
}

package sink_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passiflow/passiflow/sink"
)

// way leads to a server. What was open when it froze carries nothing any more, and
// nobody is told, as when a firewall has forgotten a connection.
type way struct {
	net.Listener
	mu   sync.Mutex
	open []*atomic.Bool // frozen
}

func newWay(t *testing.T, to string) *way {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w := &way{Listener: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			cold := &atomic.Bool{}
			w.mu.Lock()
			w.open = append(w.open, cold)
			w.mu.Unlock()
			go carry(s, c, cold)
			go carry(c, s, cold)
		}
	}()
	return w
}

func carry(to, from net.Conn, cold *atomic.Bool) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if !cold.Load() {
			_, _ = to.Write(b[:n])
		}
		if err != nil {
			if !cold.Load() {
				to.Close()
			}
			return
		}
	}
}

func (w *way) freeze() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		c.Store(true)
	}
	return len(w.open)
}

// A connection that leads nowhere any more is given up, with HTTP/2, too, where
// one is kept whatever becomes of the requests on it.
func TestPostFrozen(t *testing.T) {
	for _, two := range []bool{false, true} {
		var proto atomic.Int64
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proto.Store(int64(r.ProtoMajor)) }))
		s.EnableHTTP2 = two
		s.StartTLS()
		defer s.Close()
		w := newWay(t, s.Listener.Addr().String())
		p := poster(t, func(c *sink.PostConfig) {
			c.URL, c.TLS.Insecure, c.Timeout = "https://"+w.Addr().String(), true, time.Second
		})
		post := func() (err error) {
			for end := time.Now().Add(time.Minute); time.Now().Before(end); {
				if _, err = p.Post(t.Context(), "text/plain", []byte("x")); err == nil {
					return nil
				}
			}
			return err
		}
		if err := post(); err != nil || (proto.Load() == 2) != two {
			t.Fatal(err, proto.Load())
		}
		before := w.freeze()
		if err := post(); err != nil {
			t.Errorf("HTTP/2 %v: %v", two, err)
		}
		if after := w.freeze(); after <= before {
			t.Errorf("HTTP/2 %v: %d connections, then %d", two, before, after)
		}
	}
}

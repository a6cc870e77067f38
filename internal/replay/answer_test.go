package replay_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/internal/replay"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/sink/shadow/diff"
)

// A server that ends connections gets new ones, and no request is lost.
func TestServerCloses(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:4000", "10.1.0.1:80", nil)
	for i := range 6 {
		c.Client(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i))
		c.Server(answer(fmt.Sprintf("GET /%d", i)))
		tape.Wait(60 * time.Millisecond)
	}
	closing := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/1" {
			w.Header().Set("Connection", "close")
		}
		echo(w, r)
	}
	s := serve(t, closing)
	if r := run(t, options(t, tape.Bytes(), s.URL)); r.Same != 6 || r.Connections != 2 {
		t.Errorf("%+v", r)
	}
	// The pauses are far longer; and yet a busy server may be late.
	for try := range 10 {
		s = serve(t, closing, func(c *http.Server) { c.IdleTimeout = 20 * time.Millisecond })
		o := options(t, tape.Bytes(), s.URL)
		o.Speed = 0.2
		r := run(t, o)
		if r.Same == 6 && r.Connections < 4 && try < 9 {
			continue
		}
		if r.Same != 6 || r.Connections < 4 {
			t.Errorf("%+v", r)
		}
		break
	}
}

// What the server did not answer because it had ended the connection meanwhile is
// sent once more, if it is safe, and never twice more.
func TestSentOnceMore(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		tape := packettest.NewTape()
		c := tape.Open("10.0.0.1:4000", "10.1.0.1:80", nil)
		for range 3 {
			c.Client(method + " / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
			c.Server(answer("x"))
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var asked atomic.Int64
		go func() { // each connection answers once
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				b := make([]byte, 4096)
				for i := range 2 {
					if _, err := c.Read(b); err != nil {
						break
					}
					asked.Add(1)
					if i == 0 {
						_, _ = io.WriteString(c, answer("x"))
					}
				}
				c.Close()
			}
		}()
		o := options(t, tape.Bytes(), l.Addr().String())
		o.Request.Unsafe = true
		r := run(t, o)
		l.Close()
		same, sent := int64(3), int64(5)
		if method == "POST" {
			same, sent = 2, 3
		}
		if r.Same != same || asked.Load() != sent || r.Different != 3-same {
			t.Errorf("%s: asked %d times, %+v", method, asked.Load(), r)
		}
	}
}

func TestUnanswered(t *testing.T) {
	t.Parallel() // it has to wait
	tape := packettest.NewTape()
	for i, path := range []string{"/ok", "/hang", "/cut", "/late"} {
		c := tape.Open(fmt.Sprintf("10.0.0.%d:4000", i+1), "10.1.0.1:80", nil)
		c.Client("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if path != "/late" {
			c.Server(answer("GET " + path))
		}
		c.Close()
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			<-r.Context().Done()
		case "/cut":
			panic(http.ErrAbortHandler)
		}
		echo(w, r)
	})
	o := options(t, tape.Bytes(), s.URL)
	o.Timeout = 10 * time.Second // for one of the four; the others are answered long before
	r := run(t, o)
	if d := cmp.Diff([]diff.Count{{What: "connection closed", Count: 1}, {What: "timeout", Count: 1}}, r.Unanswered); d != "" {
		t.Error(d)
	}
	if r.Same != 1 || r.Different != 2 || len(r.Uncompared) != 1 || r.Uncompared[0].Count != 1 {
		t.Errorf("%+v", r)
	}

	// Nobody there at all.
	to := s.URL
	s.Close()
	o = options(t, tape.Bytes(), to)
	rec, err := replay.Load(t.Context(), &o)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := rec.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") || r.Answered != 0 || r.Sent != 4 {
		t.Errorf("%v, %+v", err, r)
	}
}

// An answer that came when nobody waited for it any more is still the answer.
func TestLateAnswer(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:4000", "10.1.0.1:80", nil)
	o := tape.Open("10.0.0.2:4000", "10.1.0.1:80", nil)
	c.Client("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	tape.Wait(40 * time.Second)
	o.Client("GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
	o.Server(answer("GET /other"))
	c.Server(answer("GET /slow"))
	c.Close()
	for _, in := range []string{string(tape.Bytes()), lines(t, tape.Bytes(), "exchange"), lines(t, tape.Bytes(), "message")} {
		s := serve(t, echo)
		if r := run(t, options(t, []byte(in), s.URL)); r.Same != 2 || len(r.Skipped) > 0 {
			t.Errorf("%+v", r)
		}
	}
}

// Rules choose, and what they change is sent so.
func TestRules(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:4000", "10.1.0.1:80", nil)
	for _, path := range []string{"/a", "/b", "/health"} {
		c.Client("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		c.Server(answer("GET " + path))
	}
	rules, err := rule.Parse("rules", []byte("defaults: false\nrules:\n- drop: request.target == '/health'\n"), rule.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, echo)
	o := options(t, tape.Bytes(), s.URL)
	o.Rules = rules
	r := run(t, o)
	if d := cmp.Diff(map[string][]string{"GET /a ": {"GET /a ", "GET /b "}}, s.talks()); d != "" || r.Refused[0] != (diff.Count{What: "dropped by rule", Count: 1}) {
		t.Errorf("%s%+v", d, r)
	}
}

// An answer that streams is told before its end; replayed, it is read for as
// long, its head is compared, and nobody waits for the end.
func TestStreaming(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:4000", "10.1.0.1:80", nil)
	c.Client("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
	c.Server("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n")
	tape.Wait(100 * time.Millisecond)
	c.Server("5\r\ndata:\r\n")
	in := strings.Replace(lines(t, tape.Bytes(), "exchange"), `"cut_end"`, `"open"`, 1)
	for _, kind := range []string{"text/event-stream", "text/plain"} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			fmt.Fprint(w, "data:")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		began := time.Now()
		r := run(t, options(t, []byte(in), s.URL))
		if took := time.Since(began); took > 40*time.Second || r.Answered != 1 || (r.Different == 0) != (kind == "text/event-stream") || len(r.BodiesUncompared) != 1 {
			t.Errorf("after %v: %+v", took, r)
		}
	}
}

package shadow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/shadow"
	"github.com/passiflow/passiflow/sink/shadow/diff"
	"github.com/passiflow/passiflow/sink/sinktest"
)

// server answers as h says and keeps what it was asked.
type server struct {
	*httptest.Server
	mu          sync.Mutex
	asked       []string
	now, most   atomic.Int64
	connections atomic.Int64
	closed      atomic.Int64 // of connections
}

func serve(t *testing.T, h http.HandlerFunc, change ...func(*http.Server)) *server {
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
		}
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
		s.mu.Unlock()
		w.Header()["Content-Type"] = nil
		if h != nil {
			h(w, r)
			return
		}
		fmt.Fprint(w, "ok")
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		switch st {
		case http.StateNew:
			s.connections.Add(1)
		case http.StateClosed:
			s.closed.Add(1)
		}
	}
	for _, f := range change {
		f(s.Config)
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// exchanges returns n exchanges of GET /0 … in conversations of their own, four
// in each.
func exchanges(n int) (all []*message.Exchange) {
	var f *flow.Flow
	for i := range n {
		if i%4 == 0 {
			f = &flow.Flow{ID: uint64(i), Transport: packet.TCP, Client: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(4000+i)), Server: netip.MustParseAddrPort("10.1.0.1:80")}
		}
		at := packet.Time(1767323045e9 + int64(i)*1e6)
		all = append(all, &message.Exchange{Flow: f, Protocol: "http",
			Request:  &message.Message{Start: at, End: at, Op: "GET", Target: fmt.Sprintf("/%d", i), Version: "1.1", Fields: []message.Field{{Name: "Host", Value: "h"}}, Index: uint32(i % 4)},
			Response: &message.Message{From: flow.Server, Start: at + 1e6, End: at + 2e6, Status: "200", Version: "1.1", Body: []byte("ok"), Size: 2, WireSize: 2},
		})
	}
	return all
}

func config(s *server) shadow.Config {
	c := shadow.DefaultConfig()
	c.URL, c.Rate = s.URL, 1e6
	return c
}

func open(t *testing.T, c shadow.Config) sink.Sink {
	t.Helper()
	s, err := shadow.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// report returns what a closed sink has found.
func report(t *testing.T, s sink.Sink, file string) *diff.Report {
	t.Helper()
	if s != nil {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := &diff.Report{}
	if err := json.Unmarshal(b, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// wait waits until something is so.
func wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not so after two minutes: " + what)
		}
	}
}

// The requests of one conversation go one after the other, also where the records
// come from a spool and each has a copy of the conversation of its own.
func TestOrderOfCopies(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { time.Sleep(time.Millisecond) })
	all := exchanges(40)
	var want []string
	for i, x := range all {
		f := *all[0].Flow
		x.Flow, x.Request.Index = &f, uint32(i)
		want = append(want, "GET "+x.Request.Target)
	}
	to := open(t, config(s))
	if err := to.Write(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, s.asked); d != "" || s.most.Load() != 1 {
		t.Errorf("%d at once: %s", s.most.Load(), d)
	}
}

// What was sent ahead of a request that could not be is not sent again, however
// long that takes, in whatever batches the queue comes back, and out of a spool.
func TestSentAheadOnce(t *testing.T) {
	for _, spool := range []bool{false, true} {
		s := serve(t, nil)
		const n = 40
		var dials, failed atomic.Int64
		c := config(s)
		c.Concurrency, c.Request.Unsafe = 2, true
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials.Add(1) == 1 {
				// The first one fails when all that does not need it was sent.
				for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
					s.mu.Lock()
					asked := len(s.asked)
					s.mu.Unlock()
					if asked == n-1 {
						break
					}
				}
				failed.Add(1)
				return nil, errors.New("down")
			}
			if n := failed.Load(); n > 0 && n < 10 {
				failed.Add(1)
				return nil, errors.New("down")
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		all := exchanges(4 * n)
		var batch []*message.Exchange // one of each conversation
		for i := range n {
			x := all[4*i]
			x.Request.Op = "POST" // each over a connection of its own
			batch = append(batch, x)
		}
		q := sink.DefaultQueueConfig()
		q.Retry.Min, q.Retry.Max = 5*time.Millisecond, 10*time.Millisecond
		if spool {
			q.Spool.Directory, q.Spool.Sync = t.TempDir(), time.Millisecond
		}
		to, err := sink.OpenRecords(open(t, c), q)
		if err != nil {
			t.Fatal(err)
		}
		to.Push(t.Context(), batch)
		wait(t, "all is delivered", func() bool { return to.Stats().Written.Records == n })
		if err := to.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		times := map[string]int{}
		for _, a := range s.asked {
			times[a]++
		}
		for a, k := range times {
			if k > 1 {
				t.Errorf("spool %v: %s was sent %d times", spool, a, k)
			}
		}
		if len(times) != n || failed.Load() < 10 {
			t.Errorf("spool %v: %d of %d were sent, %d connections failed", spool, len(times), n, failed.Load())
		}
	}
}

func TestShadow(t *testing.T) {
	var s *server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Millisecond)
		for end := time.Now().Add(20 * time.Second); s.most.Load() < 4 && time.Now().Before(end); {
			time.Sleep(time.Millisecond) // for others, who must not wait for this one
		}
		if r.URL.Path == "/13" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, "ok")
	})
	c := config(s)
	c.Report = filepath.Join(t.TempDir(), "r.json")
	to := open(t, c)
	if r := report(t, nil, c.Report); r.Sent != 0 {
		t.Errorf("before the beginning: %+v", r)
	}
	batch, kept := exchanges(200), exchanges(200)
	post := exchanges(1)[0]
	post.Request.Op = "POST"
	masked := exchanges(1)[0]
	masked.Request.Fields = append(masked.Request.Fields, message.Field{Name: "Cookie", Value: "[REDACTED]"})
	alone := exchanges(1)[0]
	alone.Request = nil
	all := append(batch, post, masked, alone, &message.Exchange{Flow: post.Flow, Summary: &flow.Summary{Flow: post.Flow}})
	if err := to.Write(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(kept, batch, cmpopts.EquateComparable(netip.AddrPort{})); d != "" {
		t.Errorf("the sink has changed what it was given: %s", d)
	}
	r := report(t, to, c.Report)
	if r.Sent != 200 || r.Same != 199 || r.Different != 1 || r.Requests != 202 || r.LastByte.Replayed.P50 < 2*time.Millisecond || r.LastByte.Recorded.P50 != 2*time.Millisecond {
		t.Errorf("%+v", r)
	}
	if d := cmp.Diff([]diff.Count{{What: "masked", Count: 1}, {What: "unsafe method", Count: 1}}, r.Refused); d != "" {
		t.Error(d)
	}
	at := map[string]int{}
	for i, a := range s.asked {
		at[a] = i
	}
	for i := range 200 {
		if i%4 > 0 && at[fmt.Sprintf("GET /%d", i)] < at[fmt.Sprintf("GET /%d", i-1)] {
			t.Errorf("request %d came before the one before it", i)
		}
	}
	if n := s.most.Load(); len(at) != 200 || n > 16 || n < 4 || s.connections.Load() > 16 {
		t.Errorf("%d requests, %d at once, %d connections", len(at), n, s.connections.Load())
	}
	if err := to.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := to.Write(t.Context(), exchanges(1)); !sink.IsBroken(err) {
		t.Error(err)
	}
}

// While the target is down nothing is lost behind a queue, and nothing is sent
// twice when it is there again.
func TestTargetDown(t *testing.T) {
	at := sinktest.Nobody(t)
	c := shadow.DefaultConfig()
	c.URL, c.Rate, c.Report = at, 1e6, filepath.Join(t.TempDir(), "r.json")
	q := sink.DefaultQueueConfig()
	q.Policy, q.Batch = sink.Wait, 4<<10
	to := sink.NewRecords(open(t, c), q)
	all := exchanges(300)
	to.Push(t.Context(), all[:100])
	wait(t, "tried again", func() bool { return to.Stats().Retries > 0 })
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked []string
	var n atomic.Int64
	s := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.RequestURI)
		mu.Unlock()
		if n.Add(1)%50 == 0 {
			w.Header().Set("Connection", "close")
		}
		w.Header()["Content-Type"] = nil
		fmt.Fprint(w, "ok")
	})}
	go s.Serve(l)
	defer s.Close()
	to.Push(t.Context(), all[100:])
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := to.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if st := to.Stats(); st.Retries == 0 || st.Written.Records != 300 {
		t.Errorf("%+v", st)
	}
	slices.Sort(asked)
	if len(asked) != 300 || len(slices.Compact(asked)) != 300 {
		t.Errorf("%d requests", len(asked))
	}
	if r := report(t, nil, c.Report); r.Same != 300 {
		t.Errorf("%+v", r)
	}
}

func TestUnanswered(t *testing.T) {
	t.Parallel() // it has to wait
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/1":
			<-r.Context().Done()
		case "/2":
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "ok")
	})
	c := config(s)
	// For one of the four; the others are answered long before.
	c.Timeout, c.Report, c.Concurrency = 10*time.Second, filepath.Join(t.TempDir(), "r.json"), 1
	to := open(t, c)
	if err := to.Write(t.Context(), exchanges(4)); err != nil {
		t.Fatal(err)
	}
	r := report(t, to, c.Report)
	if d := cmp.Diff([]diff.Count{{What: "connection closed", Count: 1}, {What: "timeout", Count: 1}}, r.Unanswered); d != "" || r.Same != 2 || r.Different != 2 {
		t.Errorf("%s%+v", d, r)
	}
}

// A connection that the server has closed meanwhile costs no request.
func TestIdleConnectionClosed(t *testing.T) {
	s := serve(t, nil, func(c *http.Server) { c.IdleTimeout = 10 * time.Millisecond })
	c := config(s)
	c.Report, c.Concurrency, c.Request.Unsafe = filepath.Join(t.TempDir(), "r.json"), 1, true
	to := open(t, c)
	for i := range 4 {
		one := exchanges(4)[i]
		if i == 3 {
			one.Request.Op = "POST"
		}
		if err := to.Write(t.Context(), []*message.Exchange{one}); err != nil {
			t.Fatal(err)
		}
		wait(t, "the server closes", func() bool { return s.closed.Load() == int64(i+1) })
		time.Sleep(20 * time.Millisecond)
	}
	if r := report(t, to, c.Report); r.Same != 4 || len(s.asked) != 4 {
		t.Errorf("%+v, asked %q", r, s.asked)
	}
}

func TestRate(t *testing.T) {
	s := serve(t, nil)
	c := config(s)
	c.Rate, c.Report = 20, filepath.Join(t.TempDir(), "r.json")
	began := time.Now()
	to := open(t, c)
	if err := to.Write(t.Context(), exchanges(1000)); err != nil {
		t.Fatal(err)
	}
	most := 21 + int64(20*time.Since(began).Seconds())
	if r := report(t, to, c.Report); r.Sent < 20 || r.Sent > most || len(r.Refused) != 1 || r.Refused[0].What != "over the rate" || r.Refused[0].Count+r.Sent != 1000 {
		t.Errorf("%+v", r)
	}
	c.Rate, c.Wait = 100, true
	to = open(t, c)
	began = time.Now()
	if err := to.Write(t.Context(), exchanges(130)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 250*time.Millisecond || took > time.Minute {
		t.Errorf("130 requests at 100 a second took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began = time.Now()
	err := to.Write(ctx, exchanges(10_000))
	if most := 101 + int(100*time.Since(began).Seconds()); !errors.Is(err, context.DeadlineExceeded) || sink.Delivered(err) > most {
		t.Errorf("%v, %d delivered, want %d at most", err, sink.Delivered(err), most)
	}
	if r := report(t, to, c.Report); r.Different != 0 || r.Sent < 130 {
		t.Errorf("%+v", r)
	}
}

func TestEndedContext(t *testing.T) {
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c := config(s)
	c.Timeout = time.Minute
	to := open(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := to.Write(ctx, exchanges(4)); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 30*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if err := to.Write(ctx, exchanges(4)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := to.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	s := serve(t, nil)
	asked := ""
	refuse := func(q string) error { asked = q; return errors.New("no") }
	for want, change := range map[string]func(*shadow.Config){
		"rate 0":          func(c *shadow.Config) { c.Rate = 0 },
		"concurrency 0":   func(c *shadow.Config) { c.Concurrency = 0 },
		"timeout":         func(c *shadow.Config) { c.Timeout = 0 },
		"has no port":     func(c *shadow.Config) { c.URL = "a" },
		"Nobody is there": func(c *shadow.Config) { c.URL = "192.0.2.1:80" },
		"shadow: no":      func(c *shadow.Config) { c.URL, c.Allow = "192.0.2.1:80", refuse },
		"must use https":  func(c *shadow.Config) { c.Production = true },
		"path \"$\"":      func(c *shadow.Config) { c.Compare.Paths = []string{"$"} },
		"write report":    func(c *shadow.Config) { c.Report = filepath.Join(t.TempDir(), "no", "r.html") },
		"tls ca":          func(c *shadow.Config) { c.URL, c.TLS.CA = "https://127.0.0.1", "/nowhere.pem" },
		"report every 0s": func(c *shadow.Config) { c.Every = 0 },
		"body limit -1":   func(c *shadow.Config) { c.BodyLimit = -1 },
	} {
		c := config(s)
		change(&c)
		if _, err := shadow.Open(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if !strings.Contains(asked, "http://192.0.2.1:80, which is not this machine?") {
		t.Errorf("asked %q", asked)
	}
	c := config(s)
	c.URL, c.Allow = "192.0.2.1:80", func(string) error { return nil }
	open(t, c)
}

func TestLogAndReport(t *testing.T) {
	s := serve(t, nil)
	var out bytes.Buffer
	c := config(s)
	c.Log, c.Every, c.Report = slog.New(slog.NewTextHandler(&out, nil)), time.Nanosecond, filepath.Join(t.TempDir(), "r.html")
	to := open(t, c)
	if err := to.Write(t.Context(), exchanges(4)); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(c.Report); err != nil || !strings.Contains(string(b), "no differences") {
		t.Errorf("%v, %s", err, b)
	}
	if err := to.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "sent=4 same=4 different=0"); n != 2 {
		t.Errorf("%d times: %s", n, out.String())
	}
	if fi, err := os.Stat(c.Report); err != nil || fi.Mode().Perm() != 0o600 {
		t.Error(fi.Mode(), err)
	}
}

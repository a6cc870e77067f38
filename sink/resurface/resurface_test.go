package resurface_test

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format"
	pairs "github.com/passiflow/passiflow/format/resurface"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/resurface"
	"github.com/passiflow/passiflow/sink/sinktest"
)

// receiver takes bundles as Resurface does.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	bundles []string
	heads   []http.Header
	status  func(lines string) int // nil: 204
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body := io.Reader(q.Body)
	switch q.Header.Get("Content-Encoding") {
	case "":
	case "deflated":
		z, err := zlib.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	default:
		http.Error(w, "what is that", http.StatusBadRequest)
		return
	}
	data, err := io.ReadAll(body)
	if err != nil || q.Method != http.MethodPost || q.URL.Path != "/message" || q.Header.Get("Content-Type") != "application/ndjson; charset=UTF-8" && q.Header.Get("Content-Type") != "text/plain" {
		http.Error(w, "no", http.StatusTeapot)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusNoContent
	if r.status != nil {
		status = r.status(string(data))
	}
	if status == http.StatusNoContent {
		r.bundles = append(r.bundles, string(data))
		r.heads = append(r.heads, q.Header)
	}
	w.WriteHeader(status)
}

func (r *receiver) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sinktest.Lines([]byte(strings.Join(r.bundles, "")))
}

func (r *receiver) open(t testing.TB, f format.Format, change func(*resurface.Config)) sink.Sink {
	t.Helper()
	c := resurface.DefaultConfig()
	c.Post.URL = r.URL + "/message"
	if change != nil {
		change(&c)
	}
	s, err := resurface.New(c, f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func rules(t testing.TB, text string) format.Format {
	t.Helper()
	f, err := pairs.New(pairs.Config{Rules: text, Host: "myhost"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func exchange(k int) *message.Exchange {
	return &message.Exchange{Protocol: "http", Flow: &flow.Flow{ID: uint64(k)},
		Request: &message.Message{Op: "GET", Target: fmt.Sprintf("/%d?secret=%d", k, k), Index: uint32(k), Start: 1e6,
			Fields: []message.Field{{Name: "Host", Value: "h"}, {Name: "Authorization", Value: "secret"}}},
		Response: &message.Message{From: flow.Server, Status: "200", Start: 3e6, Body: []byte("secret")},
	}
}

func exchanges(n int) []*message.Exchange {
	var all []*message.Exchange
	for k := range n {
		all = append(all, exchange(k))
	}
	return all
}

func want(n int) []string {
	var all []string
	for k := range n {
		all = append(all, fmt.Sprintf(`[["request_method","GET"],["request_url","http://h/%d"],["response_code","200"],["now","3"],["interval","2"],["host","myhost"]]`, k))
	}
	return all
}

func TestPromises(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Place {
		r := newReceiver(t)
		g := sinktest.NewGate(t, r)
		to := r.open(t, sinktest.Format{}, func(c *resurface.Config) { c.Post.URL = g.URL + "/message" })
		return sinktest.Place{Sink: to, Gate: g, Received: r.lines, Break: func() { g.Refuse(0) }}
	})
}

// What goes over the wire, compressed and not, from the queue through the rule.
func TestSubmission(t *testing.T) {
	for _, text := range []string{"include strict\nallow_http_url", "include strict\nallow_http_url\nskip_compression"} {
		r := newReceiver(t)
		f := rules(t, text)
		all := exchanges(100)
		for _, x := range all {
			if !f.(rule.Rule).Apply(x) {
				t.Fatal("dropped")
			}
		}
		q := sink.NewRecords(r.open(t, f, nil), sink.DefaultQueueConfig())
		q.Push(t.Context(), all)
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want(100), r.lines()); d != "" {
			t.Error(d)
		}
		encoding := "deflated"
		if strings.Contains(text, "skip") {
			encoding = ""
		}
		if h := r.heads[0]; h.Get("Content-Encoding") != encoding || len(r.heads) != 1 {
			t.Errorf("%d requests, %v", len(r.heads), h)
		}
	}
}

func TestBundles(t *testing.T) {
	r := newReceiver(t)
	s := r.open(t, rules(t, "include strict\nallow_http_url"), func(c *resurface.Config) { c.Bundle = 1000 })
	all := exchanges(100)
	all[7].Response, all[99].Request = nil, nil // the rules drop them, and they count as delivered
	if err := s.Write(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(append(want(7), want(99)[8:]...), r.lines()); d != "" {
		t.Error(d)
	}
	for _, b := range r.bundles {
		if len(b) > 1000+len(want(100)[99])+1 {
			t.Errorf("a bundle of %d bytes", len(b))
		}
	}
	if n := len(r.bundles); n < 5 || n > 20 {
		t.Errorf("%d bundles", n)
	}
}

// Only 204 says that a bundle was taken, and only a bundle that is wrong itself
// is given up.
func TestStatus(t *testing.T) {
	for status, permanent := range map[int]bool{200: false, 202: false, 301: false, 401: false, 404: false, 408: false, 429: false, 500: false, 503: false, 400: true, 413: true, 415: true, 422: true} {
		r := newReceiver(t)
		r.status = func(string) int { return status }
		err := r.open(t, rules(t, "include debug"), nil).Write(t.Context(), exchanges(1))
		if err == nil || sink.IsPermanent(err) != permanent || sink.IsBroken(err) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// A record that the receiver refuses is found and told alone.
func TestPoison(t *testing.T) {
	r := newReceiver(t)
	r.status = func(lines string) int {
		if strings.Contains(lines, "/37\"") {
			return 400
		}
		return 204
	}
	s := r.open(t, rules(t, "include strict\nallow_http_url"), nil)
	all := exchanges(100)
	err := s.Write(t.Context(), all)
	if !sink.IsPermanent(err) || sink.Delivered(err) != 37 {
		t.Fatalf("%d: %v", sink.Delivered(err), err)
	}
	if err := s.Write(t.Context(), all[38:]); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(append(want(37), want(100)[38:]...), r.lines()); d != "" {
		t.Error(d)
	}
}

// An outage loses nothing.
func TestOutage(t *testing.T) {
	r := newReceiver(t)
	failures := 3
	r.status = func(string) int {
		if failures--; failures >= 0 {
			return 503
		}
		return 204
	}
	s := r.open(t, rules(t, "include strict\nallow_http_url"), nil)
	all := exchanges(10)
	for {
		err := s.Write(t.Context(), all)
		if err == nil {
			break
		}
		if sink.IsPermanent(err) {
			t.Fatal(err)
		}
		all = all[sink.Delivered(err):]
	}
	if d := cmp.Diff(want(10), r.lines()); d != "" {
		t.Error(d)
	}
}

func TestRefused(t *testing.T) {
	open := func(url, text string) error {
		c := resurface.DefaultConfig()
		c.Post.URL = url
		s, err := resurface.New(c, rules(t, text))
		if err == nil {
			err = s.Close(t.Context())
		}
		return err
	}
	if err := open("http://u:pass@localhost:7701/message", "include strict"); err == nil || !strings.Contains(err.Error(), "allow_http_url") || strings.Contains(err.Error(), "pass") {
		t.Error(err)
	}
	for _, ok := range [][2]string{{"http://localhost:7701/message", "allow_http_url"}, {"https://localhost/message", ""}, {"", "skip_submission"}} {
		if err := open(ok[0], ok[1]); err != nil {
			t.Errorf("%v: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "localhost:7701", "/message", "ftp://x/", "http://"} {
		if err := open(bad, "include debug"); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if _, err := resurface.New(resurface.Config{Discard: true}, rules(t, "")); err != nil {
		t.Error(err)
	}
}

// Nothing is sent, and everything counts as delivered.
func TestDiscard(t *testing.T) {
	for _, text := range []string{"include debug\nskip_submission", "include debug"} {
		r := newReceiver(t)
		s := r.open(t, rules(t, text), func(c *resurface.Config) { c.Discard = text == "include debug" })
		if err := s.Write(t.Context(), exchanges(3)); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil || len(r.bundles) > 0 {
			t.Errorf("%v %q", err, r.bundles)
		}
		if err := s.Write(t.Context(), exchanges(1)); !sink.IsBroken(err) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// What was dropped is told at the end.
func TestDroppedIsLogged(t *testing.T) {
	r := newReceiver(t)
	var log bytes.Buffer
	s := r.open(t, rules(t, "include debug\n/request_url/ stop_if /.*7/"), func(c *resurface.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	all := exchanges(10)
	all[3].Response = nil
	if err := errors.Join(s.Write(t.Context(), all), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, "stopped=1 unpaired=1") {
		t.Error(got)
	}
}

// What a receiver gets of a known exchange is what Resurface's own programs have
// sent it, heads and all.
func TestGoldenSubmission(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(os.Getenv("PASSIFLOW_SHARED"), "spec", "resurface-golden.txt"))
	if err != nil {
		t.Skip("PASSIFLOW_SHARED names no golden lines")
	}
	for _, c := range []struct{ name, rules string }{{"get debug", "include debug"}, {"get debug skip_compression", "include debug\nskip_compression"}} {
		_, golden, ok := strings.Cut(string(data), "== "+c.name+"\n")
		if !ok {
			t.Fatal("no golden line")
		}
		head, rest, _ := strings.Cut(golden, "\n")
		quoted, _, _ := strings.Cut(rest, "\n")
		var line string
		if err := json.Unmarshal([]byte(quoted), &line); err != nil {
			t.Fatal(err)
		}
		fields := func(values ...string) (all []message.Field) {
			for i := 0; i < len(values); i += 2 {
				all = append(all, message.Field{Name: values[i], Value: values[i+1]})
			}
			return all
		}
		x := &message.Exchange{Protocol: "http", Flow: &flow.Flow{},
			Request: &message.Message{Op: "GET", Target: "/json?a=1&b=x%20y&a=2", Start: 1700000000122e6,
				Fields: fields("Host", "example.com:8080", "User-Agent", "curl/8", "Accept", "*/*", "Cookie", "SID=abc; theme=dark")},
			Response: &message.Message{From: flow.Server, Status: "200", Start: 1700000000123e6, Body: []byte(`{"ok":true}`),
				Fields: fields("Content-Type", "application/json", "Content-Length", "11")}}
		r := newReceiver(t)
		if err := r.open(t, rules(t, c.rules), nil).Write(t.Context(), []*message.Exchange{x}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(sorted(t, line), sorted(t, r.bundles[0])); d != "" {
			t.Error(d)
		}
		for _, name := range []string{"Content-Encoding", "Content-Type"} {
			if got := r.heads[0].Get(name); got == "" == strings.Contains(head, name) || !strings.Contains(head, name+":["+got+"]") && got != "" {
				t.Errorf("%s: %q, and not as in %s", name, got, head)
			}
		}
	}
}

func sorted(t *testing.T, line string) (all [][2]string) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &all); err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(all, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return all
}

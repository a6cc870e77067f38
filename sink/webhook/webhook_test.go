package webhook_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format"
	jsonformat "github.com/passiflow/passiflow/format/json"
	"github.com/passiflow/passiflow/format/messages"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/sinktest"
	"github.com/passiflow/passiflow/sink/webhook"
)

// receiver takes what is posted.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	kind   string
	answer func(body string) int
}

func receive(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.kind = q.Header.Get("Content-Type")
		if r.answer != nil {
			if status := r.answer(string(b)); status != 200 {
				w.WriteHeader(status)
				return
			}
		}
		r.bodies = append(r.bodies, string(b))
	}))
	t.Cleanup(r.Close)
	return r
}

func open(t *testing.T, r *receiver, b webhook.Batch, f format.Format) sink.Sink {
	t.Helper()
	c := webhook.DefaultConfig()
	c.Post.URL, c.Batch = r.URL, b
	s, err := webhook.New(c, f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSink(t *testing.T) {
	for _, b := range []webhook.Batch{webhook.Each, webhook.Lines} {
		t.Run(string(b), func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Place {
				r := receive(t)
				g := sinktest.NewGate(t, r.Config.Handler)
				r.URL = g.URL
				return sinktest.Place{Sink: open(t, r, b, sinktest.Format{}), Gate: g, Break: func() { g.Refuse(0) },
					Received: func() []string { return sinktest.Lines([]byte(strings.Join(r.bodies, ""))) }}
			})
		})
	}
}

func exchange(target string) *message.Exchange {
	return &message.Exchange{Flow: &flow.Flow{}, Protocol: "http", Request: &message.Message{Op: "GET", Target: target, Body: []byte("a\nb")}, Response: &message.Message{Status: "200"}}
}

func exchanges(n int) (all []*message.Exchange) {
	for i := range n {
		all = append(all, exchange(fmt.Sprintf("/%d", i)))
	}
	return all
}

func TestShapes(t *testing.T) {
	for _, c := range []struct {
		batch  webhook.Batch
		format format.Format
		kind   string
		posts  int
	}{
		{webhook.Array, jsonformat.New(jsonformat.DefaultConfig()), "application/json", 1},
		{webhook.Lines, jsonformat.New(jsonformat.DefaultConfig()), "application/x-ndjson", 1},
		{webhook.Each, jsonformat.New(jsonformat.DefaultConfig()), "application/json", 3},
		{webhook.Each, messages.New(messages.DefaultConfig()), "application/json", 6},
		{webhook.Array, messages.New(messages.DefaultConfig()), "application/json", 1},
	} {
		r := receive(t)
		s := open(t, r, c.batch, c.format)
		batch := exchanges(3)
		batch[1].Summary = nil
		if err := s.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if len(r.bodies) != c.posts || r.kind != c.kind {
			t.Errorf("%s: %d posts of %s", c.batch, len(r.bodies), r.kind)
		}
		for _, b := range r.bodies {
			if c.batch != webhook.Lines && !json.Valid([]byte(b)) {
				t.Errorf("not JSON: %s", b)
			}
		}
		if c.batch == webhook.Array {
			var all []any
			if err := json.Unmarshal([]byte(r.bodies[0]), &all); err != nil || len(all)%3 != 0 {
				t.Errorf("%v %d", err, len(all))
			}
		}
		// What gives no text gives no request.
		r.bodies = nil
		if err := s.Write(t.Context(), []*message.Exchange{{Flow: &flow.Flow{}, Protocol: "http"}}); err != nil || len(r.bodies) != 0 {
			t.Errorf("%s: %v %q", c.batch, err, r.bodies)
		}
	}
}

// queue does with errors what the queue does, and returns what was dropped.
func queue(t *testing.T, s sink.Sink, batch []*message.Exchange) (dropped []string) {
	t.Helper()
	for tries := 0; len(batch) > 0 && tries < 100; tries++ {
		err := s.Write(t.Context(), batch)
		if err == nil {
			return dropped
		}
		n := sink.Delivered(err)
		partial := sink.IsPartial(err)
		batch = batch[n:]
		if sink.IsPermanent(err) {
			drop := len(batch)
			if partial {
				drop = 1
			}
			for _, x := range batch[:drop] {
				dropped = append(dropped, x.Request.Target)
			}
			batch = batch[drop:]
		}
	}
	return dropped
}

func TestOneBadRecordCostsOne(t *testing.T) {
	for _, b := range []webhook.Batch{webhook.Each, webhook.Array, webhook.Lines} {
		for _, status := range []int{400, 413, 422} {
			r := receive(t)
			r.answer = func(body string) int {
				if strings.Contains(body, `"/5"`) {
					return status
				}
				return 200
			}
			s := open(t, r, b, jsonformat.New(jsonformat.DefaultConfig()))
			dropped := queue(t, s, exchanges(9))
			if d := cmp.Diff([]string{"/5"}, dropped); d != "" {
				t.Errorf("%s %d: %s", b, status, d)
			}
			all := strings.Join(r.bodies, "")
			for i := range 9 {
				if n := strings.Count(all, fmt.Sprintf(`"/%d"`, i)); n != 1 && i != 5 {
					t.Errorf("%s: record %d came %d times", b, i, n)
				}
			}
		}
	}
}

func TestRefusedAsAWhole(t *testing.T) {
	r := receive(t)
	posts := 0
	r.answer = func(string) int { posts++; return 401 }
	s := open(t, r, webhook.Array, jsonformat.New(jsonformat.DefaultConfig()))
	err := s.Write(t.Context(), exchanges(9))
	var status *sink.StatusError
	if !sink.IsPermanent(err) || !errors.As(err, &status) || status.Status != 401 || posts != 1 {
		t.Errorf("%v, %d posts", err, posts)
	}
	posts = 0
	r.answer = func(string) int { posts++; return 503 }
	if err := s.Write(t.Context(), exchanges(9)); err == nil || sink.IsPermanent(err) || sink.Delivered(err) != 0 || posts != 1 {
		t.Errorf("%v, %d posts", err, posts)
	}
	s = open(t, r, webhook.Each, jsonformat.New(jsonformat.DefaultConfig()))
	posts = 0
	r.answer = func(string) int {
		if posts++; posts > 4 {
			return 503
		}
		return 200
	}
	if err := s.Write(t.Context(), exchanges(9)); sink.Delivered(err) != 4 || sink.IsPermanent(err) || posts != 5 {
		t.Errorf("%v, %d posts", err, posts)
	}
}

// With several requests under way, what is delivered ahead of a failure does not
// come twice.
func TestConcurrency(t *testing.T) {
	r := &receiver{}
	var mu sync.Mutex
	under, most, tries := 0, 0, map[string]int{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		mu.Lock()
		under++
		most = max(most, under)
		mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		under--
		text := strings.TrimSpace(string(b))
		tries[text]++
		switch n := tries[text]; {
		case strings.HasSuffix(text, "7") && n < 4:
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasSuffix(text, "3"):
			w.WriteHeader(http.StatusNotFound)
		default:
			r.bodies = append(r.bodies, text)
		}
	}))
	defer r.Close()
	c := webhook.DefaultConfig()
	c.Post.URL, c.Batch, c.Concurrency, c.Post.Gzip = r.URL, webhook.Each, 8, false
	s, err := webhook.New(c, sinktest.Format{})
	if err != nil {
		t.Fatal(err)
	}
	all := exchanges(200)
	for i, x := range all {
		x.Request.Index = uint32(i)
	}
	dropped := queue(t, s, all)
	got := map[string]int{}
	for _, b := range r.bodies {
		got[b]++
	}
	for i := range 200 {
		want := 1
		if i%10 == 3 {
			want = 0
		}
		if got[fmt.Sprintf("/%d", i)] != want {
			t.Errorf("record %d came %d times", i, got[fmt.Sprintf("/%d", i)])
		}
	}
	if len(dropped) != 20 || most < 2 || most > 8 {
		t.Errorf("dropped %v, %d at once", dropped, most)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Records of conversations have no half that names them, and some have not even a
// conversation: none of them is taken for another one that was delivered ahead.
func TestConcurrencyOfConversations(t *testing.T) {
	for name, of := range map[string]func(i int) *message.Exchange{
		"conversations": func(i int) *message.Exchange {
			f := &flow.Flow{ID: uint64(i + 1)}
			return &message.Exchange{Flow: f, Summary: &flow.Summary{Flow: f}}
		},
		"nameless": func(int) *message.Exchange { return &message.Exchange{Request: &message.Message{}} },
	} {
		t.Run(name, func(t *testing.T) {
			const n = 40
			var mu sync.Mutex
			tries, got := map[string]int{}, map[string]int{}
			r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				b, _ := io.ReadAll(q.Body)
				mu.Lock()
				defer mu.Unlock()
				if tries[string(b)]++; strings.HasSuffix(string(b), "0") && tries[string(b)] < 3 {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				got[string(b)]++
			}))
			defer r.Close()
			var all []*message.Exchange
			f := numbers{}
			for i := range n {
				x := of(i)
				f[x] = i
				all = append(all, x)
			}
			c := webhook.DefaultConfig()
			c.Post.URL, c.Batch, c.Concurrency = r.URL, webhook.Each, 8
			s, err := webhook.New(c, f)
			if err != nil {
				t.Fatal(err)
			}
			if dropped := queue(t, s, all); len(dropped) > 0 {
				t.Errorf("dropped %v", dropped)
			}
			for i := range n {
				if k := got[fmt.Sprint(i)]; k == 0 || name == "conversations" && k > 1 {
					t.Errorf("record %d came %d times", i, k)
				}
			}
		})
	}
}

// numbers is a format that writes a record's number.
type numbers map[*message.Exchange]int

func (numbers) ContentType() string { return "text/plain" }
func (f numbers) Append(dst []byte, x *message.Exchange) []byte {
	return fmt.Append(dst, f[x])
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		change func(*webhook.Config)
		want   string
	}{
		{func(*webhook.Config) {}, "webhook: url: none given"},
		{func(c *webhook.Config) { c.Concurrency = 65 }, "webhook: concurrency 65: must be"},
		{func(c *webhook.Config) { c.Batch = "some" }, `webhook: batch "some": must be each, array or lines`},
		{func(c *webhook.Config) { c.Post.URL = "http://h" }, "webhook: batch array: text/plain cannot stand"},
	} {
		wc := webhook.DefaultConfig()
		f := format.Format(sinktest.Format{})
		c.change(&wc)
		if wc.Post.URL == "" {
			f = messages.New(messages.DefaultConfig())
		}
		if _, err := webhook.New(wc, f); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

package replay_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/internal/replay"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/sink/shadow/diff"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// server is an HTTP server that keeps what it was asked, by connection.
type server struct {
	*httptest.Server
	mu          sync.Mutex
	connections map[int64][]asked
	count       atomic.Int64
	most, now   atomic.Int64
}

type number struct{} // of a connection

type asked struct {
	line string // method, target, body
	head http.Header
	at   time.Time
}

func serve(t testing.TB, h http.HandlerFunc, change ...func(*http.Server)) *server {
	s := &server{connections: map[int64][]asked{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for n, most := s.now.Add(1), s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
		}
		defer s.now.Add(-1)
		body, _ := io.ReadAll(r.Body)
		s.count.Add(1)
		s.mu.Lock()
		a := asked{r.Method + " " + r.RequestURI + " " + string(body), r.Header.Clone(), time.Now()}
		c := r.Context().Value(number{}).(int64)
		s.connections[c] = append(s.connections[c], a)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/plain")
		h(w, r)
	}))
	var accepted atomic.Int64
	s.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, number{}, accepted.Add(1))
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	for _, f := range change {
		f(s.Config)
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// talks returns what was asked on each connection, sorted by what came first.
func (s *server) talks() map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string][]string{}
	for _, c := range s.connections {
		var lines []string
		for _, a := range c {
			lines = append(lines, a.line)
		}
		all[lines[0]] = lines
	}
	return all
}

func echo(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", r.Method, r.RequestURI) }

// answer is what echo says, as a server sends it.
func answer(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: then\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func options(t testing.TB, file []byte, to string) replay.Options {
	t.Helper()
	o := replay.DefaultOptions()
	o.File, o.Stdin, o.Speed = "-", bytes.NewReader(file), 0
	// Where few connections may wait to be accepted, one takes some seconds.
	o.Connect, o.Timeout = time.Minute, time.Minute
	var err error
	if o.Target, err = wire.ParseTarget(to); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Target.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	return o
}

func run(t testing.TB, o replay.Options) *diff.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	r, err := replay.Load(ctx, &o)
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if report.Stopped {
		t.Fatal("did not end")
	}
	// The sums of the report.
	var refused, unanswered, uncompared int64
	for _, c := range report.Refused {
		refused += c.Count
	}
	for _, c := range report.Unanswered {
		unanswered += c.Count
	}
	for _, c := range report.Uncompared {
		uncompared += c.Count
	}
	if n := report.Requests*report.Rounds - refused*report.Rounds; report.Sent != n || report.Sent != report.Answered+unanswered || report.Sent != report.Same+report.Different+uncompared {
		t.Errorf("the sums differ: %+v", report)
	}
	return report
}

func TestConversations(t *testing.T) {
	tape := packettest.NewTape()
	want := map[string][]string{}
	var all []*packettest.Conversation
	const conversations, requests = 40, 5
	for i := range conversations {
		all = append(all, tape.Open(fmt.Sprintf("10.0.0.%d:4000", i+1), "10.1.0.1:80", nil))
	}
	for k := range requests {
		for i, c := range all {
			method := []string{"GET", "POST"}[k%2]
			target := fmt.Sprintf("/%d/%d?x=%%20", i, k)
			body := strings.Repeat("b", k)
			switch k {
			case 3: // chunked
				c.Client(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n2\r\nbb\r\n0\r\n\r\n", method, target))
			default:
				c.Client(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", method, target, k, body))
			}
			c.Server(answer(method + " " + target))
			first := fmt.Sprintf("GET /%d/0?x=%%20 ", i)
			want[first] = append(want[first], method+" "+target+" "+body)
		}
	}
	s := serve(t, echo)
	o := options(t, tape.Bytes(), s.URL)
	o.Request.Unsafe = true
	r := run(t, o)
	if d := cmp.Diff(want, s.talks()); d != "" {
		t.Error(d)
	}
	if r.Same != conversations*requests || r.Different != 0 || r.Conversations != conversations || r.Connections != conversations || r.LastByte.Recorded.Count != conversations*requests {
		t.Errorf("%+v", r)
	}
}

// The same from records, whichever unit they are in, and from a file that has
// both and each twice.
func TestRecords(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:4000", "10.1.0.1:80", nil)
	c.Client("GET /a HTTP/1.1\r\nHost: a\r\nX-B: 1\r\nx-b: 2\r\n\r\n")
	c.Server(answer("GET /a"))
	c.Client("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
	c.Server("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: 27\r\n\r\n" + gzipped("GET /b"))
	c.Client("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\xff\x00b")
	c.Server(answer("POST /c"))
	c.Close()
	exchanges, messages := lines(t, tape.Bytes(), "exchange"), lines(t, tape.Bytes(), "message")
	for name, in := range map[string]string{
		"exchanges": exchanges, "messages": messages, "both": exchanges + messages, "both, messages first": messages + exchanges,
		"twice": exchanges + exchanges, "torn": exchanges + exchanges[:30], "blank lines": "\ufeff\n" + strings.ReplaceAll(exchanges, "\n", "\r\n\r\n"),
		"gzip": gzipped(exchanges),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, echo)
			o := options(t, []byte(in), s.URL)
			o.Request.Unsafe = true
			r := run(t, o)
			if d := cmp.Diff(map[string][]string{"GET /a ": {"GET /a ", "GET /b ", "POST /c \xff\x00b"}}, s.talks()); d != "" {
				t.Error(d)
			}
			if r.Same != 3 || r.Different > 0 || len(r.BodiesUncompared) > 0 || r.FirstByte.Replayed.Count != 3 {
				t.Errorf("%+v", r)
			}
			for _, c := range s.connections {
				if d := cmp.Diff([]string{"1", "2"}, c[0].head["X-B"]); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestSafeByDefault(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:4000", "10.1.0.1:80", nil)
	for _, m := range []string{"GET", "POST", "HEAD", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE", "BREW"} {
		c.Client(m + " /" + m + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if m == "HEAD" {
			c.Server("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n")
			continue
		}
		c.Server(answer(m + " /" + m))
	}
	c.Close()
	s := serve(t, echo)
	o := options(t, tape.Bytes(), s.URL)
	r := run(t, o)
	if d := cmp.Diff(map[string][]string{"GET /GET ": {"GET /GET ", "HEAD /HEAD ", "OPTIONS /OPTIONS ", "TRACE /TRACE "}}, s.talks()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]diff.Count{{What: "unsafe method", Count: 5}}, r.Refused); d != "" || r.Same != 4 {
		t.Error(d, r)
	}
}

// Requests that were sent without waiting for answers are sent so again, and
// those that had waited wait, however fast.
func TestPipelined(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:4000", "10.1.0.1:80", nil)
	ask := func(n int) string { return fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", n) }
	c.Client(ask(1) + ask(2))
	c.Client(ask(3))
	c.Server(answer("1") + answer("2"))
	c.Server(answer("3"))
	c.Client(ask(4))
	c.Server(answer("4"))
	c.Close()

	// A server that answers only when it has three requests.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 10)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b := make([]byte, 4096)
		var all string
		for strings.Count(all, "\r\n\r\n") < 3 {
			n, err := c.Read(b)
			if err != nil {
				got <- "only " + all
				return
			}
			all += string(b[:n])
		}
		// The fourth must not come before the answers.
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, _ := c.Read(b); n > 0 {
			got <- "too early: " + string(b[:n])
			return
		}
		_, _ = io.WriteString(c, answer("1")+answer("2")+answer("3"))
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		n, _ := c.Read(b)
		got <- all + string(b[:n])
		_, _ = io.WriteString(c, answer("4"))
	}()
	r := run(t, options(t, tape.Bytes(), l.Addr().String()))
	if d := cmp.Diff(ask(1)+ask(2)+ask(3)+ask(4), <-got); d != "" {
		t.Error(d)
	}
	if r.Same != 4 || r.Connections != 1 {
		t.Errorf("%+v", r)
	}
}

func TestTiming(t *testing.T) {
	tape := packettest.NewTape()
	a := tape.Open("10.0.0.1:4000", "10.1.0.1:80", nil)
	b := tape.Open("10.0.0.2:4000", "10.1.0.1:80", nil)
	var want []time.Duration
	begin := time.Duration(0)
	for i, c := range []*packettest.Conversation{a, b, a, a, b} {
		want = append(want, begin)
		c.Client(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i))
		c.Server(answer("x"))
		tape.Wait(time.Duration(i) * 100 * time.Millisecond)
		begin += 4*time.Millisecond + time.Duration(i)*100*time.Millisecond
	}
	// A busy machine may be late, again and again, but not each time with the same;
	// nothing is ever early.
	const most = 100 * time.Millisecond
	for _, speed := range []float64{1, 4, 0.8, 0} {
		late := slices.Repeat([]time.Duration{time.Hour}, len(want)+1)
		for i := 0; i < 20 && slices.Max(late) > most; i++ {
			timing(t, tape.Bytes(), want, speed, late)
		}
		for i, d := range late {
			if d > most {
				t.Errorf("speed %g: request %d is %v late, each time", speed, i, d)
			}
		}
	}
}

// timing replays a capture. It lowers late to how much later than wanted each
// request came, and its last value to twice what the report says of half of them.
func timing(t *testing.T, capture []byte, want []time.Duration, speed float64, late []time.Duration) {
	t.Helper()
	s := serve(t, echo)
	o := options(t, capture, s.URL)
	o.Speed = speed
	began := time.Now()
	r := run(t, o)
	at := map[string]time.Time{}
	for _, c := range s.connections {
		for _, x := range c {
			at[x.line] = x.at
		}
	}
	for i, w := range want {
		line := fmt.Sprintf("GET /%d ", i)
		if at[line].IsZero() {
			t.Fatalf("speed %g: request %d did not come", speed, i)
		}
		if speed == 0 {
			w = 0
		} else {
			w = time.Duration(float64(w) / speed)
		}
		if d := at[line].Sub(began); d < w {
			t.Errorf("speed %g: request %d after %v, want %v at least", speed, i, d, w)
		}
		late[i] = min(late[i], at[line].Sub(at["GET /0 "])-w)
	}
	late[len(want)] = min(late[len(want)], 2*r.Late.P50)
	if (r.Late.Count > 0) != (speed > 0) {
		t.Errorf("speed %g: %+v", speed, r.Late)
	}
}

func TestLoopAndConcurrency(t *testing.T) {
	tape := packettest.NewTape()
	for i := range 12 {
		c := tape.Open(fmt.Sprintf("10.0.0.%d:4000", i+1), "10.1.0.1:80", nil)
		c.Client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		c.Server(answer("GET /"))
		c.Close()
	}
	var s *server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		for end := time.Now().Add(20 * time.Second); s.most.Load() < 4 && time.Now().Before(end); {
			time.Sleep(time.Millisecond) // for others, who must not wait for this one
		}
		time.Sleep(10 * time.Millisecond)
		echo(w, r)
	})
	o := options(t, tape.Bytes(), s.URL)
	o.Rounds, o.Concurrency = 3, 4
	if r := run(t, o); r.Sent != 36 || r.Same != 36 || r.Connections != 36 || s.count.Load() != 36 {
		t.Errorf("%+v", r)
	}
	if n := s.most.Load(); n != 4 {
		t.Errorf("%d requests at once", n)
	}
	// Without end, until it is stopped.
	o = options(t, tape.Bytes(), s.URL)
	o.Rounds = 0
	r, err := replay.Load(t.Context(), &o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := s.count.Load()
	go func() { // after three rounds
		for s.count.Load() < before+3*12 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	report, err := r.Run(ctx)
	if err != nil || !report.Stopped || report.Rounds < 2 || report.Different != 0 {
		t.Errorf("%v, %+v", err, report)
	}
}

func TestManyConversations(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 conversations take a while")
	}
	const conversations = 10_000
	tape := packettest.NewTape()
	for i := range conversations {
		c := tape.Open(fmt.Sprintf("10.0.%d.%d:4000", i/250, 1+i%250), "10.1.0.1:80", nil)
		for k := range 2 {
			target := fmt.Sprintf("/%d/%d", i, k)
			c.Client("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")
			c.Server(answer("GET " + target))
		}
		c.Close()
	}
	s := serve(t, echo)
	o := options(t, tape.Bytes(), s.URL)
	o.Concurrency = 200 // of ours and of the server's, where 1024 files may be open
	r := run(t, o)
	if r.Same != 2*conversations || r.Connections != conversations || r.Conversations != conversations {
		t.Errorf("%+v", r)
	}
	for first, lines := range s.talks() {
		base := strings.TrimSuffix(first, "/0 ")
		if len(lines) != 2 || lines[1] != base+"/1 " {
			t.Fatalf("%q", lines)
		}
	}
}

func TestLimitsOfLoad(t *testing.T) {
	tape := packettest.NewTape()
	for i := range 5 {
		c := tape.Open(fmt.Sprintf("10.0.0.%d:4000", i+1), fmt.Sprintf("10.1.0.1:%d", 80+i), nil)
		for k := range 4 {
			c.Client(fmt.Sprintf("GET /%d/%d HTTP/1.1\r\nHost: a\r\n\r\n", i, k))
			c.Server(answer("x"))
		}
		c.Close()
	}
	load := func(change func(*replay.Options)) (*replay.Recording, error) {
		o := options(t, tape.Bytes(), "127.0.0.1:1")
		change(&o)
		return replay.Load(t.Context(), &o)
	}
	r, err := load(func(o *replay.Options) { o.Limit = 6 })
	if err != nil || r.Sendable != 6 || r.Conversations() != 2 || r.Refused["over the limit"] != 14 {
		t.Errorf("%v, %+v", err, r)
	}
	r, err = load(func(o *replay.Options) { o.Ports = func(p uint16) bool { return p == 82 } })
	if err != nil || r.Sendable != 4 || r.Requests != 4 {
		t.Errorf("%v, %+v", err, r)
	}
	// Of what is left out nothing is kept, not even to find it twice.
	twice := strings.Repeat(lines(t, tape.Bytes(), "exchange"), 2)
	r, err = load(func(o *replay.Options) {
		o.Stdin, o.Ports = strings.NewReader(twice), func(p uint16) bool { return p == 82 }
	})
	if err != nil || r.Sendable != 4 || r.Skipped["duplicate"] != 4 {
		t.Errorf("%v, %+v", err, r)
	}
	if _, err = load(func(o *replay.Options) { o.Memory = 3000 }); err == nil || !strings.Contains(err.Error(), "--memory") {
		t.Error(err)
	}
	for in, want := range map[string]string{
		"": "is empty", "hello world, this is no capture": "read -: begins with 68 65 6c 6c: not a pcap or pcapng capture", `{"schema":"other/1"}`: "schema", `{"schema":` + "\n": "line 1",
		`{"schema":"passiflow.exchange/1","id":"x"}`: "id", `{"schema":"passiflow.exchange/1","id":"0123456789abcdef00000000","request":{"body":"%","body_encoding":"base64"}}`: "body",
		`{"schema":"passiflow.exchange/1","id":"0123456789abcdef00000000","request":{"headers":[]}}`: "headers",
		`{"schema":"passiflow.flow/1","id":"0123456789abcdef"}`:                                      "no HTTP request",
	} {
		if _, err := load(func(o *replay.Options) { o.Stdin = strings.NewReader(in) }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

package delivery

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passiflow/passiflow/flow"
	formatjson "github.com/passiflow/passiflow/format/json"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/webhook"
)

// soak tells whether there is time for the whole of a test.
func soak() bool { return os.Getenv("PASSIFLOW_SOAK") != "" }

// record makes one of about 2 kB.
func record(n int) *message.Exchange {
	at := packet.Time(1767323045e9 + int64(n)*1e6)
	return &message.Exchange{Protocol: "http",
		Flow: &flow.Flow{ID: uint64(n), Transport: packet.TCP, Source: "eth0", Start: at,
			Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:80")},
		Request: &message.Message{Start: at, End: at, Op: "POST", Target: fmt.Sprintf("/orders/%d", n), Version: "1.1",
			Fields: []message.Field{{Name: "Host", Value: "shop.example"}, {Name: "Content-Type", Value: "application/json"}},
			Body:   bytes.Repeat([]byte("a"), 500), Size: 500, WireSize: 500},
		Response: &message.Message{From: flow.Server, Start: at, End: at + 1e5, Status: "200", Reason: "OK", Version: "1.1",
			Fields: []message.Field{{Name: "Content-Length", Value: "500"}}, Body: bytes.Repeat([]byte("b"), 500), Size: 500, WireSize: 500},
	}
}

// receiver is a place that takes records by HTTP at an address of its own.
type receiver struct {
	address string
	server  *http.Server
	mu      sync.Mutex
	ids     map[string]int
}

func newReceiver(t *testing.T) *receiver {
	host := "127.0.0.1"
	if runtime.GOOS == "linux" { // elsewhere there is one address
		host = "127.77.0.1" // whose ports nobody's connections come from while we are down
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &receiver{address: l.Addr().String(), ids: map[string]int{}}
}

func (r *receiver) up(t *testing.T) {
	var l net.Listener
	var err error
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if l, err = net.Listen("tcp", r.address); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	r.server = &http.Server{Handler: http.HandlerFunc(r.take), ReadHeaderTimeout: time.Minute}
	go func(s *http.Server) { _ = s.Serve(l) }(r.server) // ends with down, which is its error
}

// down answers what has come and takes no more.
func (r *receiver) down(t *testing.T) {
	if err := r.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (r *receiver) take(w http.ResponseWriter, q *http.Request) {
	var ids []string
	lines := bufio.NewScanner(q.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x struct{ ID string }
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil || x.ID == "" {
			http.Error(w, "torn", http.StatusBadRequest)
			return
		}
		ids = append(ids, x.ID)
	}
	if lines.Err() != nil {
		http.Error(w, "torn", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	for _, id := range ids {
		r.ids[id]++
	}
	r.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) received() (n, twice int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.ids {
		if k > 1 {
			twice++
		}
	}
	return len(r.ids), twice
}

func hook(t *testing.T, address string) sink.Sink {
	t.Helper()
	c := webhook.DefaultConfig()
	c.Post.URL, c.Batch = "http://"+address+"/in", webhook.Lines
	s, err := webhook.New(c, formatjson.New(formatjson.DefaultConfig()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A receiver that is down for a minute at 1,000 records a second gets all of
// them when it is back, and none of them twice.
func TestOutage(t *testing.T) {
	outage, rate := 4*time.Second, 1000
	c := sink.DefaultQueueConfig()
	c.Bytes = 2 << 20 // less than what the outage brings
	c.Retry.Max = time.Second
	if soak() {
		outage = time.Minute
		c.Retry.Max = sink.DefaultRetryConfig().Max
	}
	c.Spool.Directory = t.TempDir()
	r := newReceiver(t)
	r.up(t)
	q, err := sink.OpenRecords(hook(t, r.address), c)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	push := func(d time.Duration) {
		for began, from := time.Now(), n; time.Since(began) < d; time.Sleep(5 * time.Millisecond) {
			for n-from < int(time.Since(began).Seconds()*float64(rate)) {
				q.Push(t.Context(), []*message.Exchange{record(n)})
				n++
			}
		}
	}
	push(time.Second)
	r.down(t)
	push(outage)
	during := q.Stats()
	r.up(t)
	back := time.Now()
	var caught time.Duration
	for caught == 0 && time.Since(back) < outage+c.Retry.Max {
		push(100 * time.Millisecond)
		if st := q.Stats(); st.Spooled.Records == 0 && st.Circuit == sink.Closed {
			caught = time.Since(back)
		}
	}
	if err := q.Close(t.Context()); err != nil {
		t.Error(err)
	}
	r.down(t)
	got, twice := r.received()
	st := q.Stats()
	t.Logf("%d records in an outage of %v, %d in the spool (%d MiB) and %d in memory at its end; caught up %v after it", n, outage,
		during.Spooled.Records, during.Spool.Bytes>>20, during.Depth.Records, caught)
	if got != n || twice != 0 || st.Lost() != (sink.Count{}) || during.Spooled.Records == 0 {
		t.Errorf("%d of %d arrived, %d twice: %+v", got, n, twice, st)
	}
}

// count is a sink that does nothing but count.
type count struct{ records atomic.Int64 }

func (c *count) Write(_ context.Context, batch []*message.Exchange) error {
	c.records.Add(int64(len(batch)))
	return nil
}
func (*count) Close(context.Context) error { return nil }

// One receiver is stalled and another one is not there: who pushes at full speed
// is not held up, a third sink gets everything, the drops are those two's and
// counted, and memory stays within its budget.
func TestStalled(t *testing.T) {
	span := 2 * time.Second
	if soak() {
		span = 30 * time.Second
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // connections are made, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	absent := newReceiver(t)

	const budget = 8 << 20
	c := sink.DefaultQueueConfig()
	c.Bytes = budget
	stalled := sink.NewRecords(hook(t, l.Addr().String()), c)
	spools := c
	spools.Spool.Directory, spools.Spool.Bytes, spools.Spool.Segment = t.TempDir(), 16<<20, 2<<20
	down, err := sink.OpenRecords(hook(t, absent.address), spools)
	if err != nil {
		t.Fatal(err)
	}
	waits := c
	waits.Policy = sink.Wait // so that it is the well one's pace that counts
	var well count
	fine := sink.NewRecords(&well, waits)

	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, most := heap(), int64(0)
	var pushed atomic.Int64
	var pushers sync.WaitGroup
	var gate sync.RWMutex // what is being made while memory is looked at is nobody's budget
	began := time.Now()
	// It goes on until more was pushed than the bounds hold, however slow we are.
	ends := func() bool {
		took := time.Since(began)
		return took >= span && pushed.Load() > 50_000 || took > span+time.Minute
	}
	for range 2 {
		pushers.Go(func() {
			batch := make([]*message.Exchange, 16)
			for !ends() {
				gate.RLock()
				for i := range batch {
					batch[i] = record(int(pushed.Add(1)))
				}
				for _, q := range []*sink.Records{stalled, down, fine} {
					q.Push(t.Context(), batch)
				}
				clear(batch)
				gate.RUnlock()
			}
		})
	}
	for !ends() {
		time.Sleep(span / 10)
		gate.Lock()
		most = max(most, heap()-before)
		gate.Unlock()
	}
	pushers.Wait()
	took := time.Since(began)
	closeAll := func(q *sink.Records, within time.Duration) sink.Stats {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_ = q.Close(ctx) // what it could not deliver is counted
		st := q.Stats()
		lost := st.Lost()
		if st.Pushed.Records != st.Written.Records+lost.Records+st.Spooled.Records+st.Depth.Records || st.Pushed.Records != pushed.Load() {
			t.Errorf("%+v", st)
		}
		return st
	}
	a, b, w := closeAll(stalled, time.Second), closeAll(down, time.Second), closeAll(fine, time.Minute)
	t.Logf("%d records in %v; %d and %d dropped of the stalled and the absent one; at most %d MiB more memory with three queues of %d MiB",
		pushed.Load(), took.Round(time.Millisecond), a.Dropped[sink.Full].Records, b.Dropped[sink.SpoolFull].Records+b.Dropped[sink.Full].Records, most>>20, budget>>20)
	if well.records.Load() != pushed.Load() || w.Lost() != (sink.Count{}) {
		t.Errorf("the well sink got %d of %d", well.records.Load(), pushed.Load())
	}
	if a.Dropped[sink.Full].Records == 0 || b.Dropped[sink.SpoolFull].Records+b.Dropped[sink.Full].Records == 0 {
		t.Error("nothing was dropped: the test proves nothing")
	}
	if a.Peak > budget || b.Peak > budget || most > 3*budget+8<<20 {
		t.Errorf("peaks %d and %d of %d bytes, %d MiB more memory", a.Peak, b.Peak, budget, most>>20)
	}
}

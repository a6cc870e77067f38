package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	recordformat "github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/mirror"
	"github.com/passiflow/passiflow/source/afpacket"
	"github.com/passiflow/passiflow/source/netnstest"
)

// notebook is an HTTP server that notes what it is asked, and answers at length.
type notebook struct {
	net.Listener
	mu   sync.Mutex
	seen []string
}

func openNotebook(t *testing.T) *notebook {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &notebook{Listener: ln}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: n}
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Close() })
	return n
}

// ServeHTTP implements http.Handler.
func (n *notebook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	n.mu.Lock()
	n.seen = append(n.seen, fmt.Sprintf("%s %s %d", r.Method, r.URL, len(b)))
	n.mu.Unlock()
	_, _ = w.Write(bytes.Repeat([]byte("answer "), answerBytes/7))
}

func (n *notebook) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.seen)
}

const (
	clients     = 8
	requests    = 10 // of each, over one connection
	answerBytes = 70_000
)

// askMany lets clients ask server.
func askMany(t *testing.T, server net.Addr) {
	t.Helper()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: time.Minute}
			defer client.CloseIdleConnections()
			for k := range requests {
				resp, err := client.Post(fmt.Sprintf("http://%s/%d/%d", server, i, k), "text/plain", strings.NewReader(strings.Repeat("t\n", 1000*k)))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	all.Wait()
}

// check holds what a target was asked against what the observed server was.
func (n *notebook) check(t *testing.T) {
	t.Helper()
	want := map[string]bool{}
	for i := range clients {
		for k := range requests {
			want[fmt.Sprintf("POST /%d/%d %d", i, k, 2000*k)] = true
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.seen {
		if !want[s] {
			t.Errorf("%s: not asked, or twice", s)
		}
		delete(want, s)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

// sides returns how many bytes of each side a file of records holds.
func sides(t *testing.T, from io.Reader) map[string]int {
	t.Helper()
	all := map[string]int{}
	r := recordformat.NewReader(from, recordformat.DefaultConfig())
	for {
		x, err := r.Next()
		if err == io.EOF {
			if s := r.Stats(); s.Bad() > 0 {
				t.Errorf("%+v", s)
			}
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[x.From] += len(x.Data)
	}
}

// until waits for what should come soon: for long, as the machine may be busy.
func until(what func() bool) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && !what(); {
		time.Sleep(10 * time.Millisecond)
	}
}

// Requests that a server gets reach another one, live, and a record.
func TestMirror(t *testing.T) {
	netnstest.Need(t)
	c := afpacket.DefaultConfig()
	c.Interfaces = []string{"lo"}
	live, err := afpacket.Open(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	observed, to := openNotebook(t), openNotebook(t)
	var out bytes.Buffer
	m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{
		ObservedPort: uint16(observed.Addr().(*net.TCPAddr).Port), TargetAddr: to.Addr().String(), Writer: &out,
		Options: mirror.Options{DrainResponses: true, Workers: 4, CaptureTime: true}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx, mirror.NewSourceObservedPacketSource(live[0])) }()
	askMany(t, observed.Addr())
	until(func() bool { return to.count() == clients*requests && m.Stats().Streams.Open == 0 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	to.check(t)
	if s, by := m.Stats(), sides(t, &out); len(by) != clients || s.Forwarded == 0 || s.Answered < clients*requests*answerBytes {
		t.Errorf("%v, %+v", by, s)
	}
}

// The same by the program.
func TestForwardAndRecord(t *testing.T) {
	netnstest.Need(t)
	observed, to := openNotebook(t), openNotebook(t)
	name := filepath.Join(t.TempDir(), "mirror.log")
	port := observed.Addr().(*net.TCPAddr).Port
	c := start(t, "-i", "lo", "-p", strconv.Itoa(port), "--sink", "forward="+to.Addr().String(), "--sink", "record="+name, "--raw-unmasked")
	askMany(t, observed.Addr())
	until(func() bool { return to.count() == clients*requests })
	c.stop()
	to.check(t)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if by := sides(t, f); len(by) != clients+1 || by[observed.Addr().String()] < clients*requests*answerBytes {
		t.Errorf("%v\n%s", by, c.words.String())
	}
}

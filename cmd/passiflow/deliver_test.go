package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passiflow/passiflow/sink/sinktest"
)

// receiver is a webhook's that can be down.
type receiver struct {
	address string
	server  *http.Server

	mu     sync.Mutex
	answer func(http.ResponseWriter) // nil: 200
	ids    map[string]int
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	return &receiver{address: sinktest.Nobody(t), ids: map[string]int{}}
}

func (r *receiver) up(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: r}
	go func() { _ = r.server.Serve(l) }() // ends with Close, which is its error
	t.Cleanup(r.down)
}

func (r *receiver) down() { _ = r.server.Close() }

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w)
		return
	}
	b, err := io.ReadAll(q.Body)
	var all []struct{ ID string }
	if err != nil || json.Unmarshal(b, &all) != nil {
		http.Error(w, "not an array", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range all {
		r.ids[x.ID]++
	}
}

// got returns how many records came, and how many of them twice.
func (r *receiver) got() (n, twice int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.ids {
		if k > 1 {
			twice++
		}
	}
	return len(r.ids), twice
}

// does runs the program to its end and holds its exit code and what it says.
func does(t *testing.T, want int, says string, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), runMark)
	b, _ := c.CombinedOutput() // its exit code is looked at
	if code := c.ProcessState.ExitCode(); code != want || !strings.Contains(string(b), says) {
		t.Errorf("passiflow %s: code %d, want %d, and %q in\n%s", strings.Join(args, " "), code, want, says, b)
	}
	return string(b)
}

// fill leaves the three records of the shop in a spool and returns its directory.
func fill(t *testing.T, r *receiver) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a spool")
	said := does(t, exitOK, "records wait in the spool", "capture", "-r", write(t, "shop"), "--spool", dir, "--sink", "webhook=http://"+r.address+"/in?token=s3cret", "--shutdown-grace", "1s")
	for _, want := range []string{"sink=webhook records=3", filepath.Join(dir, "webhook"), `deliver="passiflow deliver --spool '` + dir + `' --sink webhook=URL"`, "connection refused", "\n  spooled "} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	if strings.Contains(said, "s3cret") {
		t.Errorf("the address is told: %s", said)
	}
	return dir
}

// TestDeliver delivers what a run over a file has left, once the receiver is back.
func TestDeliver(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a connection is refused with other words")
	}
	r := newReceiver(t)
	dir := fill(t, r)
	to := "webhook=http://" + r.address + "/in"

	said := does(t, exitRun, "3 records for webhook stay in "+filepath.Join(dir, "webhook")+": the sink took nothing for 1s: ", "deliver", "--spool", dir, "--sink", to, "--shutdown-grace", "1s")
	if !strings.Contains(said, "connection refused") {
		t.Error(said)
	}
	said = does(t, exitOK, "", "deliver", "--spool", dir, "--list")
	if want := "         3 records  " + filepath.Join(dir, "webhook") + "  for webhook (http://" + r.address + ")\n"; !strings.HasSuffix(said, want) {
		t.Errorf("got %q, want %q", said, want)
	}
	r.up(t)
	said = does(t, exitOK, "delivering", "deliver", "--spool", dir, "--sink", to)
	for _, want := range []string{"records to webhook                 3\n", "  written                          3\n", "(from an earlier run             3)\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	if n, twice := r.got(); n != 3 || twice > 0 {
		t.Errorf("%d came, %d twice", n, twice)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "webhook", "*.segment")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	does(t, exitOK, "nothing waits for these sinks", "deliver", "--spool", dir, "--sink", to)
}

// TestDeliverRefuses holds that records go nowhere but where they were meant for.
func TestDeliverRefuses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a connection is refused with other words")
	}
	r := newReceiver(t)
	dir := fill(t, r)
	other := newReceiver(t)
	other.up(t)
	file := filepath.Join(t.TempDir(), "rest.ndjson")

	does(t, exitUsage, "are for webhook (http://"+r.address+"): give the sinks of that run", "deliver", "--spool", dir, "--sink", "webhook=http://"+other.address+"/in")
	does(t, exitRun, "3 records for webhook (http://"+r.address+") stay in "+filepath.Join(dir, "webhook")+": no sink for them was given", "deliver", "--spool", dir, "--sink", "file="+file)
	does(t, exitUsage, "are for webhook (", "deliver", "--spool", filepath.Join(dir, "webhook"), "--sink", "file="+file)
	does(t, exitUsage, "is the spool of one sink", "deliver", "--spool", filepath.Join(dir, "webhook"), "--sink", "file="+file, "--sink", "webhook=http://"+r.address)
	does(t, exitUsage, "no sink: name those", "deliver", "--spool", dir)
	does(t, exitUsage, "no spool: name its directory", "deliver", "--sink", "file="+file)
	does(t, exitUsage, "no spool: name its directory", "deliver", "--list")
	does(t, exitUsage, `"webhok" is not the name of a sink: there is webhook; did you mean webhook?`, "deliver", "--spool", dir, "--sink", "webhook=http://"+r.address, "webhok")
	does(t, exitRun, "read the spool: open ", "deliver", "--spool", dir+"x", "--sink", "file="+file)
	if _, err := os.Stat(dir + "x"); err == nil {
		t.Error("it makes a directory that was mistyped")
	}
	// A run whose sink of this name is of another kind does not start.
	settings := filepath.Join(t.TempDir(), "passiflow.yaml")
	if err := os.WriteFile(settings, []byte("sinks: [{kind: file, name: webhook, path: "+file+"}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	does(t, exitUsage, "3 records in it are for webhook (http://"+r.address+"): deliver them first", "capture", "-r", write(t, "empty"), "--config", settings, "--spool", dir)
	// Another process has it.
	hold := start(t, "message=reading", "capture", "-r", write(t, "shop"), "--follow", "--spool", dir, "--sink", "webhook=http://"+r.address+"/in")
	does(t, exitRun, "a running passiflow uses it", "deliver", "--spool", dir, "--sink", "webhook=http://"+r.address)
	if err := hold.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = hold.end()

	if n, _ := other.got(); n > 0 {
		t.Errorf("%d records went elsewhere", n)
	}
	// What the file holds is what an earlier delivery brought.
	if err := os.WriteFile(file, []byte("{\"earlier\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, []byte("sinks: [{kind: file, path: "+file+", replace: true}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := does(t, exitOK, "delivering", "deliver", "--spool", filepath.Join(dir, "webhook"), "--config", settings, "--elsewhere")
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err, said)
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
		if !json.Valid(s.Bytes()) || strings.Contains(s.Text(), "earlier") != (n == 0) {
			t.Errorf("line %d: %s", n, s.Bytes())
		}
	}
	if n < 4 {
		t.Errorf("%d lines", n)
	}
}

// TestDeliverRefused tells of records that the receiver will never take.
func TestDeliverRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a connection is refused with other words")
	}
	r := newReceiver(t)
	dir := fill(t, r)
	r.answer = func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }
	r.up(t)
	does(t, exitRun, "write records to webhook: 3 of 3 dropped", "deliver", "--spool", dir, "--sink", "webhook=http://"+r.address)
}

// TestDeliverStops ends it with a signal: the rest stays for the next time.
func TestDeliverStops(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals on Windows")
	}
	r := newReceiver(t)
	dir := fill(t, r)
	hold := make(chan struct{})
	defer close(hold)
	r.answer = func(http.ResponseWriter) { <-hold }
	r.up(t)
	p := start(t, "delivering", "deliver", "--spool", dir, "--sink", "webhook=http://"+r.address, "--shutdown-grace", "200ms")
	begin := time.Now()
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.end(); code != exitRun || !strings.Contains(p.words.String(), "3 records for webhook stay in ") || time.Since(begin) > 8*time.Second {
		t.Errorf("code %d after %v\n%s", code, time.Since(begin), p.words.String())
	}
	r.down()
	r.mu.Lock()
	r.answer = nil
	r.mu.Unlock()
	r.up(t)
	does(t, exitOK, "delivering", "deliver", "--spool", dir, "--sink", "webhook=http://"+r.address)
	if n, _ := r.got(); n != 3 {
		t.Errorf("%d came", n)
	}
}

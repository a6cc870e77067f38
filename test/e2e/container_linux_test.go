package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/passiflow/passiflow/source/netnstest"
)

// posted is a message as TCP Sniffer posts it.
type posted struct {
	Receiver, Destination struct {
		IP   string
		Port int
	}
	Direction, Method, Path string
	StatusCode              int
	Headers                 map[string]string
	Body, Timestamp         string
	at                      time.Time
	token                   string
}

func (m posted) String() string {
	return fmt.Sprintf("%s %s %s %d %q", m.Direction, m.Method, m.Path, m.StatusCode, m.Body)
}

// receiver takes messages; answer decides about each.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	taken  []posted
	tries  []posted
	answer func(m posted) int
	slow   time.Duration
}

func receive(t *testing.T, answer func(m posted) int) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		m := posted{at: time.Now(), token: q.Header.Get("Authorization")}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err != nil || d.Decode(&m) != nil || q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v %s %q", err, q.Header.Get("Content-Type"), b)
		}
		time.Sleep(r.slow)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tries = append(r.tries, m)
		status := r.answer(m)
		if status == 200 {
			r.taken = append(r.taken, m)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) messages() (taken, tries []posted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]posted(nil), r.taken...), append([]posted(nil), r.tries...)
}

// startContainer runs passiflow without a command, told by the environment.
func startContainer(t *testing.T, environ ...string) *capture {
	t.Helper()
	c := &capture{t: t, cmd: exec.Command(program), done: make(chan error, 1)}
	c.cmd.Stdout = &c.out
	c.cmd.Env = append(os.Environ(), append(environ, "INTERFACE=lo", "POD_NAME=shop-1", "NAMESPACE=shop", "NODE_NAME=n7")...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	words, err := c.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	ready := make(chan struct{})
	go func() {
		told := false
		for s := bufio.NewScanner(words); s.Scan(); {
			c.words.add(s.Text())
			if !told && strings.Contains(s.Text(), `"message":"capturing"`) {
				told = true
				close(ready)
			}
		}
		c.done <- c.cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-c.done:
		t.Fatalf("ended: %v\n%s", err, c.words.String())
	case <-time.After(time.Minute):
		t.Fatal(c.words.String())
	}
	return c
}

// terminate sends SIGTERM and returns the exit code.
func (c *capture) terminate() int {
	c.t.Helper()
	time.Sleep(300 * time.Millisecond) // what is in the ring
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	select {
	case <-c.done:
	case <-time.After(2 * time.Minute):
		c.t.Fatal("does not end")
	}
	return c.cmd.ProcessState.ExitCode()
}

// shop answers requests; its port is what is captured.
func shop(t *testing.T) (*httptest.Server, string) {
	netnstest.IP(t, "link set lo up")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "s=planted-cookie")
		fmt.Fprintf(w, "%s %s", r.URL.Path, b)
	}))
	t.Cleanup(s.Close)
	_, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
	return s, port
}

func ask(t *testing.T, s *httptest.Server, path, body string) {
	t.Helper()
	q, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer planted-secret")
	a, err := s.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, a.Body)
	a.Body.Close()
}

// TestContainer takes the place of the TCP Sniffer container: a server and its
// clients, a receiver, a signal.
func TestContainer(t *testing.T) {
	s, port := shop(t)
	// It refuses one message three times: the fourth attempt is the last.
	refused := 0
	r := receive(t, func(m posted) int {
		if m.Direction == "response" && strings.HasPrefix(m.Body, "/a/1") && refused < 3 {
			refused++
			return 503
		}
		return 200
	})
	c := startContainer(t, "PORTS="+port, "OUTPUT_URL="+r.URL+"/in", "OUTPUT_URL_AUTH_TOKEN=planted-token", "OUTPUT_STDOUT=1")
	for i := range 3 {
		ask(t, s, fmt.Sprintf("/a/%d?x=1", i), fmt.Sprintf("é%d", i))
	}
	until(func() bool { taken, _ := r.messages(); return len(taken) == 6 })
	if code := c.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	taken, tries := r.messages()
	var want []string
	for i := range 3 {
		want = append(want, fmt.Sprintf(`request POST /a/%d?x=1 0 "é%d"`, i, i), fmt.Sprintf(`response   200 "/a/%d é%d"`, i, i))
	}
	if len(taken) != 6 || len(tries) != 9 {
		t.Fatalf("%d messages, %d attempts\n%s", len(taken), len(tries), c.words.String())
	}
	inOrder := slices.Clone(want)
	slices.Sort(inOrder)
	slices.SortFunc(taken, func(a, b posted) int { return strings.Compare(a.String(), b.String()) })
	for i, m := range taken {
		if m.String() != inOrder[i] || m.token != "Bearer planted-token" || m.Receiver.IP != "127.0.0.1" || fmt.Sprint(m.Receiver.Port) != port || m.Destination.IP != "127.0.0.1" || m.Destination.Port == 0 {
			t.Errorf("message %d: %v %+v, want %s", i, m, m, inOrder[i])
		}
		if at, err := time.Parse("2006-01-02T15:04:05.000Z", m.Timestamp); err != nil || time.Since(at) > time.Minute {
			t.Errorf("timestamp %s", m.Timestamp)
		}
		if m.Direction == "request" && m.Headers["authorization"] != "[REDACTED]" {
			t.Errorf("%v", m.Headers)
		}
	}
	tries = slices.DeleteFunc(tries, func(m posted) bool { return m.String() != want[3] })
	for i, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		if d := tries[i+1].at.Sub(tries[i].at); d < wait || d > wait+20*time.Second {
			t.Errorf("attempt %d came after %v, want %v", i+2, d, wait)
		}
	}
	// Standard output has the same messages, and nothing else.
	var lines []string
	for line := range strings.Lines(c.out.String()) {
		var m posted
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		lines = append(lines, m.String())
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("standard output: %q", lines)
	}
	log := c.words.String()
	for line := range strings.Lines(log) {
		var m struct {
			Timestamp, Level, Message string
			Placement                 struct{ Pod, Namespace, Node string }
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Timestamp == "" || m.Level == "" || m.Message == "" ||
			m.Placement.Pod != "shop-1" || m.Placement.Namespace != "shop" || m.Placement.Node != "n7" {
			t.Errorf("%v: %s", err, line)
		}
	}
	for _, want := range []string{`"Sniffer entrypoint starting"`, `"Starting sniffer"`, `"ports":["` + port + `"]`, `"interface":"lo","loopback":true`,
		`"Received SIGTERM, stopping sniffer"`, `"Stopping sniffer, draining in-flight messages"`, `"Capture stats"`, `"packetsDropped":0`, `"Sniffer stopped"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s\n%s", want, log)
		}
	}
	if all := log + c.out.String(); strings.Contains(all, "planted") {
		t.Errorf("a secret is told:\n%s", all)
	}
}

// TestContainerDrains sends the signal while a slow receiver has hardly begun.
func TestContainerDrains(t *testing.T) {
	s, port := shop(t)
	r := receive(t, func(posted) int { return 200 })
	r.slow = 500 * time.Millisecond
	c := startContainer(t, "PORTS="+port+",x", "OUTPUT_URL="+r.URL)
	for i := range 40 {
		ask(t, s, fmt.Sprintf("/%d", i), "")
	}
	if code := c.terminate(); code != 0 {
		t.Errorf("exit code %d\n%s", code, c.words.String())
	}
	if taken, _ := r.messages(); len(taken) != 80 {
		t.Errorf("%d messages of 80", len(taken))
	}
	if c.out.Len() > 0 || !strings.Contains(c.words.String(), `left out, as no ports from 1 to 65535`) {
		t.Errorf("%q\n%s", c.out.String(), c.words.String())
	}
}

// TestContainerGivesUp has nobody at OUTPUT_URL.
func TestContainerGivesUp(t *testing.T) {
	s, port := shop(t)
	r := receive(t, func(posted) int { return 200 })
	r.Close()
	c := startContainer(t, "PORTS="+port, "OUTPUT_URL="+r.URL+"/in?key=planted", "OUTPUT_URL_AUTH_TOKEN=planted")
	began := time.Now()
	ask(t, s, "/", "")
	until(func() bool { return strings.Contains(c.words.String(), "outputUrl POST failed after retries") })
	if d := time.Since(began); d < 7*time.Second || d > 25*time.Second { // after 1, 2 and 4 s
		t.Errorf("given up after %v\n%s", d, c.words.String())
	}
	code := c.terminate()
	log := c.words.String()
	if code != 0 || !strings.Contains(log, `"level":"error","message":"outputUrl POST failed after retries"`) || !strings.Contains(log, `"url":"`+r.URL+`/in"`) || strings.Contains(log, "planted") {
		t.Errorf("exit code %d\n%s", code, log)
	}
}

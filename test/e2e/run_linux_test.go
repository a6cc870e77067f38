package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/passiflow/passiflow/source/netnstest"
)

var program string // of passiflow, built once by TestMain

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "passiflow-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "passiflow")
	code := 1
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/passiflow").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
	} else {
		code = netnstest.Main(m)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// capture is passiflow under way.
type capture struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   bytes.Buffer
	words lines
	done  chan error
}

// lines is standard error, read while it is written.
type lines struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (l *lines) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes.WriteString(s + "\n")
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes.String()
}

// start runs passiflow capture and waits until it captures.
func start(t *testing.T, args ...string) *capture {
	t.Helper()
	c := &capture{t: t, cmd: exec.Command(program, append([]string{"capture"}, args...)...), done: make(chan error, 1)}
	c.cmd.Stdout = &c.out
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
			if !told && strings.Contains(s.Text(), "message=capturing") {
				told = true
				close(ready)
			}
		}
		c.done <- c.cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-c.done:
		t.Fatalf("passiflow ended: %v\n%s", err, c.words.String())
	case <-time.After(time.Minute):
		t.Fatalf("passiflow does not capture\n%s", c.words.String())
	}
	return c
}

// stop ends passiflow and returns its records, in the order of their time.
func (c *capture) stop() []record {
	c.t.Helper()
	time.Sleep(400 * time.Millisecond) // what is under way
	return c.end()
}

// end is stop at once.
func (c *capture) end() []record {
	c.t.Helper()
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		c.t.Fatal(err)
	}
	select {
	case err := <-c.done:
		if err != nil {
			c.t.Errorf("passiflow: %v", err)
		}
	case <-time.After(2 * time.Minute):
		c.t.Fatal("passiflow does not end")
	}
	if w := c.words.String(); strings.Contains(w, "do not add up") || strings.Contains(w, "dropped by the kernel") {
		c.t.Errorf("ledger:\n%s", w)
	}
	var all []record
	for line := range strings.Lines(c.out.String()) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			c.t.Fatalf("%v: %s", err, line)
		}
		all = append(all, r)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Time < all[j].Time })
	return all
}

// record is what the tests read of an exchange.
type record struct {
	ID, Time, Source string
	Client, Server   struct {
		IP   string
		Port int
	}
	Request, Response *half
	Integrity         struct {
		Complete bool
		Half     string
	}
}

type half struct {
	Method, Target string
	Status         int
	Headers        map[string][]string
	Body           string
	BodyEncoding   string `json:"body_encoding"`
	BodySize       int    `json:"body_size"`
	BodyWireSize   int    `json:"body_wire_size"`
}

// String is one line that names what was said.
func (r record) String() string {
	s := "-"
	if r.Request != nil {
		s = fmt.Sprintf("%s %s %d", r.Request.Method, r.Request.Target, r.Request.BodySize)
	}
	if r.Response != nil {
		return fmt.Sprintf("%s: %d %d", s, r.Response.Status, r.Response.BodySize)
	}
	return s + ": " + r.Integrity.Half
}

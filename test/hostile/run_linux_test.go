package hostile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var program string

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() { // under the race detector the program is what takes time, and it is not watched
		fmt.Println("hostile: left out, it takes half a minute")
		os.Exit(0)
	}
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "passiflow")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/passiflow/passiflow/cmd/passiflow").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// bound is what a run may take.
type bound struct {
	wall time.Duration // of processor time, on a slow machine
	rss  int           // MiB
}

// result is what a run gave.
type result struct {
	lines  int
	ledger map[string]uint64
	stderr string
	cpu    time.Duration
	rss    int // MiB
}

// run runs the program on a file and demands exit code 0, whole lines of JSON, a
// ledger that adds up, and that b is kept: in one of three runs, as the garbage
// collector comes late where others take the processors.
func run(t *testing.T, b bound, file string, args ...string) *result {
	t.Helper()
	var r *result
	for range 3 {
		r = runOnce(t, b.wall, file, args...)
		t.Logf("%d lines, %v, %d MiB", r.lines, r.cpu.Round(time.Millisecond), r.rss)
		if t.Failed() || r.cpu <= b.wall && r.rss <= b.rss {
			return r
		}
	}
	if r.cpu > b.wall {
		t.Errorf("took %v of processor time, more than %v", r.cpu, b.wall)
	}
	if r.rss > b.rss {
		t.Errorf("took %d MiB, more than %d", r.rss, b.rss)
	}
	return r
}

func runOnce(t *testing.T, wall time.Duration, file string, args ...string) *result {
	t.Helper()
	c := exec.Command(program, append([]string{"capture", "-r", file, "--json"}, args...)...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GOMEMLIMIT=") && !strings.HasPrefix(e, "GOGC=") && !strings.HasPrefix(e, "PASSIFLOW_") {
			c.Env = append(c.Env, e)
		}
	}
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	peak := resident(c.Process.Pid)
	watch := time.AfterFunc(4*wall+30*time.Second, func() { c.Process.Kill() })
	defer watch.Stop()
	r := &result{ledger: make(map[string]uint64)}
	for in := bufio.NewReaderSize(out, 1<<20); ; {
		line, err := in.ReadSlice('\n')
		for n := len(line); err == bufio.ErrBufferFull; n += len(line) {
			line, err = in.ReadSlice('\n')
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		r.lines++
		if r.lines%97 == 1 && line[0] == '{' && !json.Valid(line) {
			t.Errorf("line %d is no JSON: %.200q", r.lines, line)
		}
	}
	io.Copy(io.Discard, out)
	rss := peak()
	err = c.Wait()
	r.stderr = stderr.String()
	if err != nil {
		t.Errorf("%v\n%s", err, tail(r.stderr))
	}
	r.rss = rss
	r.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	if strings.Contains(r.stderr, "do not add up") {
		t.Errorf("the ledger does not add up:\n%s", tail(r.stderr))
	}
	for _, m := range entry.FindAllStringSubmatch(r.stderr, -1) {
		n, _ := strconv.ParseUint(strings.ReplaceAll(m[2], ",", ""), 10, 64)
		r.ledger[m[1]] += n
	}
	return r
}

var entry = regexp.MustCompile(`(?m)^ *\(?(\S[^\n]*?) {2,}([0-9,]+)\)?$`)

// tail returns the end of s.
func tail(s string) string { return s[max(0, len(s)-4000):] }

// has demands that the ledger names something.
func (r *result) has(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		if r.ledger[n] == 0 {
			t.Errorf("the ledger does not tell %q:\n%s", n, tail(r.stderr))
		}
	}
}

// resident watches the memory of a process and returns what tells the most it
// had, in MiB. The resource usage that a parent is told begins with the
// parent's own.
func resident(pid int) (peak func() int) {
	stop, most := make(chan struct{}), make(chan int)
	go func() {
		kib := 0
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
				if m := high.FindSubmatch(b); m != nil {
					kib, _ = strconv.Atoi(string(m[1]))
				}
			}
			select {
			case <-stop:
				tick.Stop()
				most <- kib >> 10
				return
			case <-tick.C:
			}
		}
	}()
	return func() int {
		close(stop)
		return <-most
	}
}

var high = regexp.MustCompile(`VmHWM:\s*(\d+)`)

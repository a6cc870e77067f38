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
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var program string

func TestMain(m *testing.M) {
	if os.Getenv("HOSTILE_WATCHED") != "" {
		os.Unsetenv("HOSTILE_WATCHED")
		os.Exit(watched(os.Args[1:]))
	}
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
	cpu time.Duration // many times what it takes; what grows with the square takes more
	rss int           // MiB
}

// within returns what a run with a budget of so many MiB may take: what the guide
// to sizing says of one worker and a file, and a tenth, as it says "about".
func within(memory int) int { return (memory + 64 + 8) * 11 / 10 }

// ordinarily is the processor time that an old machine takes for 100,000 packets
// of ordinary traffic when it has nothing else to do.
const ordinarily = 400 * time.Millisecond

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
// collector comes late where others take the processors. They also make the
// same work take more processor time, as much more as ordinary traffic then
// takes.
func run(t *testing.T, b bound, file string, args ...string) *result {
	t.Helper()
	var r *result
	for range 3 {
		r = runOnce(t, file, args...)
		t.Logf("%d lines, %v, %d MiB", r.lines, r.cpu.Round(time.Millisecond), r.rss)
		if t.Failed() || r.cpu <= b.cpu && r.rss <= b.rss {
			return r
		}
	}
	if r.cpu > b.cpu {
		ordinary := runOnce(t, chat(t, 100_000, plain))
		if slow := max(1, float64(ordinary.cpu)/float64(ordinarily)); float64(r.cpu) > slow*float64(b.cpu) {
			t.Errorf("took %v of processor time, more than %v on a machine %.1f times slower than usual", r.cpu, b.cpu, slow)
		}
	}
	if r.rss > b.rss {
		t.Errorf("took %d MiB, more than %d", r.rss, b.rss)
	}
	return r
}

func runOnce(t *testing.T, file string, args ...string) *result {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, append([]string{program, "capture", "-r", file, "--json"}, args...)...)
	c.Env = []string{"HOSTILE_WATCHED=1"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GOMEMLIMIT=") && !strings.HasPrefix(e, "GOGC=") && !strings.HasPrefix(e, "PASSIFLOW_") {
			c.Env = append(c.Env, e)
		}
	}
	said, says, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	var stderr bytes.Buffer
	c.Stderr, c.ExtraFiles = &stderr, []*os.File{says}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = c.Start()
	says.Close()
	if err != nil {
		t.Fatal(err)
	}
	watch := time.AfterFunc(3*time.Minute, func() { c.Process.Kill() })
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
	taken, err := io.ReadAll(said)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Wait()
	r.stderr = stderr.String()
	if err != nil {
		t.Errorf("%v\n%s", err, tail(r.stderr))
	}
	var cpu int64
	if _, err := fmt.Sscan(string(taken), &cpu, &r.rss); err != nil {
		t.Fatalf("what the run took is not told: %v\n%s", err, tail(r.stderr))
	}
	r.cpu, r.rss = time.Duration(cpu), r.rss>>10
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

// watched runs a command, whose descriptor 3 is told what it took: nanoseconds
// of processor time and the most KiB that it had resident, as the system counts
// them. That count begins with what its parent has resident: so its parent is a
// process that has next to nothing, and not the test, which holds captures.
func watched(args []string) int {
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the signal comes at the death of the thread
	_ = c.Run()
	if c.ProcessState == nil {
		return 125
	}
	u := c.ProcessState.SysUsage().(*syscall.Rusage)
	fmt.Fprintln(os.NewFile(3, "taken"), u.Utime.Nano()+u.Stime.Nano(), u.Maxrss)
	return c.ProcessState.ExitCode()
}

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/passiflow/passiflow/source/netnstest"
)

// observer is what watches while a client loads a server.
type observer struct {
	name string
	argv []string // none: nobody
}

// sight is what an observer saw and took.
type sight struct {
	found int64
	cpu   time.Duration
	words string // on standard error
}

// BenchmarkLive loads nginx over a pair of network cards while nobody, tcpdump
// or passiflow watches, all on the same processors, and prints a table: how many
// of the exchanges were found, what the client felt, and what the observer took.
// The paced client comes with the captures that PASSIFLOW_SHARED names; wrk
// brings full speed.
func BenchmarkLive(b *testing.B) {
	shared := os.Getenv("PASSIFLOW_SHARED")
	if shared == "" {
		b.Skip("PASSIFLOW_SHARED is not set")
	}
	load := filepath.Join(b.TempDir(), "load")
	build := exec.Command("go", "build", "-o", load, ".")
	build.Dir = filepath.Join(shared, "bench", "load")
	if out, err := build.CombinedOutput(); err != nil {
		b.Skipf("no paced client: %v\n%s", err, out)
	}
	s := netnstest.New(b)
	netnstest.Veth(b, "c0", "10.9.0.1/24", s, "s0", "10.9.0.2/24")
	serve(b, s, "10.9.0.2")
	watchers := []observer{
		{"nobody", nil},
		{"tcpdump", []string{"tcpdump", "-i", "c0", "-s", "0", "-w", "/dev/null", "tcp", "port", "8080"}},
		{"passiflow, no bodies", []string{program, "capture", "-i", "c0", "-p", "8080", "--json", "--body-limit", "0"}},
		{"passiflow", []string{program, "capture", "-i", "c0", "-p", "8080", "--json"}},
	}
	fmt.Println("| client | observer | asked/s | found | p50 ms | p99 ms | observer's CPU, µs each |\n|---|---|--:|--:|--:|--:|--:|")
	for range b.N {
		for _, rate := range []string{"2000", "10000", "30000"} {
			for _, w := range watchers {
				paced(b, w, load, rate)
			}
		}
		if _, err := exec.LookPath("wrk"); err == nil {
			for _, w := range watchers {
				full(b, w)
			}
		}
	}
}

func paced(b *testing.B, w observer, load, rate string) {
	var out []byte
	var err error
	saw := w.watch(b, func() {
		out, err = exec.Command(load, "-addr", "10.9.0.2:8080", "-rate", rate, "-d", "5s").Output()
	})
	var r struct {
		OK   int64
		Rate float64
		P50  float64 `json:"p50_ms"`
		P99  float64 `json:"p99_ms"`
	}
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil || r.OK == 0 {
		b.Fatalf("load: %v\n%s", err, out)
	}
	w.row(rate+"/s", saw, r.OK, r.Rate, fmt.Sprintf("%.2f | %.2f", r.P50, r.P99))
}

func full(b *testing.B, w observer) {
	var out []byte
	var err error
	saw := w.watch(b, func() {
		out, err = exec.Command("wrk", "-t1", "-c64", "-d5s", "http://10.9.0.2:8080/v1/orders").CombinedOutput()
	})
	m := regexp.MustCompile(`(\d+) requests in ([\d.]+)s`).FindSubmatch(out)
	if err != nil || m == nil {
		b.Fatalf("wrk: %v\n%s", err, out)
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	secs, _ := strconv.ParseFloat(string(m[2]), 64)
	w.row("wrk", saw, n, float64(n)/secs, "– | –")
}

func (w observer) row(client string, saw sight, asked int64, rate float64, latency string) {
	found, each := "–", "–"
	if strings.HasPrefix(w.name, "passiflow") {
		found = fmt.Sprintf("%.3f %%", 100*float64(saw.found)/float64(asked))
	}
	if w.argv != nil {
		each = fmt.Sprintf("%.1f", float64(saw.cpu.Microseconds())/float64(asked))
	}
	fmt.Printf("| %s | %s | %.0f | %s | %s | %s |\n", client, w.name, rate, found, latency, each)
}

// watch runs the observer around f and counts the lines it writes to a pipe.
func (w observer) watch(b *testing.B, f func()) (saw sight) {
	if w.argv == nil {
		f()
		return saw
	}
	c := exec.Command(w.argv[0], w.argv[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var words bytes.Buffer
	c.Stderr = &words
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Skipf("%s: %v", w.argv[0], err)
	}
	var lines atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 256<<10)
		for {
			n, err := out.Read(buffer)
			lines.Add(int64(bytes.Count(buffer[:n], []byte("\n"))))
			if err == io.EOF || err != nil {
				return
			}
		}
	}()
	time.Sleep(time.Second) // until it captures
	f()
	time.Sleep(time.Second)
	if err := c.Process.Signal(os.Interrupt); err != nil {
		b.Fatal(err)
	}
	<-done
	if err := c.Wait(); err != nil {
		b.Fatalf("%s: %v", w.name, err)
	}
	return sight{lines.Load(), c.ProcessState.UserTime() + c.ProcessState.SystemTime(), words.String()}
}

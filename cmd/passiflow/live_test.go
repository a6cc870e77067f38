package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet/packettest"
)

// runMark in the environment makes the test binary the program.
const runMark = "PASSIFLOW_TEST_RUN=1"

// program is passiflow under way.
type program struct {
	*exec.Cmd
	t      *testing.T
	out    heard
	words  heard
	ready  string // what it had said when it was
	closed chan struct{}
}

// heard is what a program says, read while it is written.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// until waits until s was said n times, or for a long time.
func (h *heard) until(n int, s string) {
	for range 3000 {
		if strings.Count(h.String(), s) >= n {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// start runs passiflow and waits until it says ready.
func start(t *testing.T, ready string, args ...string) *program {
	t.Helper()
	return startTo(t, nil, ready, args...)
}

// startTo lets it write its records to w; nil keeps them.
func startTo(t *testing.T, w io.Writer, ready string, args ...string) *program {
	t.Helper()
	return startFrom(t, nil, w, ready, args...)
}

// startFrom lets it read r, too.
func startFrom(t *testing.T, r io.Reader, w io.Writer, ready string, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{Cmd: exec.Command(self, args...), t: t, closed: make(chan struct{})}
	p.Env = append(os.Environ(), runMark)
	p.Stdin = r
	if p.Stdout = w; w == nil {
		p.Stdout = &p.out
	}
	words, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // and nothing of it is left when its files are removed
		_ = p.Process.Kill()
		<-p.closed
		_ = p.Wait() // an error after end, which has waited
	})
	is := make(chan struct{})
	go func() {
		defer close(p.closed)
		told := false
		for s := bufio.NewScanner(words); s.Scan(); {
			fmt.Fprintln(&p.words, s.Text())
			if !told && strings.Contains(s.Text(), ready) {
				p.ready = p.words.String()
				close(is)
				told = true
			}
		}
	}()
	select {
	case <-is:
	case <-p.closed:
		select {
		case <-is: // it has ended since
		default:
			t.Fatalf("ended early: %v\n%s", p.Wait(), p.words.String())
		}
	case <-time.After(time.Minute):
		t.Fatal("not ready after a minute")
	}
	return p
}

// end waits for the program and returns its exit code.
func (p *program) end() int {
	p.t.Helper()
	select {
	case <-p.closed:
	case <-time.After(time.Minute):
		p.t.Fatal("does not end")
	}
	var e *exec.ExitError
	if err := p.Wait(); err != nil && !errors.As(err, &e) {
		p.t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

// TestMirror sends mirrored traffic to a listening program and ends it with
// each signal: what came is written, and the end is a good one.
func TestMirror(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals on Windows")
	}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			// Where it is ignored, what is started ignores it, too; of what is
			// taken it knows nothing.
			taken := make(chan os.Signal, 1)
			signal.Notify(taken, sig)
			defer signal.Stop(taken)
			port := freePort(t)
			p := start(t, "message=listening", "capture", "--listen", "vxlan://127.0.0.1:"+port, "--json", "--vni-allow", "40-49", "--vni-deny", "43")
			conn, err := net.Dial("udp", "127.0.0.1:"+port)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, vni := range []uint32{42, 43, 7} {
				for _, f := range frames(t) {
					if _, err := conn.Write(packettest.VXLAN(vni, packettest.Raw(f)).Bytes); err != nil {
						t.Fatal(err)
					}
				}
			}
			p.out.until(3, `"schema"`)
			for range 2 { // at once: they count as one
				if err := p.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Millisecond)
			}
			if code := p.end(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
			if got := strings.Count(p.out.String(), `"schema"`); got != 3 {
				t.Errorf("%d records\n%s%s", got, p.out.String(), p.words.String())
			}
			if !strings.Contains(p.words.String(), "records ") || strings.Contains(p.words.String(), "do not add up") {
				t.Errorf("ledger:\n%s", p.words.String())
			}
		})
	}
}

// startStuck runs it with a reader of its records that reads nothing, and waits
// until it holds some that it cannot be rid of: it has taken all of a capture
// on its standard input but what the pipe holds.
func startStuck(t *testing.T, args ...string) *program {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no signals on Windows")
	}
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return r, w
	}
	_, full := pipe()
	for missed := 0; missed < 3; { // a slow machine may miss a time without being full
		if err := full.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := full.Write(make([]byte, 4096)); err == nil {
			missed = 0
		} else {
			missed++
		}
	}
	in, feed := pipe()
	p := startFrom(t, in, full, "message=reading", append([]string{"capture", "-r", "-", "--json"}, args...)...)
	tape := packettest.NewTape()
	tapes()["long"](tape)
	half := tape.Bytes()[:len(tape.Bytes())/2] // the whole does not always find room in its queue
	if err := feed.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n, err := feed.Write(half); err != nil {
		_ = p.Process.Signal(syscall.SIGQUIT) // it says what it is about
		<-p.closed
		t.Fatalf("the capture is not read: %v, %d of %d bytes\n%s", err, n, len(half), p.words.String())
	}
	return p
}

// TestSecondSignal ends at once, where it does not come together with the first.
func TestSecondSignal(t *testing.T) {
	p := startStuck(t, "--shutdown-grace", "1m")
	for gone := false; !gone; { // a slow machine may take two for one
		_ = p.Process.Signal(os.Interrupt)
		select {
		case <-p.closed:
			gone = true
		case <-time.After(together + 200*time.Millisecond):
		}
	}
	if code := p.end(); code != exitRun {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(p.words.String(), "second") {
		t.Errorf("said\n%s", p.words.String())
	}
}

// TestGrace gives up on a reader that is stuck, and says what was lost.
func TestGrace(t *testing.T) {
	p := startStuck(t, "--shutdown-grace", "300ms")
	_ = p.Process.Signal(syscall.SIGTERM)
	if code := p.end(); code != exitRun {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(p.words.String(), "raise --shutdown-grace") || strings.Contains(p.words.String(), "do not add up") {
		t.Errorf("said\n%s", p.words.String())
	}
}

// TestReaderGone is passiflow … | head -n 1: no error, and still a ledger.
func TestReaderGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := startTo(t, w, "message=reading", "capture", "-r", write(t, "long"), "--json")
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil || !strings.Contains(line, "schema") {
		t.Errorf("%q, %v", line, err)
	}
	r.Close()
	if code := p.end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(p.words.String(), "records ") || strings.Contains(p.words.String(), "broken pipe") {
		t.Errorf("said\n%s", p.words.String())
	}
}

// TestFullDisk is an error, and not silence.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full")
	}
	defer full.Close()
	p := startTo(t, full, "message=reading", "capture", "-r", write(t, "long"), "--json")
	if code := p.end(); code != exitRun {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(p.words.String(), "write records: ") || !strings.Contains(p.words.String(), "dropped: sink failed") {
		t.Errorf("said\n%s", p.words.String())
	}
}

// TestSilence tells why nothing is recorded.
func TestSilence(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals on Windows")
	}
	p := start(t, "no datagram came", "capture", "--listen", "vxlan://127.0.0.1:"+freePort(t), "--silence", "1s")
	p.words.until(1, "nothing recorded yet")
	time.Sleep(1500 * time.Millisecond)
	_ = p.Process.Signal(os.Interrupt)
	if code := p.end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(p.words.String(), "nothing recorded yet"); n != 1 {
		t.Errorf("told %d times\n%s", n, p.words.String())
	}
}

// TestFollow reads a file that grows.
func TestFollow(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals on Windows")
	}
	tape := packettest.NewTape()
	shop(tape)
	name := filepath.Join(t.TempDir(), "grows.pcap")
	half := len(tape.Bytes()) / 2
	if err := os.WriteFile(name, tape.Bytes()[:half], 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "message=reading", "capture", "-r", name, "--follow", "--json")
	time.Sleep(300 * time.Millisecond)
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(tape.Bytes()[half:])
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	p.out.until(3, `"schema"`)
	_ = p.Process.Signal(os.Interrupt)
	if code := p.end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if got := strings.Count(p.out.String(), `"schema"`); got != 3 {
		t.Errorf("%d records\n%s", got, p.words.String())
	}
}

func write(t *testing.T, kind string) string {
	tape := packettest.NewTape()
	tapes()[kind](tape)
	name := filepath.Join(t.TempDir(), kind+".pcap")
	if err := os.WriteFile(name, tape.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// frames returns the frames of the shop.
func frames(t *testing.T) (all [][]byte) {
	tape := packettest.NewTape()
	shop(tape)
	b := tape.Bytes()[24:]
	for len(b) > 0 {
		n := 16 + int(b[8]) + int(b[9])<<8
		all = append(all, b[16:n])
		b = b[n:]
	}
	if len(all) == 0 {
		t.Fatal("no frames")
	}
	return all
}

// freePort returns a port of UDP that nobody has, and that the system gives to
// nobody who did not ask for it.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if c, err := net.ListenPacket("udp", ":"+port); err == nil {
			defer c.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/source/netnstest"
)

// number finds the number that a pattern names in a text, -1 for none.
func number(text, pattern string) int64 {
	m := regexp.MustCompile(`(?m)` + pattern).FindStringSubmatch(text)
	if m == nil {
		return -1
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(m[1], ",", ""), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// account cuts an output's part out of the ledger.
func account(words, title string) string {
	_, part, _ := strings.Cut(words, "\n"+title+" ")
	if end := regexp.MustCompile(`(?m)^\S`).FindStringIndex(part[min(1, len(part)):]); end != nil {
		part = part[:end[0]+1]
	}
	return title + " " + part
}

// resident returns how much memory a process had at most, in bytes.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	return number(string(b), `^VmHWM:\s+(\d+) kB`) << 10
}

// said returns the frames of conversations, each of two exchanges of about 4 kB.
func said(round, n int) (frames [][]byte) {
	tape := packettest.NewTape()
	for i := range n {
		c := tape.Open(fmt.Sprintf("10.100.%d.%d:4000", round, i+1), "10.2.0.1:80", func(ip packettest.Piece) packettest.Piece { return packettest.Ether(ip) })
		for k := range 2 {
			c.Client(fmt.Sprintf("GET /%d/%d/%d HTTP/1.1\r\nHost: a\r\n\r\n", round, i, k))
			for _, part := range []string{"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", strings.Repeat("x", 1000), strings.Repeat("y", 1400), strings.Repeat("z", 1400), strings.Repeat("!", 200)} {
				c.Server(part)
			}
		}
		c.Close()
	}
	for b := tape.Bytes()[24:]; len(b) > 0; {
		size := 16 + int(binary.LittleEndian.Uint32(b[8:]))
		frames = append(frames, b[16:size])
		b = b[size:]
	}
	return frames
}

// move gives the clients in frames other addresses, so that they are others.
func move(frames [][]byte, cycle, rounds int) {
	for _, f := range frames {
		at := 26 // the source of an IPv4 packet
		if f[at+1] < 100 {
			at = 30 // the server speaks
		}
		f[at+1] = byte(100 + cycle%100)
		if cycle > 0 && cycle%100 == 0 {
			f[at+2] = byte((int(f[at+2]) + rounds) % 240)
		}
	}
}

// TestStalledSink captures from a real ring while one sink's receiver takes
// requests and never answers: what is dropped is that sink's alone and counted,
// its memory stays within its bound, and the sink beside it gets everything. With
// PASSIFLOW_SOAK=1 nobody paces the wire, for half a minute.
func TestStalledSink(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "w0", "", s, "p0", "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // connections are made, and that is all
	dir := t.TempDir()
	settings, all := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "all.ndjson")
	soak := os.Getenv("PASSIFLOW_SOAK") != ""
	if soak { // gigabytes, for which a disk may be too slow
		all += ".zst"
	}
	const bound = 256 << 10
	text := fmt.Sprintf("sinks:\n  - {kind: webhook, url: \"http://%s/in\", queue: {bytes: %d}}\n  - {kind: file, path: %q}\n", l.Addr(), bound, all)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, "-i", "w0", "--config", settings, "--metrics", "127.0.0.1:0", "--shutdown-grace", "1s")
	address := regexp.MustCompile(`message=metrics address=(\S+)`).FindStringSubmatch(c.words.String())
	if address == nil {
		t.Fatal(c.words.String())
	}
	scrape := func() string {
		r, err := http.Get("http://" + address[1] + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	written := func() int64 {
		return number(scrape(), `^passiflow_output_records_total\{output="file",way="written"\} (\S+)$`)
	}
	var wire *netnstest.Wire
	s.Do(t, func() { wire = netnstest.NewWire(t, "p0") })
	const rounds, each = 20, 50
	var frames [rounds][][]byte
	for i := range frames {
		frames[i] = said(i, each)
	}
	most, sent, packets := int64(0), int64(0), 0
	began := time.Now()
	for round := 0; soak && time.Since(began) < 30*time.Second || !soak && round < rounds; round++ {
		move(frames[round%rounds], round/rounds, rounds)
		n, err := wire.Send(frames[round%rounds]...)
		if err != nil {
			t.Fatalf("%d sent: %v", n, err)
		}
		packets += n
		sent += 2 * each
		if soak && round%100 != 0 {
			continue
		}
		if !soak { // the kernel may have no room for more
			until(func() bool { return written() == sent })
		}
		most = max(most, number(scrape(), `^passiflow_output_held_bytes\{output="webhook"\} (\S+)$`))
	}
	took := time.Since(began)
	memory := resident(t, c.cmd.Process.Pid)
	time.Sleep(400 * time.Millisecond) // what is under way
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.done: // with an error: not all was delivered
	case <-time.After(2 * time.Minute):
		t.Fatal("passiflow does not end")
	}
	words := c.words.String()
	hook, file := account(words, "records to webhook"), account(words, "records to file")
	in, full, late := number(hook, `^records to webhook +(\S+)$`), number(hook, `dropped: queue full +(\S+)$`), number(hook, `dropped: undelivered +(\S+)$`)
	got := number(file, `written +(\S+)$`)
	t.Logf("%d packets, %d exchanges in %v, %d of them at the file; of the stalled sink %d dropped, at most %d kB held; at most %d MB resident; %d packets dropped by the kernel",
		packets, sent, took.Round(time.Millisecond), got, full, most>>10, memory>>20, max(number(words, `dropped by the kernel +([\d,]+)`), 0))
	if b, err := os.ReadFile(all); err != nil || !soak && (int64(strings.Count(string(b), "\n")) != got || got != sent) || got != in || strings.Contains(file, "dropped") {
		t.Errorf("%d exchanges, %d at the file: %v", sent, got, err)
	}
	if full <= 0 || full+late != in || most > bound || most < bound/2 {
		t.Errorf("of %d: %d dropped, %d left, %d bytes held", in, full, late, most)
	}
	// A ring of 32 MiB, the budget of 64, and what the runtime takes.
	if memory > 200<<20 {
		t.Errorf("%d MB resident", memory>>20)
	}
	if t.Failed() || strings.Contains(words, "do not add up") {
		t.Errorf("ledger:\n%s", words)
	}
}

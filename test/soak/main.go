// Command soak runs passiflow live on loopback under steady load and fails when
// an exchange is missing, when memory keeps growing or when the program does
// not end well. It needs the right to capture on loopback.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	var s soak
	flag.StringVar(&s.program, "program", "bin/passiflow", "program to watch")
	flag.DurationVar(&s.span, "for", 10*time.Minute, "length of the run")
	flag.IntVar(&s.clients, "clients", 16, "connections at a time")
	flag.DurationVar(&s.pause, "pause", 5*time.Millisecond, "pause of each client between requests")
	flag.Int64Var(&s.limit, "limit", 96, "most resident memory, in MB; 32 of them are the packet ring")
	flag.Parse()
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

type soak struct {
	program string
	span    time.Duration
	clients int
	pause   time.Duration
	limit   int64

	asked, records atomic.Int64
	early, late    int64 // most resident memory in the first and in the second half, bytes
}

func (s *soak) run() error {
	if runtime.GOOS != "linux" {
		return errors.New("live capture and memory are watched on Linux only")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(answer), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close below, which is its error
	defer server.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())

	c := exec.Command(s.program, "capture", "-i", "lo", "-p", port, "--json")
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	words, err := c.StderrPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	var readers sync.WaitGroup
	ready, ended := make(chan struct{}), make(chan struct{})
	readers.Go(func() { s.count(out) })
	readers.Go(func() { defer close(ended); relay(words, ready) })
	select {
	case <-ready:
		s.load("http://"+l.Addr().String(), c.Process.Pid)
		time.Sleep(time.Second) // the last packets are still in the ring
		err = c.Process.Signal(os.Interrupt)
	case <-ended:
	}
	readers.Wait()
	if err := errors.Join(err, c.Wait()); err != nil {
		return err
	}
	fmt.Printf("soak: %d exchanges asked, %d recorded in %s; resident at most %d MB in the first half, %d MB in the second\n",
		s.asked.Load(), s.records.Load(), s.span, s.early>>20, s.late>>20)
	switch {
	case s.asked.Load() != s.records.Load():
		return errors.New("exchanges are missing")
	case max(s.early, s.late) > s.limit<<20:
		return fmt.Errorf("memory is above %d MB", s.limit)
	case s.late > s.early+s.early/4:
		return errors.New("memory keeps growing")
	}
	return nil
}

// load lets the clients ask until the time is over and watches memory.
func (s *soak) load(base string, pid int) {
	ctx, cancel := context.WithTimeout(context.Background(), s.span)
	defer cancel()
	var clients sync.WaitGroup
	for i := range s.clients {
		clients.Go(func() { s.ask(ctx, base, i) })
	}
	start := time.Now()
	for ctx.Err() == nil {
		n := resident(pid)
		if time.Since(start) < s.span/2 {
			s.early = max(s.early, n)
		} else {
			s.late = max(s.late, n)
		}
		time.Sleep(time.Second)
	}
	clients.Wait()
}

// ask is one client. Every 50th request comes on a new connection.
func (s *soak) ask(ctx context.Context, base string, client int) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	body := strings.Repeat("x", 100+client*97)
	for i := 0; ctx.Err() == nil; i++ {
		// A request that was begun is finished, so that the counts can agree.
		r, err := http.NewRequest(http.MethodPost, base+"/"+strconv.Itoa(i), strings.NewReader(body))
		if err != nil {
			return
		}
		r.Close = i%50 == 49
		answer, err := transport.RoundTrip(r)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		s.asked.Add(1)
		time.Sleep(s.pause)
	}
}

func answer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	n, _ := strconv.Atoi(r.URL.Path[1:])
	_, _ = w.Write(bytes.Repeat([]byte("y"), n%8000))
}

func (s *soak) count(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		s.records.Add(1)
	}
}

func relay(r io.Reader, ready chan<- struct{}) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		fmt.Fprintln(os.Stderr, lines.Text())
		if ready != nil && strings.Contains(lines.Text(), "capturing") {
			close(ready)
			ready = nil
		}
	}
}

// resident returns the process's resident memory in bytes, 0 where unknown.
func resident(pid int) int64 {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

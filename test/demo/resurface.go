package main

import (
	"bufio"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// environment is what the network sniffer's example sets.
func environment() []string {
	return []string{
		"APP_PORTS=80,8000,3000",
		"NET_DEVICE=",
		"USAGE_LOGGERS_URL=http://localhost:7701/message",
		`USAGE_LOGGERS_RULES=include debug\nskip_compression`,
	}
}

// showResurface lets passiflow stand in for the Resurface network sniffer: in a
// network namespace of its own, a server like httpbin on port 80, a database on
// 7701 that shows what it is sent, and a program that is told by its
// environment alone.
func showResurface(program string, inside bool) (int, error) {
	if !inside {
		err := namespaced("-program", program, "-resurface", "-inside")
		var e *exec.ExitError
		if err == nil || errors.As(err, &e) {
			if e != nil {
				return e.ExitCode(), nil
			}
			return 0, nil
		}
		return refused, fmt.Errorf("this machine gives no network namespace: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return refused, fmt.Errorf("no loopback in the namespace: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	base := &database{}
	for addr, h := range map[string]http.Handler{":80": httpbin(), ":7701": base} {
		s := &http.Server{Addr: addr, Handler: h, ReadHeaderTimeout: 5 * time.Second}
		go func() { _ = s.ListenAndServe() }() // what fails shows when nobody answers
		defer s.Close()
	}
	c := exec.CommandContext(ctx, program)
	c.Env = append(os.Environ(), environment()...)
	c.Stdout = os.Stdout
	fmt.Printf("$ %s passiflow\n", strings.Join(environment(), " "))
	words, err := c.StderrPipe()
	if err != nil {
		return 1, err
	}
	if err := c.Start(); err != nil {
		return 1, err
	}
	ready, done := make(chan struct{}), make(chan struct{})
	go func() { // ends when passiflow closes its standard error
		defer close(done)
		relay(words, ready)
	}()
	asked := 0
	select {
	case <-ready:
		asked, err = browse(ctx)
		base.wait(ctx, asked)
		err = errors.Join(err, interrupt(c.Process))
	case <-done:
	}
	<-done
	if err = errors.Join(err, c.Wait()); err != nil {
		return 1, err
	}
	fmt.Printf("%d calls, %d messages in the database\n", asked, base.count())
	if base.count() != asked {
		return 1, errors.New("not every call has arrived")
	}
	return 0, nil
}

// httpbin answers a little like the server of that name.
func httpbin() http.Handler {
	m := http.NewServeMux()
	about := func(r *http.Request) map[string]any {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		return map[string]any{"url": "http://" + r.Host + r.RequestURI, "args": r.URL.Query(), "headers": r.Header, "origin": r.RemoteAddr, "data": string(body)}
	}
	answer := func(w io.Writer, x any) { _ = json.NewEncoder(w).Encode(x) } // who asked may be gone
	m.HandleFunc("/json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer(w, map[string]any{"slideshow": map[string]any{"author": "Yours Truly", "title": "Sample Slide Show"}})
	})
	for _, path := range []string{"/get", "/post", "/anything/"} {
		m.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			answer(w, about(r))
		})
	}
	m.HandleFunc("/gzip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		answer(z, map[string]bool{"gzipped": true})
	})
	m.HandleFunc("/cookies/set", func(w http.ResponseWriter, r *http.Request) {
		for name, v := range r.URL.Query() {
			http.SetCookie(w, &http.Cookie{Name: name, Value: v[0], Path: "/"})
		}
		http.Redirect(w, r, "/get", http.StatusFound)
	})
	m.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.PathValue("code"))
		if err != nil || code < 200 || code > 599 {
			code = http.StatusBadRequest
		}
		w.WriteHeader(code)
	})
	return m
}

// browse calls the server and tells how many calls it made.
func browse(ctx context.Context) (n int, err error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, a := range []struct{ method, path, body string }{
		{"GET", "/json", ""}, {"GET", "/get?a=1&b=x%20y", ""}, {"POST", "/post", `{"email":"joe@example.com"}`}, {"GET", "/gzip", ""},
		{"GET", "/cookies/set?sid=abc", ""}, {"GET", "/status/404", ""}, {"DELETE", "/anything/a%20b", ""},
	} {
		r, err := http.NewRequestWithContext(ctx, a.method, "http://localhost"+a.path, strings.NewReader(a.body))
		if err != nil {
			return n, err
		}
		r.Header.Set("User-Agent", "curl/8.5.0")
		r.Header.Set("Cookie", "theme=dark")
		answer, err := client.Do(r)
		if err != nil {
			return n, err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// database takes messages as Resurface does and shows them.
type database struct {
	mu sync.Mutex
	n  int
}

func (d *database) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "deflated" {
		z, err := zlib.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := bufio.NewScanner(body); s.Scan(); {
		var pairs [][2]string
		if err := json.Unmarshal(s.Bytes(), &pairs); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		d.n++
		fmt.Printf("\nmessage %d\n", d.n)
		for _, p := range pairs {
			fmt.Printf("  %-32s %.120q\n", p[0], p[1])
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (d *database) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n
}

// wait waits until n messages are there, for half a minute.
func (d *database) wait(ctx context.Context, n int) {
	for range 300 {
		if d.count() >= n || ctx.Err() != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

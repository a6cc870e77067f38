// Command demo starts a small HTTP server and client on loopback, lets
// passiflow capture what they say, and shows the exchanges. Where it may not
// capture it tries again in a network namespace of its own, and where that is
// refused too it writes a capture file itself and reads that.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// refused is passiflow's exit code for a capture that may not be.
const refused = 3

func main() {
	program := flag.String("program", "bin/passiflow", "the program to show")
	inside := flag.Bool("inside", false, "we are in a namespace of our own")
	resurface := flag.Bool("resurface", false, "show passiflow in the place of the Resurface network sniffer")
	flag.Parse()
	play := show
	if *resurface {
		play = showResurface
	}
	code, err := play(*program, *inside)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		code = 1
	}
	os.Exit(code)
}

func show(program string, inside bool) (int, error) {
	if inside {
		if err := loopbackUp(); err != nil {
			fmt.Println("demo: no loopback in the namespace:", err)
			return refused, nil
		}
	}
	err := live(program)
	var e *exec.ExitError
	if !errors.As(err, &e) || e.ExitCode() != refused {
		return 0, err
	}
	if inside {
		return refused, nil
	}
	fmt.Println("demo: no right to capture here; trying in a namespace of our own")
	if again := namespaced("-program", program, "-inside"); again == nil {
		return 0, nil
	}
	fmt.Println("demo: this machine gives no right to capture, not even in a namespace of our own: reading a capture file instead")
	return 0, recorded(program)
}

// live captures on loopback while client and server talk.
func live(program string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: shop(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close below, which is its error
	defer server.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return err
	}

	name := loopback()
	fmt.Printf("$ passiflow capture -i %s -p %s\n", name, port)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, "capture", "-i", name, "-p", port, "--format", "line")
	c.Stdout = os.Stdout
	words, err := c.StderrPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	ready, done := make(chan struct{}), make(chan struct{})
	go func() { // ends when passiflow closes its standard error
		defer close(done)
		relay(words, ready)
	}()
	select {
	case <-ready:
		err = talk(ctx, "http://"+l.Addr().String())
		time.Sleep(300 * time.Millisecond) // the last packets are still in the ring
		if stop := interrupt(c.Process); err == nil {
			err = stop
		}
	case <-done:
	}
	<-done
	return errors.Join(c.Wait(), err)
}

// relay copies what passiflow says and tells when it captures.
func relay(r io.Reader, ready chan<- struct{}) {
	for s := bufio.NewScanner(r); s.Scan(); {
		fmt.Fprintln(os.Stderr, s.Text())
		if ready != nil && strings.Contains(s.Text(), "capturing") {
			close(ready)
			ready = nil
		}
	}
}

func loopback() string {
	all, _ := net.Interfaces() // without the list the usual name serves
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Name
		}
	}
	return "lo"
}

// shop is a small server with a bit of everything.
func shop() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "welcome") })
	m.HandleFunc("GET /cups/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "{\"id\":%q,\"colour\":\"blue\"}\n", r.PathValue("id"))
	})
	m.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		if err != nil {
			http.Error(w, "cut", http.StatusBadRequest)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s3cret"})
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "ordered %d bytes\n", len(body))
	})
	m.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(150 * time.Millisecond)
		fmt.Fprintln(w, "at last")
	})
	return m
}

// talk is the client.
func talk(ctx context.Context, base string) error {
	for _, a := range []struct{ method, path, body string }{
		{"GET", "/", ""}, {"GET", "/cups/7", ""}, {"POST", "/orders", `{"cup":7,"count":2}`}, {"GET", "/slow", ""}, {"GET", "/nowhere", ""}, {"DELETE", "/cups/7", ""},
	} {
		r, err := http.NewRequestWithContext(ctx, a.method, base+a.path, strings.NewReader(a.body))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer not-for-your-eyes")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet/packettest"
)

// What waits for a pipe that nobody writes to ends at a signal.
func TestInterrupted(t *testing.T) {
	for _, args := range [][]string{{"rules", "test", "--with", "-"}, {"replay", "-", "--to", "http://127.0.0.1:1"}} {
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		defer out.Close()
		signals := make(chan os.Signal, 1)
		root := newRoot(&process{stdin: in, stdout: os.Stdout, stderr: os.Stderr, signals: signals})
		root.SetArgs(args)
		done := make(chan error, 1)
		go func() { done <- root.ExecuteContext(t.Context()) }()
		signals <- os.Interrupt
		select {
		case err := <-done:
			var e *exit
			if err != nil && (!errors.As(err, &e) || e.code != exitRun) {
				t.Errorf("%v: %v", args, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%v goes on", args)
		}
	}
}

// A signal while a recording is read sends nothing, not even what was read.
func TestInterruptedReplaySendsNothing(t *testing.T) {
	asked := make(chan struct{}, 100)
	to := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	defer to.Close()
	tape := packettest.NewTape()
	for i := range 30 {
		c := tape.Open(fmt.Sprintf("10.0.0.1:%d", 40000+i), "10.1.0.1:80", nil)
		c.Client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		c.Server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		c.Close()
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	if _, err := out.Write(tape.Bytes()); err != nil {
		t.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	root := newRoot(&process{stdin: in, stdout: os.Stdout, stderr: os.Stderr, signals: signals})
	root.SetArgs([]string{"replay", "-", "--to", to.URL})
	time.AfterFunc(100*time.Millisecond, func() { signals <- os.Interrupt })
	if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "ended by signal") {
		t.Error(err)
	}
	if len(asked) > 0 {
		t.Errorf("%d requests were sent", len(asked))
	}
}

// Who writes to standard input gets the same signal and hands over its last
// packets, which are read.
func TestLastWordsAreRead(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	records, err := os.Create(filepath.Join(t.TempDir(), "records"))
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	signals := make(chan os.Signal)
	root := newRoot(&process{stdin: in, stdout: records, stderr: os.Stderr, signals: signals, lastWords: time.Minute})
	root.SetArgs([]string{"capture", "-r", "-", "--shutdown-grace", "1m"})
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(t.Context()) }()
	tape := packettest.NewTape()
	shop(tape)
	if _, err := out.Write(tape.Bytes()[:200]); err != nil {
		t.Fatal(err)
	}
	signals <- os.Interrupt
	if _, err := out.Write(tape.Bytes()[200:]); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(records.Name())
	if n := strings.Count(string(text), `"complete":true`); n != 3 || err != nil {
		t.Errorf("%d records of 3, %v", n, err)
	}
}

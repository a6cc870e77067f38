// Command passiflow watches network traffic and writes the HTTP exchanges that
// passed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/source/filter"
)

// The exit codes.
const (
	exitOK      = 0 // also after SIGINT and SIGTERM, and when nobody reads the output any more
	exitRun     = 1 // something went wrong while running
	exitUsage   = 2 // usage or configuration
	exitRefused = 3 // the capture was refused: no right, or no such interface
	exitDiffers = 4 // what was replayed is answered differently
)

// process is what the program has of the system it runs on.
type process struct {
	stdin          io.Reader
	stdout, stderr *os.File
	environ        []string
	signals        <-chan os.Signal
	lastWords      time.Duration // how long standard input is read on after a signal

	again   again                           // what another command is told to have the same configuration
	wrapLog func(slog.Handler) slog.Handler // between a JSON log and its writer; nil: nothing
	ended   func(*passiflow.Stats)          // told at the end of a run; nil: nobody
}

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	// Without this the runtime ends the program when the reader of standard
	// output goes away, before the ledger is printed.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	// For good: a second signal in the last moments must not take the exit code.
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // a terminal that closes ends a capture, not one under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}

	p := &process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), signals: signals, lastWords: lastWords}
	which, err := p.chooseProfile(args)
	switch {
	case err != nil:
	case which == resurfaceProfile:
		err = runSniffer(context.Background(), p, args)
	case which == containerProfile:
		return runContainer(context.Background(), p)
	default:
		root := newRoot(p)
		root.SetArgs(args)
		err = root.ExecuteContext(context.Background())
	}
	return report(p.stderr, err)
}

// getenv returns the value of an environment variable, "" where it is not set.
func (p *process) getenv(name string) string {
	for _, e := range p.environ {
		if k, v, ok := strings.Cut(e, "="); ok && k == name {
			return v
		}
	}
	return ""
}

// exit is an error that knows its exit code.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string { return e.err.Error() }
func (e *exit) Unwrap() error { return e.err }

// report tells err on w and returns the exit code. What is not an exit comes
// from reading the command line.
func report(w io.Writer, err error) int {
	if err == nil || sink.ReaderGone(err) {
		return exitOK
	}
	code := exitUsage
	var e *exit
	if errors.As(err, &e) {
		code = e.code
	}
	var faults config.Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			fmt.Fprintf(w, "passiflow: %s\n", printable(f.Error()))
		}
		if e != nil && !errors.As(e.err, &faults) { // joined to them
			return report(w, e)
		}
		return code
	}
	if all := faultLines(err); all != nil {
		for _, line := range all {
			fmt.Fprintf(w, "passiflow: %s\n", printable(line))
		}
		return code
	}
	for _, err := range joined(err) {
		fmt.Fprintf(w, "passiflow: %s\n", printable(err.Error()))
	}
	var f *filter.Error
	if errors.As(err, &f) {
		fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(f.Point(), "\n", "\n  "))
	}
	return code
}

// joined parts what errors.Join has put together.
func joined(err error) []error {
	inner := err
	var e *exit
	if errors.As(err, &e) && e.Error() == err.Error() {
		inner = e.err
	}
	if j, ok := inner.(interface{ Unwrap() []error }); ok {
		var all []error
		var texts []string
		for _, x := range j.Unwrap() {
			all = append(all, joined(x)...)
			texts = append(texts, x.Error())
		}
		if strings.Join(texts, "\n") == err.Error() {
			return all
		}
	}
	return []error{err}
}

// printable spells out what a terminal would obey: names of files and of
// interfaces in them are not always chosen by whoever reads the message.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

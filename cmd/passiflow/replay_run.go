package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/internal/replay"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/shadow/diff"
)

func runReplay(parent context.Context, p *process, f *replayFlags) error {
	o := &f.options
	o.Stdin, o.Log = p.stdin, p.newLog(&f.shared.Log)
	if !f.secrets {
		o.Compare.Rules = rule.Default()
	}
	if _, err := diff.New(o.Compare); err != nil {
		return fmt.Errorf("--ignore-json: %w", err)
	}
	if f.rules != "" {
		c := config.DefaultConfig()
		c.Mask.ShowSecrets = true
		rules, err := loadRules(f.rules, &c, p)
		if err != nil {
			return err
		}
		o.Rules = rules
	}
	if err := f.trust(); err != nil {
		return err
	}
	var loopback bool
	var r *replay.Recording
	err := p.interruptible(parent, func(ctx context.Context) (err error) {
		if loopback, err = o.Target.Resolve(ctx); err == nil {
			r, err = replay.Load(ctx, o)
		}
		return cmp.Or(err, ctx.Err()) // a part of a recording is not sent
	})
	if err != nil {
		return &exit{exitRun, err}
	}
	if err := f.openReports(); err != nil {
		return err
	}
	if f.dry {
		report, err := r.Preview()
		if err != nil {
			return err
		}
		o.Log.Info("nothing is sent", "would_send", r.Sendable, "target", o.Target.String())
		return f.write(p, report)
	}
	if !loopback && r.Sendable > 0 {
		if err := allow(p, f.yes, fmt.Sprintf("Send %d requests to %s, which is not this machine?", r.Sendable, o.Target)); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(parent)
	defer stop()
	go func() { // ends with ctx
		select {
		case <-p.signals:
			stop()
		case <-ctx.Done():
		}
	}()
	report, err := r.Run(ctx)
	if report != nil {
		if err := f.write(p, report); err != nil {
			return err
		}
	}
	if report != nil && report.Behind() {
		o.Log.Warn("requests were sent later than planned: raise --concurrency, or lower --speed", "p50", report.Late.P50.String())
	}
	switch {
	case err != nil:
		return &exit{exitRun, err}
	case report.Different > 0:
		return &exit{exitDiffers, fmt.Errorf("%d of %d answers differ", report.Different, report.Sent)}
	case report.Stopped && o.Rounds > 0: // nobody knows what the rest would have said
		return &exit{exitRun, errors.New("stopped before the end of the recording")}
	}
	return nil
}

// trust sets up TLS.
func (f *replayFlags) trust() error {
	t := f.options.Target.TLS
	if t == nil {
		if f.ca != "" || f.insecure {
			return errors.New("--ca and --insecure are for an https address in --to")
		}
		return nil
	}
	c, err := sink.TLSConfig{CA: f.ca, Name: t.ServerName, Insecure: f.insecure}.Client()
	if err != nil {
		return fmt.Errorf("--ca: %w", err)
	}
	c.NextProtos = t.NextProtos
	f.options.Target.TLS = c
	return nil
}

// allow asks on the terminal unless yes is said already, and refuses where there
// is none.
func allow(p *process, yes bool, question string) error {
	if yes {
		return nil
	}
	in, ok := p.stdin.(*os.File)
	if !ok || !terminal(in) || !terminal(p.stderr) {
		return fmt.Errorf("%s There is no terminal to ask on: say --yes", question)
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	var answer string
	err := p.interruptible(context.Background(), func(context.Context) error {
		line, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
		if err != nil && line == "" {
			return err
		}
		answer = line
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was sent")
}

// write writes the report to the files asked for and prints it, whatever fails.
func (f *replayFlags) write(p *process, r *diff.Report) error {
	var errs []error
	for _, name := range f.reports {
		errs = append(errs, writeReport(name, r))
	}
	switch {
	case f.quiet:
	case f.json:
		errs = append(errs, r.WriteJSON(p.stdout))
	default:
		errs = append(errs, r.WriteText(p.stdout))
	}
	if err := errors.Join(errs...); err != nil {
		return &exit{exitRun, fmt.Errorf("write report: %w", err)}
	}
	return nil
}

// openReports finds out before anything is sent whether it can be told.
func (f *replayFlags) openReports() error {
	from, _ := os.Stat(f.options.File) // standard input has no name, and is no file that could be lost
	for _, name := range f.reports {
		to, err := openReport(name)
		if err != nil {
			return &exit{exitRun, fmt.Errorf("write report: %w", err)}
		}
		info, err := to.Stat()
		to.Close()
		if err == nil && from != nil && os.SameFile(from, info) {
			return fmt.Errorf("write report: %s is what is read: name another file", name)
		}
	}
	return nil
}

// openReport opens a file, for its owner alone: a report shows what servers said.
func openReport(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
}

// writeReport writes to a file in the form that its name ends in.
func writeReport(name string, r *diff.Report) (err error) {
	to, err := openReport(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if info, err := to.Stat(); err == nil && info.Mode().IsRegular() {
		if err := to.Truncate(0); err != nil {
			return err
		}
	}
	return r.Write(to, name)
}

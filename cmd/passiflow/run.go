package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/source"
)

// together is how close signals come that mean one: timeout(1) sends its own to
// the program and then to the group the program is in.
const together = 500 * time.Millisecond

// lastWords is how long standard input is read on after a signal: who writes to
// it has mostly got the same signal, and hands over what it still has.
const lastWords = 250 * time.Millisecond

// errGrace is why the outputs are given up.
var errGrace = errors.New("the time for it is over")

// captureRun is one run of capture.
type captureRun struct {
	config  *config.Config
	process *process
	log     *slog.Logger
	flow    *passiflow.Passiflow
	out     *outputs
	sources []source.Source
	begin   time.Time
}

func runCapture(ctx context.Context, p *process, c *config.Config, warnings config.Faults) error {
	log := p.newLog(&c.Log)
	for _, w := range warnings {
		log.Warn(w.Problem, "variable", w.Name)
	}
	f, text, err := parseFilter(&c.Capture)
	if err != nil {
		return &exit{exitUsage, err}
	}
	setMemory(c.Flow.Memory)
	rules, err := loadRules(c.Rules.File, c, p)
	if err != nil {
		return err
	}
	sources, live, err := openSources(c, f, p, log)
	if err != nil {
		return err
	}
	e := engine(c, log)
	e.Sources, e.Rules = sources, rules
	if len(sources) > 1 || live {
		e.Workers = 1 // each source has one already
	}
	if f != nil && !filtersItself(c) {
		f.Log = log
		e.Filter = f
	}
	out, err := openOutputs(c, &e, p, log, live && !c.Capture.Follow)
	if err != nil {
		closeAll(sources)
		return err
	}
	s := &captureRun{config: c, process: p, log: log, out: out, sources: sources, begin: time.Now()}
	s.flow, err = passiflow.New(e)
	if err != nil { // the sources are closed
		out.abandon()
		return &exit{exitUsage, err}
	}
	if out.meter != nil {
		out.meter.run.Store(s)
	}
	s.announce(text, live)
	out.tellMixed(sources)
	return s.run(ctx)
}

// filtersItself tells whether the kernel runs the filter before packets are
// taken.
func filtersItself(c *config.Config) bool {
	return len(c.Capture.Files) == 0 && len(c.Capture.Listen) == 0
}

// announce tells what is captured.
func (s *captureRun) announce(filter string, live bool) {
	in := &s.config.Capture
	var more []any
	if filter != "" {
		more = append(more, "filter", filter)
	}
	if len(in.Ports) > 0 {
		more = append(more, "ports", fmt.Sprint(in.Ports))
	}
	switch {
	case len(in.Files) > 0:
		s.log.Info("reading", append([]any{"files", in.Files}, more...)...)
		return
	case !filtersItself(s.config):
		var at []string // with the ports that were got where none was named
		for _, x := range s.sources {
			for _, i := range x.Interfaces() {
				if !slices.Contains(at, i.Name) {
					at = append(at, i.Name)
				}
			}
		}
		s.log.Info("listening", append([]any{"addresses", at}, more...)...)
		return
	}
	more = append(more, "rights", rights(), "workers", in.Workers)
	for _, i := range s.sources[0].Interfaces() {
		s.log.Info("capturing", append([]any{"interface", i.Name, "loopback", i.Loopback}, more...)...)
	}
}

// run lets the flow run until it ends by itself or by a signal, then delivers
// what is held and shows the ledger.
func (s *captureRun) run(parent context.Context) error {
	ctx, stop := context.WithCancel(parent)
	defer stop()
	drain, giveUp := context.WithCancelCause(context.WithoutCancel(parent))
	defer giveUp(nil)
	done := make(chan error, 1)
	go func() { // ends when the sources and queues are closed, which drain bounds
		err := s.flow.Run(ctx)
		done <- errors.Join(err, s.out.close(drain))
	}()

	none := s.out.none
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	w := newWatch(s)
	var first time.Time // when the first signal came
	var grace <-chan time.Time
	for {
		select {
		case err := <-done:
			return s.end(w, err)
		case <-none:
			none = nil
			stop() // end says why
		case sig := <-s.process.signals:
			if grace != nil && time.Since(first) < together {
				continue
			}
			if grace != nil {
				return &exit{exitRun, fmt.Errorf("ended at once by a second %v", sig)}
			}
			s.log.Info("stopping", "signal", sig.String(), "grace", s.config.Run.ShutdownGrace.String())
			first, grace = time.Now(), time.After(s.config.Run.ShutdownGrace)
			if slices.Contains(s.config.Capture.Files, "-") {
				time.AfterFunc(min(s.process.lastWords, s.config.Run.ShutdownGrace), stop)
			} else {
				stop()
			}
		case <-grace:
			// Who waits to push is let go, and what is held is counted as lost.
			giveUp(errGrace)
			late := s.out.close(drain)
			select {
			case err := <-done:
				late = err
			case <-time.After(time.Second):
			}
			return s.end(w, errors.Join(late, fmt.Errorf("not finished within the grace of %s: raise --shutdown-grace", s.config.Run.ShutdownGrace)))
		case <-tick.C:
			w.look()
		}
	}
}

func (s *captureRun) end(w *watch, err error) error {
	w.clear()
	s.showLedger()
	if err == nil {
		w.end()
	}
	s.out.tellMixed(s.sources)
	s.out.tellWaiting(s.config, s.process)
	if s.process.ended != nil {
		st := s.flow.Stats()
		s.process.ended(&st)
	}
	if err = errors.Join(err, s.out.lost()); err != nil {
		return &exit{exitRun, err}
	}
	return nil
}

// showLedger prints what became of everything, as a table or, in a JSON log, as
// one message.
func (s *captureRun) showLedger() {
	if !s.log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	st := s.flow.Stats()
	showAccounts(accounts(&st, s.out), s.process, &s.config.Log, s.log)
}

func showAccounts(all []account, p *process, c *config.Log, log *slog.Logger) {
	if !log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	if c.Format == "json" {
		var attrs []any
		for i := range all {
			attrs = append(attrs, all[i].attr())
		}
		log.Info("ledger", attrs...)
		return
	}
	_ = writeLedger(p.stderr, all) // nobody reads standard error: there is nowhere to tell it
}

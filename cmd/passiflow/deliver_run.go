package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/sink"
)

// deliveries are the spools that are being delivered, each by a queue of its own.
type deliveries struct {
	config  *config.Config
	process *process
	log     *slog.Logger
	all     []*emptying
}

// emptying is one of them.
type emptying struct {
	*output
	records *sink.Records
	late    error // why it ended before the spool was empty
}

// open opens the sinks, and begins when all fit.
func (r *deliveries) open(todo []delivery, elsewhere bool) error {
	c, p := r.config, r.process
	lines := builtin.FormatOptions{Width: screenWidth(p), Color: colour(c, p), Verbose: c.Output.Verbose}
	places := make([]string, len(todo))
	queues := make([]sink.Sink, len(todo))
	for i, d := range todo {
		keepFile(d.sink)
		to, err := d.sink.Setup.Open(builtin.SinkOptions{Log: r.log.With("sink", d.sink.Name), Getenv: p.getenv, Stdout: p.stdout, Version: versionText(),
			Unit: d.sink.UnitIn(c.Output.Unit), Ask: func(q string) error { return allow(p, c.Run.Yes, q) }, Lines: lines, Production: c.Run.Production || production(p)})
		if err != nil {
			closeSinks(queues)
			return &exit{openFailure(err), fmt.Errorf("sink %s: %w", d.sink.Name, err)}
		}
		places[i], queues[i] = to.Place, to.Records
		if err := d.fits(to.Place, elsewhere); err != nil {
			closeSinks(queues)
			return &exit{exitUsage, err}
		}
	}
	bytes := split(c.Flow.Memory).queue / int64(max(len(todo), 1))
	for i, d := range todo {
		q := sink.DefaultQueueConfig()
		q.Bytes, q.Log = min(bytes, 4<<20), r.log.With("sink", d.sink.Name)
		q = d.sink.Queue.Over(q)
		q.Spool.Directory = d.spool.Directory
		if d.spool.Owner.Kind == d.sink.Kind || d.spool.Owner.Kind == "" {
			q.Spool.Owner = sink.Owner{Kind: d.sink.Kind, Place: places[i]}
		}
		records, err := sink.OpenRecords(queues[i], q)
		if errors.Is(err, sink.ErrSpoolLocked) {
			err = fmt.Errorf("open spool %s: a running passiflow uses it, and delivers what is in it by itself; end that first to deliver from here", d.spool.Directory)
		}
		if err != nil {
			closeSinks(queues[i:])
			return &exit{exitRun, fmt.Errorf("sink %s: %w", d.sink.Name, err)}
		}
		x := &output{name: "records to " + d.sink.Name, label: d.sink.Name, queue: records, records: true, spool: d.spool.Directory}
		r.all = append(r.all, &emptying{output: x, records: records})
		r.log.Info("delivering", "sink", d.sink.Name, "records", d.spool.Waiting.Records, "directory", d.spool.Directory)
	}
	return nil
}

// keepFile lets s put records behind what its file holds: that is the beginning
// of what is delivered.
func keepFile(s *config.Sink) {
	for _, o := range s.Setup.Options {
		if to, ok := o.To.(*bool); ok && o.Name == "replace" {
			*to = false
		}
	}
}

func closeSinks(all []sink.Sink) {
	for _, s := range all {
		if s != nil {
			_ = s.Close(context.Background()) // it was given nothing
		}
	}
}

// abandon lets go of what was opened before something else could not be.
func (r *deliveries) abandon() {
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for _, x := range r.all {
		_ = x.records.Close(done)
	}
}

// run delivers until nothing is left, nothing goes on, or a signal comes.
func (r *deliveries) run(parent context.Context) error {
	grace := r.config.Run.ShutdownGrace
	ctx, stop := context.WithCancel(parent)
	defer stop()
	closing, giveUp := context.WithCancelCause(context.WithoutCancel(parent))
	defer giveUp(nil)
	done := make(chan struct{})
	go func() { // ends when each queue is closed, which closing bounds
		defer close(done)
		var group sync.WaitGroup
		for _, x := range r.all {
			group.Go(func() { x.empty(ctx, closing, grace) })
		}
		group.Wait()
	}()
	screen := terminal(r.process.stderr)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var first, told time.Time
	told = time.Now()
	var over <-chan time.Time
	for {
		select {
		case <-done:
			if screen {
				fmt.Fprint(r.process.stderr, "\r\x1b[K")
			}
			return r.end()
		case sig := <-r.process.signals:
			switch {
			case over == nil:
				r.log.Info("stopping", "signal", sig.String(), "grace", grace.String())
				first, over = time.Now(), time.After(grace)
				stop()
			case time.Since(first) >= together:
				return &exit{exitRun, fmt.Errorf("ended at once by a second %v", sig)}
			}
		case <-over:
			giveUp(errGrace)
		case <-tick.C:
			if screen {
				fmt.Fprintf(r.process.stderr, "\r\x1b[K%s", r.progress())
			} else if time.Since(told) >= 10*time.Second {
				told = time.Now()
				r.log.Info("under way", "progress", r.progress())
			}
		}
	}
}

func (r *deliveries) progress() (text string) {
	for i, x := range r.all {
		if i > 0 {
			text += ", "
		}
		s := x.records.Stats()
		text += fmt.Sprintf("%s: %s of %s", x.label, grouped(uint64(s.Written.Records)), grouped(uint64(s.Recovered.Records)))
	}
	return text
}

// look is how often it is looked whether a spool is empty.
const look = 20 * time.Millisecond

// empty waits until the spool is empty, the sink has only failed for grace, or
// ctx ends, and closes the queue.
func (x *emptying) empty(ctx, closing context.Context, grace time.Duration) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	var settled, retries int64
	var since time.Time // when it began to do nothing but fail
	for {
		s := x.records.Stats()
		if s.Spooled.Records+s.Depth.Records == 0 {
			break
		}
		lost := s.Lost()
		switch now := s.Written.Records + lost.Records; {
		case now != settled:
			settled, retries, since = now, s.Retries, time.Time{}
		case s.Retries > retries && since.IsZero():
			since = time.Now()
		}
		if !since.IsZero() && time.Since(since) >= grace {
			x.late = errors.Join(fmt.Errorf("the sink took nothing for %v", grace), x.records.Trouble())
			expired, cancel := context.WithCancel(closing)
			cancel()
			closing = expired
			break
		}
		select {
		case <-tick.C:
			continue
		case <-x.records.Failed():
		case <-ctx.Done():
		}
		break
	}
	err := x.records.Close(closing)
	if err != nil && x.late == nil {
		x.late = err
	}
}

// end shows what became of everything.
func (r *deliveries) end() error {
	var all []account
	var errs []error
	for _, x := range r.all {
		s := x.records.Stats()
		all = append(all, outgoing(x.output, s))
		left := s.Spooled.Records + s.Depth.Records
		lost := s.Lost()
		switch {
		case left > 0 && x.late != nil:
			errs = append(errs, fmt.Errorf("%d records for %s stay in %s: %s", left, x.label, x.spool, strings.ReplaceAll(x.late.Error(), "\n", ": ")))
		case left > 0:
			errs = append(errs, fmt.Errorf("%d records for %s stay in %s", left, x.label, x.spool))
		case x.late != nil:
			errs = append(errs, fmt.Errorf("write %s: %w", x.name, x.late))
		}
		if lost.Records > 0 {
			errs = append(errs, fmt.Errorf("write %s: %d of %d dropped: the ledger tells why", x.name, lost.Records, s.Recovered.Records))
		}
	}
	if len(r.all) == 0 {
		r.log.Info("nothing waits for these sinks")
	}
	showAccounts(all, r.process, &r.config.Log, r.log)
	return errors.Join(errs...)
}

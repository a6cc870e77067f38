package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/stdout"
	"github.com/passiflow/passiflow/source"
)

// output is one queue of a run and what it is called.
type output struct {
	name      string // in the ledger
	label     string // in metrics: the sink's name, or words, which no sink's name is
	queue     queue
	records   bool   // it takes records
	spool     string // directory of what it has not taken; "": none
	essential bool   // the run ends where it fails
	inner     bool   // it is no reason to go on for
}

// queue is what all queues have in common.
type queue interface {
	Failed() <-chan struct{}
	Err() error
	Stats() sink.Stats
	Close(context.Context) error
}

// outputs are the queues of a run.
type outputs struct {
	all    []*output
	none   chan struct{} // closed when the run has nobody left to write for
	closed chan struct{} // closed with the queues
	once   sync.Once
	meter  *meter
	log    *slog.Logger
	ends   bool // by itself, with the files it reads
	frames bool // packets go to a file
	mixed  bool // it was told that they are of several kinds of links
}

// openOutputs opens what c asks for and enters it in e.
func openOutputs(c *config.Config, e *passiflow.Config, p *process, log *slog.Logger, live bool) (*outputs, error) {
	o := &outputs{none: make(chan struct{}), closed: make(chan struct{}), log: log, ends: len(c.Capture.Files) > 0 && !c.Capture.Follow}
	count := int64(len(c.Sinks))
	name := recordFormat(c, p)
	if name != config.None {
		count++
	}
	if c.Output.Write != "" {
		count++
	}
	q := sink.DefaultQueueConfig()
	q.Bytes = split(c.Flow.Memory).queue / max(count, 1)
	if !live { // the reader can wait, and a long queue would only use memory
		q.Policy = sink.Wait
		q.Bytes = min(q.Bytes, 4<<20)
	}
	lines := builtin.FormatOptions{Width: screenWidth(p), Color: colour(c, p), Verbose: c.Output.Verbose}
	if err := o.open(c, e, p, q, lines, name, live); err != nil {
		o.abandon()
		return nil, err
	}
	o.watch()
	return o, nil
}

func (o *outputs) open(c *config.Config, e *passiflow.Config, p *process, q sink.QueueConfig, lines builtin.FormatOptions, name string, live bool) error {
	if err := apart(c); err != nil {
		return &exit{exitUsage, err}
	}
	if file := c.Output.Write; file != "" {
		o.frames = true
		w, err := create(file, p)
		if err != nil {
			return err
		}
		if ext := filepath.Ext(file); ext == ".gz" || ext == ".zst" {
			o.log.Warn("packets are written as they are, not compressed", "file", file)
		}
		f := builtin.Packets(int(c.Capture.Snaplen))
		q := q
		if c.Output.PacketBuffered {
			q.Linger = 0
		}
		to := sink.NewFrames(sink.NewFrameStream(w, f.Head, w.Close), q)
		o.all = append(o.all, &output{name: "packets to the file", label: "packet file", queue: to, essential: true})
		e.Frames = framers(f, to, c.Output.PacketBuffered)
	}
	if name != config.None {
		f := builtin.Formats()[name](lines)
		to := stdout.DefaultConfig()
		to.Writer = p.stdout
		if err := o.records(e, &output{name: "records", label: "standard output", essential: true}, c.Output.Unit, stdout.New(to, f), pipe(q, c, live)); err != nil {
			return err
		}
	}
	own := &sink.Own{}
	if len(c.Sinks) > 0 {
		e.Own = own.Has
	}
	tapes := 0
	for _, s := range c.Sinks {
		log := o.log.With("sink", s.Name)
		to, err := s.Setup.Open(builtin.SinkOptions{Log: log, Dial: own.Dial, Getenv: p.getenv, Stdout: p.stdout, Version: versionText(),
			Unit: s.UnitIn(c.Output.Unit), Live: live, Ask: func(q string) error { return allow(p, c.Run.Yes, q) }, Snaplen: int(c.Capture.Snaplen), Lines: lines, Production: c.Run.Production || production(p)})
		if err != nil {
			return &exit{openFailure(err), fmt.Errorf("sink %s: %w", s.Name, err)}
		}
		rules, err := rulesOf(s, to.Rules, c, p)
		if err != nil {
			return &exit{exitUsage, fmt.Errorf("sink %s: %w", s.Name, err)}
		}
		q := q
		if s.Kind == "stdout" {
			q = pipe(q, c, live)
		}
		q = s.Queue.Over(q)
		q.Retry.Closing = max(c.Run.ShutdownGrace, time.Millisecond)
		q.Log = log
		q.Spool.Directory, q.Spool.Owner = spoolOf(c, s), sink.Owner{Kind: s.Kind, Place: to.Place}
		if c.Run.Spool != "" && s.Setup.Raw {
			log.Warn("this sink has no spool, since half a stream is of no use to a later run: what it cannot take in time is dropped and counted")
		}
		switch {
		case to.Frames != nil:
			o.frames = true
			tapes++
			f := sink.NewFrames(to.Frames, q)
			o.all = append(o.all, &output{name: "packets to " + s.Name, label: s.Name, queue: f})
			e.Outputs = append(e.Outputs, passiflow.Output{Unit: passiflow.UnitPacket, Packets: framers(to.Packets, f, false)})
		case to.Chunks != nil:
			c := sink.NewChunks(to.Chunks, q)
			o.all = append(o.all, &output{name: "pieces to " + s.Name, label: s.Name, queue: c})
			out := passiflow.Output{Unit: passiflow.UnitChunk, Chunks: c}
			if x, ok := to.Chunks.(sink.Chooser); ok {
				out.Wants = x.Wants
			}
			e.Outputs = append(e.Outputs, out)
		default:
			if err := o.records(e, &output{name: "records to " + s.Name, label: s.Name, spool: q.Spool.Directory}, s.UnitIn(c.Output.Unit), to.Records, q); err != nil {
				_ = to.Records.Close(context.Background())
				return &exit{openFailure(err), fmt.Errorf("sink %s: %w", s.Name, err)}
			}
		}
		e.Outputs[len(e.Outputs)-1].Rules = rules
	}
	e.TapeBytes = tapeBytes(e.TapeBytes, c.Flow.Memory, tapes)
	return o.openMetrics(c, e, q)
}

// pipe lets a queue before standard output collect more when nobody waits for
// the single record: whoever reads it is woken less often, and so are we.
func pipe(q sink.QueueConfig, c *config.Config, live bool) sink.QueueConfig {
	switch {
	case c.Output.LineBuffered || c.Output.PacketBuffered:
		q.Linger = 0
	case live:
		q.Batch, q.Linger = 1<<20, 10*time.Millisecond
	}
	return q
}

// apart refuses outputs to a file that the run reads, which they would destroy.
func apart(c *config.Config) error {
	reads := func(path string) bool {
		to, err := os.Stat(path)
		return err == nil && to.Mode().IsRegular() && slices.ContainsFunc(c.Capture.Files, func(file string) bool {
			from, err := os.Stat(file)
			return err == nil && os.SameFile(from, to)
		})
	}
	if reads(c.Output.Write) {
		return fmt.Errorf("write packets: %s is what is read: name another file", c.Output.Write)
	}
	for _, s := range c.Sinks {
		if path, ok := s.Setup.Options[0].To.(*string); ok && reads(*path) {
			return fmt.Errorf("sink %s: %s is what is read: name another file", s.Name, *path)
		}
	}
	return nil
}

// openFailure tells whether it was the system that refused to open a sink, or
// its settings are at fault.
func openFailure(err error) int {
	var path *fs.PathError
	var call *os.SyscallError
	if errors.As(err, &path) || errors.As(err, &call) {
		return exitRun
	}
	return exitUsage
}

// records puts a queue before a sink of records.
func (o *outputs) records(e *passiflow.Config, x *output, unit string, to sink.Sink, q sink.QueueConfig) error {
	r, err := sink.OpenRecords(to, q)
	if err != nil {
		return err
	}
	x.queue, x.records = r, true
	o.all = append(o.all, x)
	out := passiflow.Output{Records: r}
	switch unit {
	case "flow":
		out = passiflow.Output{Unit: passiflow.UnitFlow, Flows: summaries{r}}
	case "message":
		out.Unit = passiflow.UnitMessage
	}
	e.Outputs = append(e.Outputs, out)
	return nil
}

// production tells whether the environment says that this is no trial.
func production(p *process) bool {
	return p.getenv("NODE_ENV") == "production" || p.getenv("TCP_SNIFFER_PRODUCTION") == "1"
}

// create makes the file for packets; "-" is standard output.
func create(name string, p *process) (io.WriteCloser, error) {
	if name != "-" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, &exit{exitRun, fmt.Errorf("write packets: %w", err)}
		}
		return f, nil
	}
	if terminal(p.stdout) {
		return nil, &exit{exitUsage, errors.New("packets are not written to a terminal: redirect standard output")}
	}
	return open{p.stdout}, nil
}

// open keeps its file open: standard output is not ours to close.
type open struct{ io.Writer }

func (open) Close() error { return nil }

// recordFormat decides what auto means.
func recordFormat(c *config.Config, p *process) string {
	switch {
	case c.Output.Format != config.Auto:
		return c.Output.Format
	case c.Output.Write == "-" || len(c.Sinks) > 0:
		return config.None
	case terminal(p.stdout):
		return config.Line
	}
	return config.JSON
}

func colour(c *config.Config, p *process) bool {
	if c.Output.Color != config.Auto {
		return c.Output.Color == "always"
	}
	set := func(name string) bool {
		return slices.ContainsFunc(p.environ, func(e string) bool { return len(e) > len(name) && e[:len(name)] == name })
	}
	return terminal(p.stdout) && !set("NO_COLOR=") && !slices.Contains(p.environ, "TERM=dumb")
}

// watch tells of outputs that fail for good, and closes none when the run has
// nothing to go on for.
func (o *outputs) watch() {
	left := atomic.Int64{}
	for _, x := range o.all {
		if !x.inner {
			left.Add(1)
		}
	}
	over := sync.OnceFunc(func() { close(o.none) })
	for _, x := range o.all {
		go func() {
			select {
			case <-x.queue.Failed():
			case <-o.closed:
				return
			}
			err := x.queue.Err()
			if !x.inner && left.Add(-1) == 0 || x.essential {
				over() // the end of the run says why
			} else if !sink.ReaderGone(err) {
				o.log.Error("output failed; the others go on", "output", x.name, "error", err.Error())
			}
		}()
	}
}

// abandon closes the queues of a run that does not come to pass.
func (o *outputs) abandon() {
	done, cancel := context.WithCancel(context.Background())
	cancel()
	_ = o.close(done) // nothing was written
}

// close delivers what the queues hold until ctx ends, all at the same time. A
// reader that went away is no error.
func (o *outputs) close(ctx context.Context) error {
	errs := make([]error, len(o.all))
	var group sync.WaitGroup
	for i, x := range o.all {
		group.Go(func() {
			if err := x.queue.Close(ctx); err != nil && !sink.ReaderGone(err) {
				errs[i] = fmt.Errorf("write %s: %w", x.name, err)
			}
		})
	}
	group.Wait()
	errs = append(errs, o.meter.close(ctx))
	o.once.Do(func() { close(o.closed) })
	return errors.Join(errs...)
}

// lost tells of what a run over files did not deliver: whoever only looks at the
// exit code must not take it for delivered. Why stands in the ledger.
func (o *outputs) lost() error {
	if !o.ends {
		return nil
	}
	var errs []error
	for _, x := range o.all {
		s := x.queue.Stats()
		n := int64(0)
		for _, r := range []sink.Reason{sink.Refused, sink.GaveUp, sink.Expired, sink.SpoolFull, sink.SpoolLost} {
			n += s.Dropped[r].Records
		}
		if n > 0 && x.records {
			errs = append(errs, fmt.Errorf("write %s: %d of %d dropped: the ledger tells why", x.name, n, s.Pushed.Records+s.Recovered.Records))
		}
	}
	return errors.Join(errs...)
}

// takeRecords tells whether any output takes records.
func (o *outputs) takeRecords() bool {
	return slices.ContainsFunc(o.all, func(x *output) bool { return x.records })
}

// pushed tells whether there was a record yet.
func (o *outputs) pushed() bool {
	return slices.ContainsFunc(o.all, func(x *output) bool { return x.records && x.queue.Stats().Pushed.Records > 0 })
}

// summaries lets conversations travel in the queue of records.
type summaries struct{ to *sink.Records }

func (s summaries) Push(ctx context.Context, batch []*flow.Summary) {
	all := make([]*message.Exchange, len(batch))
	for i, x := range batch {
		all[i] = &message.Exchange{Flow: x.Flow, Summary: x}
	}
	s.to.Push(ctx, all)
}

// tellMixed says once that a file of packets has several kinds of links in it,
// which pcapng allows and libpcap does not.
func (o *outputs) tellMixed(sources []source.Source) {
	if !o.frames || o.mixed {
		return
	}
	var first *source.Interface
	for _, s := range sources {
		for _, i := range s.Interfaces() {
			if first == nil {
				first = &i
			} else if i.Link != first.Link {
				o.mixed = true
				o.log.Warn("the file of packets has several kinds of links: tshark and passiflow read it, tcpdump does not; capture one kind at a time for that",
					"links", fmt.Sprintf("%s: %d, %s: %d", first.Name, first.Link, i.Name, i.Link))
				return
			}
		}
	}
}

// framers makes what writes the packets of each worker, with atOnce each by
// itself.
func framers(f format.Frames, to *sink.Frames, atOnce bool) func(source.Source) passiflow.Frames {
	return func(s source.Source) passiflow.Frames {
		return &framer{format: f, to: to.Framer(), source: s, atOnce: atOnce}
	}
}

// framer writes the packets of one worker.
type framer struct {
	format format.Frames
	to     *sink.Framer
	source source.Source
	known  []source.Interface
	atOnce bool
}

// Packet implements passiflow.Frames.
func (f *framer) Packet(ctx context.Context, p *packet.Packet) {
	if p.Interface >= len(f.known) {
		f.known = f.source.Interfaces()
	}
	at := &source.Interface{}
	if p.Interface < len(f.known) {
		at = &f.known[p.Interface]
	}
	f.to.Commit(ctx, f.format.Append(f.to.Buffer(), p, at))
	if f.atOnce {
		f.to.Flush(ctx)
	}
}

// Flush implements passiflow.Frames.
func (f *framer) Flush(ctx context.Context) { f.to.Flush(ctx) }

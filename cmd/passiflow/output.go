package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

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

// outputs are the queues of a run; either may be nil.
type outputs struct {
	records *sink.Records
	frames  *sink.Frames
}

// openOutputs opens what c asks for and enters it in e.
func openOutputs(c *config.Config, e *passiflow.Config, p *process, live bool) (*outputs, error) {
	q := sink.DefaultQueueConfig()
	q.Bytes = split(c.Flow.Memory).queue
	if !live { // the reader can wait, and a long queue would only use memory
		q.Policy = sink.Wait
		q.Bytes = min(q.Bytes, 4<<20)
	}
	o := &outputs{}
	if name := c.Output.Write; name != "" {
		w, err := create(name, p)
		if err != nil {
			return nil, err
		}
		f := builtin.Packets(int(c.Capture.Snaplen))
		o.frames = sink.NewFrames(sink.NewFrameStream(w, f.Head, w.Close), q)
		e.Frames = func(s source.Source) passiflow.Frames {
			return &framer{format: f, to: o.frames.Framer(), source: s}
		}
	}
	name := recordFormat(c, p)
	if name == config.None {
		return o, nil
	}
	f := builtin.Formats()[name](builtin.FormatOptions{Width: screenWidth(p), Color: colour(c, p), Verbose: c.Output.Verbose})
	to := stdout.DefaultConfig()
	to.Writer = p.stdout
	o.records = sink.NewRecords(stdout.New(to, f), q)
	switch c.Output.Unit {
	case "flow":
		e.Outputs = append(e.Outputs, passiflow.Output{Unit: passiflow.UnitFlow, Flows: summaries{o.records}})
	case "message":
		e.Outputs = append(e.Outputs, passiflow.Output{Unit: passiflow.UnitMessage, Records: o.records})
	default:
		e.Outputs = append(e.Outputs, passiflow.Output{Unit: passiflow.UnitExchange, Records: o.records})
	}
	return o, nil
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
	case c.Output.Write == "-":
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

// failed returns channels that are closed when a queue's sink fails for good.
func (o *outputs) failed() (records, frames <-chan struct{}) {
	if o.records != nil {
		records = o.records.Failed()
	}
	if o.frames != nil {
		frames = o.frames.Failed()
	}
	return records, frames
}

// close delivers what the queues hold until ctx ends. A reader that went away
// is no error.
func (o *outputs) close(ctx context.Context) error {
	var errs []error
	if o.records != nil {
		if err := o.records.Close(ctx); err != nil && !sink.ReaderGone(err) {
			errs = append(errs, fmt.Errorf("write records: %w", err))
		}
	}
	if o.frames != nil {
		if err := o.frames.Close(ctx); err != nil && !sink.ReaderGone(err) {
			errs = append(errs, fmt.Errorf("write packets: %w", err))
		}
	}
	return errors.Join(errs...)
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

// framer writes the packets of one worker.
type framer struct {
	format format.Frames
	to     *sink.Framer
	source source.Source
	known  []source.Interface
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
}

// Flush implements passiflow.Frames.
func (f *framer) Flush(ctx context.Context) { f.to.Flush(ctx) }

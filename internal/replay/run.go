package replay

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink/shadow/diff"
)

// Run sends what r holds and returns the report. That answers differ is no
// error, nor is it when ctx ends before the recording does; that nothing was
// answered at all is.
func (r *Recording) Run(ctx context.Context) (*diff.Report, error) {
	o := r.options
	c, err := diff.New(o.Compare)
	if err != nil {
		return nil, err
	}
	n := &run{Recording: r, tally: diff.NewTally(c, o.Examples), begun: time.Now()}
	for why, count := range r.Refused {
		n.tally.Refuse(why, count)
	}
	for n.rounds = 0; ctx.Err() == nil && (o.Rounds == 0 || n.rounds < int64(o.Rounds)); n.rounds++ {
		n.round(ctx)
	}
	report := n.report()
	report.Stopped = ctx.Err() != nil
	if report.Sent > 0 && report.Answered == 0 && ctx.Err() == nil {
		return report, fmt.Errorf("%s answered none of %d requests: %s", o.Target, report.Sent, report.Unanswered[0].What)
	}
	return report, nil
}

// Preview returns the report of a run that sends nothing.
func (r *Recording) Preview() (*diff.Report, error) {
	c, err := diff.New(r.options.Compare)
	if err != nil {
		return nil, err
	}
	n := &run{Recording: r, tally: diff.NewTally(c, 0), begun: time.Now()}
	for why, count := range r.Refused {
		n.tally.Refuse(why, count)
	}
	return n.report(), nil
}

// run is one run.
type run struct {
	*Recording
	tally       *diff.Tally
	begun       time.Time
	rounds      int64
	connections atomic.Int64
}

func (n *run) report() *diff.Report {
	o, report := n.options, n.tally.Report()
	report.File, report.Target, report.Started, report.Took = o.File, o.Target.String(), n.begun.UTC(), time.Since(n.begun)
	report.Skipped = diff.Counts(n.Skipped)
	report.Rounds, report.Requests = n.rounds, int64(n.Requests)
	report.Conversations, report.Connections = int64(len(n.all)), n.connections.Load()
	if report.Speed = "max"; o.Speed > 0 {
		report.Speed = strconv.FormatFloat(o.Speed, 'g', -1, 64)
	}
	return report
}

// round sends the recording once and waits for the last answer. Conversations
// begin in the order recorded; where as many as allowed are under way, the next
// one waits, and is late.
func (n *run) round(ctx context.Context) {
	begun := time.Now()
	room := make(chan struct{}, max(n.options.Concurrency, 1))
	var group sync.WaitGroup
	defer group.Wait()
	for _, c := range n.all {
		if !sleep(ctx, time.Until(n.due(begun, c.steps[0].start()))) {
			return
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		group.Go(func() {
			t := talk{run: n, conversation: c, begun: begun, ctx: ctx}
			t.hold()
			<-room
		})
	}
}

// due returns when what was recorded at t is to be sent.
func (n *run) due(begun time.Time, t packet.Time) time.Time {
	if n.options.Speed <= 0 {
		return begun
	}
	return begun.Add(time.Duration(float64(t.Sub(n.begin)) / n.options.Speed))
}

// sleep waits for d. It returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package main

import (
	"fmt"
	"time"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// watch looks at a run once a second: it shows how far a file was read, and
// tells once when nothing was recorded for long.
type watch struct {
	s        *captureRun
	progress source.Progress // nil: not shown
	shown    bool
	told     bool
}

func newWatch(s *captureRun) *watch {
	w := &watch{s: s, told: s.config.Run.Silence == 0 || len(s.config.Capture.Files) > 0 && !s.config.Capture.Follow || !s.out.takeRecords()}
	lines := recordFormat(s.config, s.process) == config.Line && terminal(s.process.stdout)
	if terminal(s.process.stderr) && !lines && !s.config.Capture.Follow {
		w.progress, _ = s.sources[0].(source.Progress)
	}
	return w
}

func (w *watch) look() {
	if w.progress != nil {
		w.show()
	}
	if w.told {
		return
	}
	st := w.s.flow.Stats()
	if st.Walk.Exchanges+st.Walk.Messages > 0 || w.s.out.pushed() {
		w.told = true
	} else if time.Since(w.s.begin) >= w.s.config.Run.Silence {
		w.told = true
		for _, cause := range silence(w.s.config, w.s.sources, &st) {
			w.s.log.Warn("nothing recorded yet", "for", w.s.config.Run.Silence.String(), "cause", cause)
		}
	}
}

// end says why a run over files that has come to its end has no record.
func (w *watch) end() {
	st := w.s.flow.Stats()
	if w.s.config.Run.Silence == 0 || !w.s.out.ends || !w.s.out.takeRecords() || st.Walk.Packets == 0 || st.Walk.Exchanges+st.Walk.Messages+st.Walk.Dropped > 0 || w.s.out.pushed() {
		return
	}
	for _, cause := range silence(w.s.config, w.s.sources, &st) {
		w.s.log.Info("nothing recorded", "cause", cause)
	}
}

// show writes the progress over itself.
func (w *watch) show() {
	done, total := w.progress.Progress()
	if total <= 0 || done >= total && !w.shown {
		return
	}
	took := time.Since(w.s.begin)
	left := time.Duration(float64(took) * (float64(total)/float64(max(done, 1)) - 1)).Round(time.Second)
	w.shown = true
	fmt.Fprintf(w.s.process.stderr, "\r\x1b[K%3d%% of %.1f MB, %.0f MB/s, %s left", done*100/total, float64(total)/1e6, float64(done)/1e6/took.Seconds(), left)
}

func (w *watch) clear() {
	if w.shown {
		fmt.Fprint(w.s.process.stderr, "\r\x1b[K")
	}
}

// silence names the likely causes, from what was counted.
func silence(c *config.Config, sources []source.Source, st *passiflow.Stats) []string {
	var names []string
	for _, s := range sources {
		for _, i := range s.Interfaces() {
			names = append(names, i.Name)
		}
	}
	return causes(c, names, st)
}

// causes says why nothing may have been recorded, the likeliest first.
func causes(c *config.Config, names []string, st *passiflow.Stats) []string {
	var all []string
	add := func(when bool, format string, args ...any) {
		if when {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	w := &st.Walk
	parsed := w.Parsed[packet.OK]
	filtered := c.Capture.Filter != "" || c.Capture.FilterFile != ""
	switch {
	case w.Packets == 0 && st.Source.Filtered+st.Source.Cut > 0:
		add(st.Source.Filtered > 0, "all %d frames are control messages, or have network ids that --vni-allow and --vni-deny refuse", st.Source.Filtered)
		add(st.Source.Cut > 0, "%d datagrams came that are none of %v", st.Source.Cut, c.Capture.Listen)
	case w.Packets == 0 && len(c.Capture.Listen) > 0:
		add(true, "no datagram came: is the mirror's target this machine and port, and does a firewall let it in?")
	case w.Packets == 0:
		add(len(names) > 0, "no packet came on %v: is the interface up, and is it the right one (passiflow interfaces)?", names)
		add(len(names) == 0, "no packet came: the interface does not exist yet")
		add(filtered, "the filter lets nothing through: try without it")
		add(len(c.Capture.Ports) > 0, "no packet has one of the ports %v", c.Capture.Ports)
	case w.Filtered == w.Packets:
		add(true, "the filter refused all %d packets: try without it", w.Packets)
	case parsed == 0:
		add(true, "none of %d packets carries TCP that can be read", w.Packets)
	case w.OtherPort == parsed:
		add(true, "all %d packets have other ports than %v", parsed, c.Capture.Ports)
	default:
		add(w.TLS > 0, "%d conversations speak TLS, which cannot be read", w.TLS)
		add(st.Core.Unknown > w.TLS, "%d conversations speak no HTTP/1", st.Core.Unknown-w.TLS)
		add(w.Cut > 0, "%d packets were cut: raise --snaplen", w.Cut)
		add(st.Core.HalfBy[oneSided] > 0 || st.Flow.AckedUnseen > st.Flow.Delivered, "only one side of the conversations is seen: does the mirror carry both directions?")
		add(st.Flow.Opened > 0 && st.Flow.Delivered == 0, "conversations carry no data yet")
		add(st.Waiting > 0, "%d requests wait for their answers (--answer-wait %s)", st.Waiting, c.HTTP.AnswerWait)
	}
	if len(all) == 0 {
		all = append(all, fmt.Sprintf("%d packets came, and no HTTP in them", w.Packets))
	}
	return all
}

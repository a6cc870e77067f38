package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/sink"
)

// The exit codes of the TCP Sniffer container, which differ from ours.
const (
	containerInvalid = 1 // configuration
	containerFailed  = 2 // everything else
)

// invalid is a fault of the configuration in the words of TCP Sniffer.
type invalid struct{ field, text string }

func (i *invalid) Error() string { return i.text }

// container is what the variables of the TCP Sniffer container ask for.
type container struct {
	ports   []string
	ignored []string // of PORTS
	device  string
	url     string // "": nothing is posted
	place   string // of url, without what may be secret
	token   bool
	stdout  bool
}

// runContainer takes the place of the TCP Sniffer container and returns its exit
// code. What it is asked for becomes our configuration, over which lie our own
// file and variables.
func runContainer(ctx context.Context, p *process) int {
	c := config.DefaultConfig()
	c.Log.Format = "json"
	in := *p
	log := in.newLog(&c.Log)
	ran := false
	s, err := readContainer(p)
	if err == nil {
		in.wrapLog = func(h slog.Handler) slog.Handler { return containerLog{h, s.place} }
		var warnings config.Faults
		if warnings, err = s.configure(&c, &in); err == nil {
			log = in.newLog(&c.Log)
			s.greet(log)
			in.ended = func(st *passiflow.Stats) { ran = true; sayEnd(log, st) }
			err = runCapture(ctx, &in, &c, warnings)
		}
	}
	return tellContainer(log, err, ran)
}

// readContainer reads and checks the variables.
func readContainer(p *process) (*container, error) {
	s := &container{device: strings.TrimSpace(p.getenv("INTERFACE")), url: strings.TrimSpace(p.getenv("OUTPUT_URL")), token: p.getenv("OUTPUT_URL_AUTH_TOKEN") != ""}
	switch p.getenv("OUTPUT_STDOUT") {
	case "true", "1":
		s.stdout = true
	}
	for part := range strings.SplitSeq(p.getenv("PORTS"), ",") {
		part = strings.TrimSpace(part)
		if n, err := strconv.ParseUint(part, 10, 16); err != nil || n == 0 {
			s.ignored = append(s.ignored, part)
		} else if text := strconv.FormatUint(n, 10); !slices.Contains(s.ports, text) {
			s.ports = append(s.ports, text)
		}
	}
	if len(s.ports) == 0 {
		return nil, &invalid{"ports", "ports must be non-empty"}
	}
	if s.url == "" {
		return s, nil
	}
	post := sink.DefaultPostConfig()
	post.URL = s.url
	check, err := sink.NewPoster(post)
	if err != nil {
		return nil, &invalid{"outputUrl", "outputUrl is invalid: " + strings.TrimPrefix(err.Error(), "url: ")}
	}
	if post.Production = production(p); post.Production {
		if _, err := sink.NewPoster(post); err != nil {
			return nil, &invalid{"outputUrl", "outputUrl must use HTTPS in production"}
		}
	}
	s.place = check.Place()
	if u, err := url.Parse(s.url); err == nil {
		s.place += u.EscapedPath()
	}
	return s, nil
}

// configure lays what was asked for into c, and then our own settings over it.
func (s *container) configure(c *config.Config, p *process) (config.Faults, error) {
	l := config.NewLoader(c)
	l.Flag("capture.ports", "PORTS", strings.Join(s.ports, ","))
	if s.device != "" {
		l.Flag("capture.interface", "INTERFACE", s.device)
	}
	l.Flag("output.format", "OUTPUT_STDOUT", config.None)
	l.Flag("run.shutdown_grace", "PORTS", "25s") // of the 30 s that a pod has
	var sinks []string
	if s.url != "" {
		sinks = append(sinks, "webhook="+s.url)
	}
	if s.stdout {
		sinks = append(sinks, "stdout")
	}
	if sinks != nil {
		l.Flag("sinks", "OUTPUT_URL", sinks...)
	}
	for _, k := range c.Sinks {
		if err := s.deliver(k); err != nil {
			return nil, err
		}
	}
	if file := p.getenv(config.EnvPrefix + "CONFIG"); file != "" {
		l.Open(file, p.stdin)
	}
	l.Env(p.environ)
	if err := l.Done(); err != nil {
		return nil, err
	}
	warnings := l.Warnings()
	if len(s.ignored) > 0 {
		warnings = append(warnings, config.Fault{Origin: config.Origin{Name: "PORTS"}, Problem: fmt.Sprintf("left out, as no ports from 1 to 65535: %q", s.ignored)})
	}
	return warnings, nil
}

// deliver makes a sink do as the container does: a message for each half, in
// four attempts.
func (s *container) deliver(k *config.Sink) error {
	want := map[string]string{"unit": "message"}
	if k.Kind == "webhook" {
		want["batch"], want["body"], want["concurrency"], want["retry.schedule"] = "each", "messages", "16", "1s,2s,4s"
		if s.token {
			want["token_env"] = "OUTPUT_URL_AUTH_TOKEN"
		}
	} else {
		want["format"] = "messages"
	}
	for _, o := range k.Settings() {
		if text, ok := want[o.Path]; ok {
			if err := o.Value.Set(text); err != nil {
				return err
			}
		}
	}
	return nil
}

// greet says what is about to happen.
func (s *container) greet(log *slog.Logger) {
	log.Info("Sniffer entrypoint starting", "version", versionText())
	if s.url == "" && !s.stdout {
		log.Warn("No output configured (outputUrl, outputStdout, or onHttpMessage); messages will not be delivered")
	}
	log.Info("Starting sniffer", "interface", cmp.Or(s.device, "default"), "ports", s.ports)
	log.Info("HTTPS traffic is not decrypted: it is counted and not reported")
}

// sayEnd tells at the end of a run what was captured.
func sayEnd(log *slog.Logger, st *passiflow.Stats) {
	log.Info("Capture stats", "packetsReceived", st.Source.Received, "packetsDropped", st.Source.Dropped, "packetsIfDropped", 0)
	log.Info("Sniffer stopped")
}

// tellContainer logs why nothing was run, or why the run has ended, and returns
// the exit code.
func tellContainer(log *slog.Logger, err error, ran bool) int {
	var bad *invalid
	var faults config.Faults
	var e *exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &bad):
		log.Error("Invalid config: "+bad.text, "field", bad.field)
		return containerInvalid
	case errors.As(err, &faults):
		for _, f := range faults {
			log.Error("Invalid config: " + f.Error())
		}
		return containerInvalid
	case errors.As(err, &e) && e.code == exitUsage:
		log.Error("Invalid config: " + err.Error())
		return containerInvalid
	}
	text := "Sniffer start failed"
	if ran {
		text = "Sniffer run failed"
	}
	log.Error(text, "error", err.Error())
	return containerFailed
}

// containerLog says some of what happens in the words of TCP Sniffer, which
// others look for in logs.
type containerLog struct {
	slog.Handler
	url string
}

// Handle implements slog.Handler.
func (h containerLog) Handle(ctx context.Context, r slog.Record) error {
	switch r.Message {
	case "stopping":
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "signal" {
				first := slog.NewRecord(r.Time, r.Level, "Received "+signalName(a.Value.String())+", stopping sniffer", r.PC)
				_ = h.Handler.Handle(ctx, first) // what follows meets the same
			}
			return true
		})
		r.Message = "Stopping sniffer, draining in-flight messages"
	case sink.GaveUpText:
		r.Message, r.Level = "outputUrl POST failed after retries", slog.LevelError
		r.AddAttrs(slog.String("url", h.url))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h containerLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return containerLog{h.Handler.WithAttrs(attrs), h.url}
}

// WithGroup implements slog.Handler.
func (h containerLog) WithGroup(name string) slog.Handler {
	return containerLog{h.Handler.WithGroup(name), h.url}
}

// signalName returns the name of a signal by the words for it.
func signalName(words string) string {
	switch words {
	case "terminated":
		return "SIGTERM"
	case "interrupt":
		return "SIGINT"
	}
	return words
}

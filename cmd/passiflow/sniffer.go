package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/internal/config"
)

// sniffer is what the flags and variables of the Resurface network sniffer ask
// for. Each value knows where it came from, for what is said about it.
type sniffer struct {
	inputs      []input
	ignore      []string // interfaces
	engine      value
	vxlanPort   value
	vnis        []string // a minus before one excludes it
	vnisFrom    string
	filter      value
	promiscuous value
	buffer      value
	clientName  value // of the header for the client's address
	urls        []value
	rules       value
	disabled    bool
	bundle      value
	bodyLimit   value
	debug       bool
	stdout      bool
	export      value // URL of a webhook, or path of a file
	exitAfter   time.Duration
	warnings    config.Faults
}

// value is a text and the flag or variable it came from.
type value struct{ text, from string }

// input is one place to capture at.
type input struct{ host, ports value }

func (s *sniffer) warn(from, problem string) {
	s.warnings = append(s.warnings, config.Fault{Origin: config.Origin{Name: from}, Problem: problem})
}

// runSniffer takes the place of the Resurface network sniffer. What it asks for
// is weaker than our own file and variables.
func runSniffer(ctx context.Context, p *process, args []string) error {
	environ, err := snifferEnviron(p.environ, ".env")
	if err != nil {
		return err
	}
	in := *p
	in.environ = environ
	s := &sniffer{}
	if len(args) > 0 {
		err = s.flags(args)
	} else {
		err = s.variables(in.getenv)
	}
	if err == nil {
		err = s.logger(in.getenv)
	}
	if err != nil {
		return fmt.Errorf("%w\nSee docs/guides/resurface.md, or passiflow --help", err)
	}
	c := config.DefaultConfig()
	l := config.NewLoader(&c)
	if err := s.configure(l, &c); err != nil {
		return err
	}
	if file := in.getenv(config.EnvPrefix + "CONFIG"); file != "" {
		l.Open(file, p.stdin)
	}
	l.Env(in.environ)
	if err := l.Done(); err != nil {
		return err
	}
	if s.exitAfter > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.exitAfter)
		defer cancel()
	}
	p.newLog(&c.Log).Info("in the place of the Resurface network sniffer", "by", s.inputs[0].host.from)
	return runCapture(ctx, &in, &c, append(s.warnings, l.Warnings()...))
}

// logger takes the variables of Resurface's loggers, and the defaults that they
// stand for.
func (s *sniffer) logger(getenv func(string) string) error {
	if len(s.urls) == 0 || len(s.urls) == 1 && s.urls[0].text == "" {
		s.urls = []value{{unquote(getenv("USAGE_LOGGERS_URL")), "USAGE_LOGGERS_URL"}}
	}
	// Without rules of its own the sink takes those of USAGE_LOGGERS_RULES.
	s.rules.text = builtin.LoggingRules(s.rules.text)
	s.disabled, _ = strconv.ParseBool(getenv("USAGE_LOGGERS_DISABLE")) // what is no truth value says nothing
	if s.disabled {
		s.warn("USAGE_LOGGERS_DISABLE", "nothing is sent")
	}
	s.bundle = value{getenv("USAGE_LOGGERS_BUNDLE_SIZE"), "USAGE_LOGGERS_BUNDLE_SIZE"}
	s.bodyLimit = value{getenv("USAGE_LOGGERS_BODY_LIMIT"), "USAGE_LOGGERS_BODY_LIMIT"}
	for _, name := range []string{"USAGE_LOGGERS_MESSAGE_QUEUE_SIZE", "USAGE_LOGGERS_BUNDLE_QUEUE_SIZE"} {
		if getenv(name) != "" {
			s.warn(name, "has no effect: the queue is bounded in bytes, by PASSIFLOW_MEMORY")
		}
	}
	switch {
	case len(s.inputs) == 0:
		return errors.New("nothing says where to capture: give --input-raw DEVICE:PORTS")
	case s.urls[0].text == "" && !s.disabled && !s.stdout && s.export.text == "":
		return errors.New("no capture URL: set USAGE_LOGGERS_URL or give --output-resurface")
	}
	return nil
}

// configure lays what was asked for into the configuration.
func (s *sniffer) configure(l *config.Loader, c *config.Config) error {
	set := func(path string, v value) {
		if v.text != "" {
			l.Flag(path, v.from, v.text)
		}
	}
	if err := s.place(l); err != nil {
		return err
	}
	set("capture.filter", s.filter)
	set("capture.promiscuous", s.promiscuous)
	set("capture.buffer", s.buffer)
	set("http.body_limit", s.bodyLimit)
	if s.debug {
		l.Flag("log.level", "SNIFFER_DEBUG_VERBOSITY", "debug")
	}
	var all []string
	from := s.urls[0].from
	for _, u := range s.urls {
		if u.text != "" || s.disabled {
			all = append(all, "resurface="+u.text)
		}
	}
	if s.stdout {
		all = append(all, "stdout")
	}
	switch {
	case strings.Contains(s.export.text, "://"):
		all = append(all, "webhook="+s.export.text)
	case s.export.text != "":
		all = append(all, "file="+s.export.text)
	}
	l.Flag("sinks", from, all...)
	for _, k := range c.Sinks {
		if k.Kind == "resurface" {
			if err := s.submission(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// submission sets what the sink is to do.
func (s *sniffer) submission(k *config.Sink) error {
	want := map[string]value{
		"logging_rules": s.rules, "client_header": s.clientName, "bundle": s.bundle, "body_limit": s.bodyLimit,
		"disabled": {strconv.FormatBool(s.disabled), "USAGE_LOGGERS_DISABLE"}, "queue.batch": s.bundle,
	}
	var faults config.Faults
	for _, o := range k.Settings() {
		v, ok := want[o.Path]
		if !ok || v.text == "" {
			continue
		}
		if err := o.Value.Set(v.text); err != nil {
			faults = append(faults, config.Fault{Origin: config.Origin{Name: v.from}, Problem: err.Error()})
		}
	}
	if faults != nil {
		return faults
	}
	return nil
}

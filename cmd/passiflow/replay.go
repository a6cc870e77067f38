package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/internal/replay"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// replayFlags are what the command line of replay says.
type replayFlags struct {
	options replay.Options
	shared  config.Config // those it has in common with capture

	to, speed, memory, bodyLimit         string
	ca, rules                            string
	insecure                             bool
	setHeader, rewriteHeader, rewriteURL []string
	addIgnored                           []string
	reports                              []string
	json, quiet                          bool
	yes, dry, secrets                    bool
}

func newReplay(p *process) *cobra.Command {
	f := &replayFlags{options: replay.DefaultOptions(), shared: config.DefaultConfig()}
	c := &cobra.Command{
		Use:   "replay FILE --to ADDRESS [flags]",
		Short: "Send recorded requests again and compare the answers",
		Long: "Replay sends the requests of FILE to ADDRESS and compares what they are answered\n" +
			"with what was recorded. FILE is a capture (pcap or pcapng), records that\n" +
			"passiflow wrote as JSON, or a file in the record format of the traffic mirror;\n" +
			"plain, gzip or zstd, - is standard input. Each conversation has connections of\n" +
			"its own and keeps its order; requests are sent when they were sent in the\n" +
			"recording, --speed times faster, or as fast as the answers come.\n\n" +
			"Only methods that change nothing are sent unless --methods or --unsafe-methods\n" +
			"says otherwise; requests that are masked, incomplete or cut are not sent. Each\n" +
			"reason is counted. To anything but this machine's loopback it sends only after\n" +
			"asking, or with --yes.\n\n" +
			"Exit codes: 0 nothing differs, 1 an error while running (also when nothing was\n" +
			"answered, or a signal came before the end), 2 usage, 4 answers differ.",
		Example: "  passiflow replay capture.pcap --to 127.0.0.1:8080\n" +
			"  passiflow replay exchanges.ndjson --to http://staging.example --yes --speed 10 --report diff.html\n" +
			"  passiflow replay capture.pcap --to :8080 --speed max --ignore-json '$..updated_at' --rewrite-url '^/v1/ => /v2/'",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errors.New("no recording: name a FILE, or - for standard input\nSee passiflow replay --help")
			case len(args) > 1:
				return fmt.Errorf("one recording at a time: %q is one too many\nSee passiflow replay --help", args[1])
			case f.to == "":
				return errors.New("no target: say with --to where the requests are sent to\nSee passiflow replay --help")
			}
			return nil
		},
	}
	o, s := &f.options, c.Flags()
	s.StringVar(&f.to, "to", "", "`ADDRESS` that requests are sent to: HOST:PORT, http://HOST or https://HOST")
	s.StringVar(&f.speed, "speed", "1", "send `FACTOR` times faster than recorded, or max: as fast as the answers come")
	s.IntVar(&o.Rounds, "loop", o.Rounds, "send the recording `N` times; 0: until a signal comes")
	s.IntVar(&o.Concurrency, "concurrency", o.Concurrency, "at most `N` conversations under way at once; one more waits, and is late")
	s.IntVar(&o.Limit, "limit", 0, "take only `N` requests, the first ones; 0: all")
	s.StringVar(&f.rules, "rules", "", "`FILE` of rules that decide which exchanges are taken; masks that hold by default are left out")
	s.DurationVar(&o.Connect, "connect-timeout", o.Connect, "`DURATION` that opening a connection may take")
	s.DurationVar(&o.Timeout, "timeout", o.Timeout, "`DURATION` for a request to be taken, and for its answer to come whole")
	s.StringSliceVar(&o.Request.Methods, "methods", o.Request.Methods, "`METHODS` that are sent, separated by commas")
	s.BoolVar(&o.Request.Unsafe, "unsafe-methods", false, "send requests of every method, also those that change something")
	s.BoolVar(&o.Request.AsIs, "as-is", false, "also send requests that are masked or whose body was cut, with what the recording holds")
	s.StringVar(&o.Request.Host, "host", "", "`NAME` in the Host header of every request; default: as recorded")
	s.StringArrayVar(&f.setHeader, "set-header", nil, "header `FIELD` to set in every request, as 'NAME: VALUE'; may be repeated")
	s.StringSliceVar(&o.Request.Remove, "remove-header", nil, "header `FIELD` to leave out of every request; may be repeated")
	s.StringArrayVar(&f.rewriteHeader, "rewrite-header", nil, "`CHANGE` to the values of a header field, as 'NAME: REGEXP => TEXT'; may be repeated")
	s.StringArrayVar(&f.rewriteURL, "rewrite-url", nil, "`CHANGE` to the request target, as 'REGEXP => TEXT' with $1 for groups; may be repeated")
	s.StringSliceVar(&o.Compare.Headers, "compare-header", nil, "compare only this header `FIELD`; may be repeated")
	s.StringSliceVar(&f.addIgnored, "ignore-header", nil, "do not compare this header `FIELD`, beside Date and others that always differ; may be repeated")
	s.StringSliceVar(&o.Compare.Paths, "ignore-json", nil, "do not compare this `PLACE` in JSON bodies: $.id, $.items[*].price, $..updated at any depth; may be repeated")
	s.BoolVar(&o.Compare.NoBody, "no-bodies", false, "do not compare bodies")
	s.StringArrayVar(&f.reports, "report", nil, "`FILE` to write the report to: .html, .json or anything else for text; may be repeated")
	s.BoolVar(&f.json, "json", false, "print the report as JSON")
	s.BoolVarP(&f.quiet, "quiet", "q", false, "print no report")
	s.IntVar(&o.Examples, "examples", o.Examples, "show at most `N` exchanges that differ in the report")
	s.BoolVar(&f.secrets, "show-secrets", false, "do not mask credentials in the report")
	s.BoolVarP(&f.yes, "yes", "y", false, "do not ask before sending to another machine")
	s.BoolVar(&f.dry, "dry-run", false, "tell what would be sent, and send nothing")
	s.StringVar(&f.ca, "ca", "", "PEM `FILE` with the authorities that are trusted for https; default: the system's")
	s.BoolVar(&f.insecure, "insecure", false, "take any certificate for https")
	s.StringVar(&f.memory, "memory", config.FormatSize(o.Memory), "`SIZE` of memory that the recording may take")
	s.StringVar(&f.bodyLimit, "body-limit", config.FormatSize(int64(o.BodyLimit)), "`SIZE` of a body that is kept and compared")
	for _, k := range f.shared.Settings() {
		switch k.Flag {
		case "ports":
			s.VarP(k.Value, k.Flag, k.Short, "take only conversations whose server has one of these ports (numbers and ranges, separated by commas); default: all")
		case "log-level", "log-format":
			s.Var(k.Value, k.Flag, k.Usage)
			complete(c, k)
		}
	}
	_ = c.RegisterFlagCompletionFunc("to", cobra.NoFileCompletions)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		f.options.File = args[0]
		if err := f.read(); err != nil {
			return err
		}
		return runReplay(cmd.Context(), p, f)
	}
	return c
}

// read makes options of what was given as text.
func (f *replayFlags) read() (err error) {
	o := &f.options
	var faults []error
	fault := func(flag string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("--%s: %w", flag, err))
		}
	}
	to := f.to
	if strings.HasPrefix(to, ":") {
		to = "127.0.0.1" + to
	}
	o.Target, err = wire.ParseTarget(to)
	fault("to", err)
	o.Speed, err = parseSpeed(f.speed)
	fault("speed", err)
	o.Memory, err = config.ParseSize(f.memory, 1)
	fault("memory", err)
	n, err := config.ParseSize(f.bodyLimit, 1)
	if err == nil && n > 1<<30 {
		err = errors.New("is more than 1GiB")
	}
	o.BodyLimit = int(n)
	fault("body-limit", err)
	for _, n := range []struct {
		flag string
		n    int
		min  int
	}{{"loop", o.Rounds, 0}, {"concurrency", o.Concurrency, 1}, {"limit", o.Limit, 0}, {"examples", o.Examples, 0}} {
		if n.n < n.min {
			fault(n.flag, fmt.Errorf("%d is less than %d", n.n, n.min))
		}
	}
	if o.Connect <= 0 || o.Timeout <= 0 {
		fault("timeout", errors.New("a timeout must be more than 0"))
	}
	o.Request.Set, err = each(f.setHeader, wire.ParseHeader)
	fault("set-header", err)
	o.Request.Replace, err = each(f.rewriteHeader, wire.ParseHeaderRule)
	fault("rewrite-header", err)
	o.Request.Targets, err = each(f.rewriteURL, wire.ParseRule)
	fault("rewrite-url", err)
	if o.Request.Host != "" {
		_, err = wire.ParseHeader("Host: " + o.Request.Host)
		fault("host", err)
	}
	o.Compare.Ignore = append(o.Compare.Ignore, f.addIgnored...)
	if ports := f.shared.Capture.Ports; len(ports) > 0 {
		o.Ports = func(port uint16) bool {
			for _, r := range ports {
				if uint32(port) >= r.From && uint32(port) <= r.To {
					return true
				}
			}
			return false
		}
	}
	return errors.Join(faults...)
}

func each[T any](texts []string, parse func(string) (T, error)) (all []T, err error) {
	for _, s := range texts {
		v, err := parse(s)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// parseSpeed reads a factor, with or without an x, or max, which is 0.
func parseSpeed(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	f, err := strconv.ParseFloat(strings.Trim(s, "xX×"), 64)
	if err != nil || !(f > 0 && f <= 1e6) {
		return 0, fmt.Errorf("%q is neither max nor a factor such as 1, 0.5 or 10", s)
	}
	return f, nil
}

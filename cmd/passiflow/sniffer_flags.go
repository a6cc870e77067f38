package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// flags reads the flags of the network sniffer, which begin with one dash or
// two. Those that ask for what needs no asking here are taken and do nothing.
func (s *sniffer) flags(args []string) error {
	f := flag.NewFlagSet("passiflow", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	text := func(to *value, name string) {
		f.Func(name, "", func(t string) error { *to = value{t, "--" + name}; return nil })
	}
	list := func(to *[]string, name string) {
		f.Func(name, "", func(t string) error { *to = append(*to, t); return nil })
	}
	f.Func("input-raw", "", func(t string) error {
		in, err := parseInput(t, "--input-raw")
		s.inputs = append(s.inputs, in)
		return err
	})
	f.Func("output-resurface", "", func(t string) error {
		s.urls = append(s.urls, value{t, "--output-resurface"})
		return nil
	})
	text(&s.rules, "output-resurface-rules")
	text(&s.engine, "input-raw-engine")
	text(&s.filter, "input-raw-bpf-filter")
	text(&s.clientName, "input-raw-realip-header")
	text(&s.buffer, "input-raw-buffer-size")
	text(&s.vxlanPort, "input-raw-vxlan-port")
	list(&s.vnis, "input-raw-vxlan-vni")
	list(&s.ignore, "input-raw-ignore-interface")
	f.BoolFunc("input-raw-promisc", "", func(t string) error { s.promiscuous = value{t, "--input-raw-promisc"}; return nil })
	verbose := f.Int("verbose", 0, "")
	f.BoolVar(&s.stdout, "output-stdout", false, "")
	f.DurationVar(&s.exitAfter, "exit-after", 0, "")
	f.Func("input-raw-protocol", "", func(t string) error {
		if t != "http" {
			return errors.New("only http makes Resurface messages")
		}
		return nil
	})
	nothing := func(string) error { return nil }
	for _, name := range []string{"input-raw-track-response", "input-raw-override-snaplen", "input-raw-vlan", "input-raw-stats", "input-raw-allow-incomplete",
		"input-raw-k8s-nomatch-nocap", "stats", "prettify-http"} {
		f.BoolFunc(name, "", nothing)
	}
	for _, name := range []string{"input-raw-expire", "input-raw-buffer-timeout", "input-raw-timestamp-type", "input-raw-k8s-skip-ns", "input-raw-k8s-skip-svc", "copy-buffer-size"} {
		f.Func(name, "", nothing)
	}
	for name, why := range map[string]string{"input-raw-monitor": "has no effect: put the interface into monitor mode first", "http-pprof": "has no effect"} {
		warn := func(string) error { s.warn("--"+name, why); return nil }
		if name == "http-pprof" {
			f.Func(name, "", warn)
		} else {
			f.BoolFunc(name, "", warn)
		}
	}
	if err := f.Parse(whole(args)); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return errors.New("these are the flags of the Resurface network sniffer; capture has more")
		}
		return fmt.Errorf("%w%s", err, gorHint(err.Error()))
	}
	s.debug = *verbose > 0
	s.vnisFrom = "--input-raw-vxlan-vni"
	s.buffer.text = bytesOf(s.buffer.text)
	if rest := f.Args(); len(rest) > 0 {
		if s.rules.text == "" {
			return fmt.Errorf("unexpected %q", rest[0])
		}
		// Rules that a shell has taken apart, for want of quotes.
		s.rules.text += " " + strings.Join(rest, " ")
	}
	return nil
}

// gorHint says what stands here for other flags of gor.
func gorHint(problem string) string {
	_, name, _ := strings.Cut(problem, "not defined: -")
	switch {
	case strings.HasPrefix(name, "output-http"), strings.HasPrefix(name, "output-tcp"):
		return "; requests are sent on with passiflow capture -p PORT --sink shadow=URL"
	case strings.HasPrefix(name, "output-file"):
		return "; packets are kept with passiflow capture -p PORT -w FILE, for passiflow replay FILE --to ADDRESS"
	}
	return ""
}

// whole gives a flag that stands last, for the variable behind it was empty and
// not quoted, its empty value.
func whole(args []string) []string {
	if n := len(args); n > 0 {
		switch strings.TrimLeft(args[n-1], "-") {
		case "output-resurface-rules", "output-resurface":
			return append(args[:n:n], "")
		}
	}
	return args
}

// bytesOf writes a size as the network sniffer reads it, with units of 1024 in
// two letters, as ours.
func bytesOf(s string) string {
	t := strings.ToLower(strings.TrimSpace(s))
	for _, u := range []string{"k", "m", "g"} {
		if n, ok := strings.CutSuffix(t, u+"b"); ok {
			return n + strings.ToUpper(u) + "iB"
		}
	}
	switch {
	case t == "0":
		return "" // the default
	case t != "" && strings.Trim(t, "0123456789") == "":
		return t + "B"
	}
	return t
}

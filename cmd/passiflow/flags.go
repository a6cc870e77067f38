package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/internal/config"
)

// given remembers the texts of one flag, so that the layers of the
// configuration can be laid in their order after the command line was read.
type given struct {
	setting config.Setting
	texts   []string
	first   string
}

func (g *given) String() string { return g.first }
func (g *given) Type() string   { return g.setting.Value.Type() }
func (g *given) Set(s string) error {
	g.texts = append(g.texts, s)
	return nil
}

// settings are the flags that stand for keys of the configuration, and those
// that are short for one.
type settings struct {
	config config.Config
	file   string // --config
	json   bool
	quiet  bool
	flags  []*given
	set    *pflag.FlagSet
}

func addSettings(c *cobra.Command) *settings {
	s := addSome(c, func(string) bool { return true })
	s.set.BoolVar(&s.json, "json", false, "short for --format json")
	s.set.BoolVarP(&s.quiet, "quiet", "q", false, "short for --format none")
	return s
}

// addSome adds --config and those flags that has tells of; file and environment
// may say everything all the same.
func addSome(c *cobra.Command, has func(flag string) bool) *settings {
	s := &settings{config: config.DefaultConfig(), set: c.Flags()}
	for _, k := range s.config.Settings() {
		if k.Flag == "" || !has(k.Flag) {
			continue
		}
		g := &given{setting: k, first: k.Value.String()}
		f := s.set.VarPF(g, k.Flag, k.Short, k.Usage)
		if _, ok := k.Value.(interface{ IsBoolFlag() bool }); ok {
			f.NoOptDefVal = "true"
		}
		s.flags = append(s.flags, g)
		complete(c, k)
	}
	s.set.StringVar(&s.file, "config", "", "configuration `FILE`, - is standard input (PASSIFLOW_CONFIG)")
	return s
}

// complete tells the shell what can follow a flag.
func complete(c *cobra.Command, k config.Setting) {
	words := strings.Split(k.Value.Type(), "|")
	switch {
	case k.Flag == "interface":
		_ = c.RegisterFlagCompletionFunc(k.Flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return append(interfaceNames(), "any"), cobra.ShellCompDirectiveNoFileComp
		})
	case k.Flag == "sink":
		var kinds []string
		for _, kind := range builtin.Sinks() {
			kinds = append(kinds, kind.Name+"=")
		}
		_ = c.RegisterFlagCompletionFunc(k.Flag, cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	case len(words) > 1:
		_ = c.RegisterFlagCompletionFunc(k.Flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	case k.Value.Type() != "FILE":
		_ = c.RegisterFlagCompletionFunc(k.Flag, cobra.NoFileCompletions)
	}
}

// load lays file, environment, flags and arguments over the defaults. Its error
// holds every fault.
func (s *settings) load(p *process, expression []string) (*config.Loader, error) {
	l := config.NewLoader(&s.config)
	if s.set.Changed("config") && s.file == "" {
		return l, errors.New("--config: is empty: name a file, or leave the flag out")
	}
	if file := s.fileName(p); file != "" {
		l.Open(file, p.stdin)
	}
	l.Env(p.environ)
	p.again = again{file: s.fileName(p)}
	for _, g := range s.flags {
		if len(g.texts) > 0 {
			l.Flag(g.setting.Path, "--"+g.setting.Flag, g.texts...)
			p.again.sinks = p.again.sinks || g.setting.Flag == "sink"
		}
	}
	switch {
	case s.quiet:
		l.Flag("output.format", "--quiet", config.None)
	case s.json:
		l.Flag("output.format", "--json", config.JSON)
	}
	if len(expression) > 0 {
		l.Flag("capture.filter", "expression", strings.Join(expression, " "))
	}
	return l, l.Done()
}

// loadAll is load for a command that has a filter: its fault is told beside the
// others.
func (s *settings) loadAll(p *process, args []string) (*config.Loader, error) {
	l, err := s.load(p, args)
	if _, _, fault := parseFilter(&s.config.Capture); fault != nil {
		if len(args) > 0 {
			fault = fmt.Errorf("%w%s", fault, wordHint(args[0]))
		}
		err = errors.Join(err, &exit{exitUsage, fault})
	}
	return l, err
}

func (s *settings) fileName(p *process) string {
	if s.file != "" {
		return s.file
	}
	for _, e := range p.environ {
		if v, ok := strings.CutPrefix(e, config.EnvPrefix+"CONFIG="); ok {
			return v
		}
	}
	return ""
}

// terminal tells whether f is one.
func terminal(f *os.File) bool {
	fi, err := f.Stat()
	if err != nil || fi.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(fi, null)
}

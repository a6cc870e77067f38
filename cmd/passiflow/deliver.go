package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/sink"
)

func newDeliver(p *process) *cobra.Command {
	var list, elsewhere bool
	c := &cobra.Command{
		Use:   "deliver --spool DIR [--sink KIND=ADDRESS | --config FILE] [flags] [NAME...]",
		Short: "Deliver what earlier runs have left in their spools, and capture nothing",
		Long: "Deliver sends the records that wait in spools to their sinks and ends. It needs\n" +
			"the sinks of the run that left them: its configuration file, or the same --sink\n" +
			"in the same order. With NAMEs it takes only the sinks of these names. DIR is the\n" +
			"directory of the run, or the one below it of a single sink. Records are sent as\n" +
			"they are: rules and masks were applied before they came there.\n\n" +
			"A spool belongs to one process at a time: one that a running passiflow uses is\n" +
			"refused, and that one delivers it itself. Records that were kept for another kind\n" +
			"of sink or for another host are refused unless --elsewhere is given. A sink that\n" +
			"only fails is tried for --shutdown-grace; what is then left stays where it is.\n\n" +
			"Exit codes: 0 nothing is left, 1 records are left or were refused, 2 usage or\n" +
			"configuration.",
		Example: "  passiflow deliver --spool /var/lib/passiflow/spool --config passiflow.yaml\n" +
			"  passiflow deliver --spool /var/lib/passiflow/spool --sink webhook=https://collector.example/in\n" +
			"  passiflow deliver --spool /var/lib/passiflow/spool --list\n" +
			"  passiflow deliver --spool spool/webhook --sink file=rest.ndjson --elsewhere",
	}
	some := []string{"sink", "spool", "shutdown-grace", "yes", "production", "log-level", "log-format"}
	s := addSome(c, func(flag string) bool { return slices.Contains(some, flag) })
	c.Flags().BoolVar(&list, "list", false, "list the spools and what waits in them, and deliver nothing")
	c.Flags().BoolVar(&elsewhere, "elsewhere", false, "deliver records that were kept for another kind of sink or another host")
	c.ValidArgsFunction = cobra.NoFileCompletions
	c.RunE = func(cmd *cobra.Command, args []string) error {
		_, err := s.load(p, nil)
		switch {
		case err != nil:
			return err
		case list:
			return listSpools(p, &s.config)
		}
		return runDeliver(cmd.Context(), p, &s.config, args, elsewhere)
	}
	return c
}

// spools are what is in the directory of a run and in those that sinks have of
// their own.
func spools(c *config.Config) ([]sink.SpoolInfo, error) {
	var all []sink.SpoolInfo
	var err error
	if c.Run.Spool != "" {
		if all, err = sink.Spools(c.Run.Spool); err != nil {
			return nil, &exit{exitRun, err}
		}
	}
	for _, s := range c.Sinks {
		own := s.Queue.Spool.Directory
		if own == "" || slices.ContainsFunc(all, func(i sink.SpoolInfo) bool { return filepath.Clean(i.Directory) == filepath.Clean(own) }) {
			continue
		}
		some, err := sink.Spools(own)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, &exit{exitRun, err}
		}
		all = append(all, some...)
	}
	return all, nil
}

func listSpools(p *process, c *config.Config) error {
	all, err := spools(c)
	if err != nil {
		return err
	}
	if c.Run.Spool == "" && len(all) == 0 {
		return errNoSpool
	}
	var b strings.Builder
	for _, i := range all {
		fmt.Fprintf(&b, "%10s records  %s  for %s\n", grouped(uint64(i.Waiting.Records)), printable(i.Directory), printable(i.Owner.String()))
	}
	if _, err := fmt.Fprint(p.stdout, b.String()); err != nil {
		return &exit{exitRun, err}
	}
	return nil
}

var errNoSpool = errors.New("no spool: name its directory with --spool, or run.spool in the configuration file")

// delivery is one spool and the sink it is for.
type delivery struct {
	sink  *config.Sink
	spool sink.SpoolInfo
}

// plan finds the spool of each sink that is asked for, and returns those where
// something waits, and what waits beside them.
func plan(c *config.Config, names []string) (todo []delivery, beside []sink.SpoolInfo, err error) {
	if len(c.Sinks) == 0 {
		return nil, nil, errors.New("no sink: name those of the run that left the records, with --sink or --config")
	}
	var known []string
	for _, s := range c.Sinks {
		known = append(known, s.Name)
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, nil, fmt.Errorf("%q is not the name of a sink: there is %s%s", n, strings.Join(known, ", "), config.DidYouMean(n, known))
		}
	}
	all, err := spools(c)
	if err != nil {
		return nil, nil, err
	}
	// The directory of one sink alone may be given, too.
	single := c.Run.Spool != "" && len(all) > 0 && all[0].Directory == c.Run.Spool
	var spooled bool
	for _, s := range c.Sinks {
		if len(names) > 0 && !slices.Contains(names, s.Name) {
			continue
		}
		dir := spoolOf(c, s)
		if single && s.Queue.Spool.Directory == "" && !s.Setup.Raw {
			dir = c.Run.Spool
		}
		if dir == "" {
			continue
		}
		spooled = true
		i := slices.IndexFunc(all, func(i sink.SpoolInfo) bool { return filepath.Clean(i.Directory) == filepath.Clean(dir) })
		if i < 0 {
			continue
		}
		if slices.ContainsFunc(todo, func(d delivery) bool { return d.spool.Directory == all[i].Directory }) {
			return nil, nil, fmt.Errorf("%s is the spool of one sink: name the one it is for", dir)
		}
		todo = append(todo, delivery{s, all[i]})
	}
	if !spooled {
		return nil, nil, errNoSpool
	}
	for _, i := range all {
		taken := slices.ContainsFunc(todo, func(d delivery) bool { return d.spool.Directory == i.Directory })
		if !taken && len(names) == 0 && i.Waiting.Records > 0 {
			beside = append(beside, i)
		}
	}
	return slices.DeleteFunc(todo, func(d delivery) bool { return d.spool.Waiting.Records == 0 }), beside, nil
}

// resurfaceKind is the one whose records are finished lines: no other sink can
// read them.
const resurfaceKind = "resurface"

// fits refuses records that are for another sink than the one at place.
func (d delivery) fits(place string, elsewhere bool) error {
	before, s := d.spool.Owner, d.sink
	switch {
	case before.Kind == "" || before.Kind == s.Kind && (before.Place == place || before.Place == "" || elsewhere):
		return nil
	case before.Kind == resurfaceKind && s.Kind != resurfaceKind:
		return fmt.Errorf("sink %s: the records in %s are for %v, and nothing else can read them", s.Name, d.spool.Directory, before)
	case elsewhere:
		return nil
	}
	return fmt.Errorf("sink %s: the records in %s are for %v: give the sinks of that run in the same order, or say --elsewhere to send them to %s=%s",
		s.Name, d.spool.Directory, before, s.Kind, place)
}

func runDeliver(ctx context.Context, p *process, c *config.Config, names []string, elsewhere bool) error {
	todo, beside, err := plan(c, names)
	if err != nil {
		return err
	}
	r := &deliveries{config: c, process: p, log: p.newLog(&c.Log)}
	if err := r.open(todo, elsewhere); err != nil {
		r.abandon()
		return err
	}
	err = r.run(ctx)
	for _, i := range beside {
		err = errors.Join(err, fmt.Errorf("%d records for %v stay in %s: no sink for them was given", i.Waiting.Records, i.Owner, i.Directory))
	}
	if err != nil {
		return &exit{exitRun, err}
	}
	return nil
}

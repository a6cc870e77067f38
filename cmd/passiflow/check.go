package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/passiflow/passiflow/builtin"
)

func newCheck(p *process) *cobra.Command {
	var show bool
	c := &cobra.Command{
		Use:   "check [flags] [expression]",
		Short: "Check the configuration and tell all that is wrong with it",
		Long: "Check reads the configuration file, the environment and the flags as capture\n" +
			"does, opens nothing, and tells every fault with its place. It exits with 0 when\n" +
			"there is none and with 2 otherwise.",
		Example: "  passiflow check --config passiflow.yaml\n  passiflow check --show 'tcp port 80'",
	}
	s := addSettings(c)
	c.Flags().BoolVar(&show, "show", false, "print the configuration in effect and where each value came from")
	c.RunE = func(_ *cobra.Command, args []string) error {
		l, err := s.loadAll(p, args)
		for _, w := range l.Warnings() {
			fmt.Fprintf(p.stderr, "passiflow: warning: %v\n", w)
		}
		if err != nil {
			return err
		}
		if _, err := loadRules(s.config.Rules.File, &s.config, p); err != nil {
			return err
		}
		for _, x := range s.config.Sinks {
			if _, err := rulesOf(x, nil, &s.config, p); err != nil {
				return err
			}
			if x.Setup.Check == nil {
				continue
			}
			o := builtin.SinkOptions{Getenv: p.getenv, Unit: x.UnitIn(s.config.Output.Unit), Production: s.config.Run.Production || production(p)}
			if err := x.Setup.Check(o); err != nil {
				return &exit{exitUsage, fmt.Errorf("sink %s: %w", x.Name, err)}
			}
		}
		if show {
			err = l.WriteEffective(p.stdout)
		} else {
			_, err = fmt.Fprintln(p.stdout, "ok")
		}
		if err != nil {
			return &exit{exitRun, err}
		}
		return nil
	}
	return c
}

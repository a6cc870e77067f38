package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/internal/config"
)

func newSinks(p *process) *cobra.Command {
	return &cobra.Command{
		Use:   "sinks [KIND]",
		Short: "List the kinds of sinks, or the settings of one",
		Long: "Sinks lists where records can go. With a kind it prints an entry for the list\n" +
			"sinks of the configuration file that holds every setting with its default.",
		Example: "  passiflow sinks\n  passiflow sinks file",
		Args: func(c *cobra.Command, args []string) error {
			return noArguments(c, args[min(1, len(args)):])
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, k := range builtin.Sinks() {
				names = append(names, k.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var b strings.Builder
			if len(args) == 1 {
				if err := config.WriteSink(&b, args[0]); err != nil {
					return &exit{exitUsage, err}
				}
			} else {
				for _, k := range builtin.Sinks() {
					s := k.New()
					address := "=" + strings.ToUpper(s.Options[0].Name)
					if s.Bare {
						address = "[" + address + "]"
					}
					fmt.Fprintf(&b, "%-24s %s\n", k.Name+address, k.Usage)
				}
			}
			if _, err := fmt.Fprint(p.stdout, b.String()); err != nil {
				return &exit{exitRun, err}
			}
			return nil
		},
	}
}

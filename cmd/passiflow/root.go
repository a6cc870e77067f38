package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/passiflow/passiflow/internal/config"
)

func newRoot(p *process) *cobra.Command {
	var devices, about bool
	root := &cobra.Command{
		Use:   "passiflow",
		Short: "Watch network traffic and write the HTTP exchanges that passed",
		Long: "Passiflow watches network traffic without touching it and writes every HTTP\n" +
			"exchange that passed, whole or marked with what is missing.\n\n" +
			"Without a command it takes the place of another program: of the Resurface\n" +
			"network sniffer with that one's flags (--input-raw) or with USAGE_LOGGERS_URL\n" +
			"set, of the TCP Sniffer container with PORTS set.",
		Example: "  passiflow capture -i eth0 -p 80,8080\n" +
			"  passiflow capture -r capture.pcap --json | jq .request.target",
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case devices:
				return listInterfaces(p.stdout)
			case about:
				return tellVersion(p.stdout)
			case len(args) > 0:
				var names []string
				for _, sub := range c.Commands() {
					names = append(names, sub.Name())
				}
				return fmt.Errorf("unknown command %q%s\nSee passiflow --help", args[0], config.DidYouMean(args[0], names))
			}
			return c.Help()
		},
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.Flags().BoolVarP(&devices, "list-interfaces", "D", false, "list the interfaces and exit")
	root.Flags().BoolVarP(&about, "version", "V", false, "print version, commit and platform and exit")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w%s\nSee %s --help", err, suggestFlag(c.Flags(), err), c.CommandPath())
	})
	root.AddCommand(newCapture(p), newDeliver(p), newInterfaces(p), newCheck(p), newRules(p), newSinks(p), newReplay(p), newVersion(p))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

func suggestFlag(flags *pflag.FlagSet, err error) string {
	_, word, ok := strings.Cut(err.Error(), "unknown flag: --")
	if !ok {
		return ""
	}
	var names []string
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return config.DidYouMean("--"+word, names)
}

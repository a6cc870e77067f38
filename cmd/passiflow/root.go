package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

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
			}
			return group(c, args)
		},
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.Flags().BoolVarP(&devices, "list-interfaces", "D", false, "list the interfaces and exit")
	root.Flags().BoolVarP(&about, "version", "V", false, "print version, commit and platform and exit")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w%s\nSee %s --help", err, flagHint(c, err), c.CommandPath())
	})
	root.AddCommand(newCapture(p), newDeliver(p), newInterfaces(p), newCheck(p), newRules(p), newSinks(p), newReplay(p), newVersion(p))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	help, completion := find(root, "help"), find(root, "completion")
	help.Run, help.RunE = nil, func(c *cobra.Command, args []string) error { return helpOn(c.Root(), args) }
	completion.Args, completion.RunE = cobra.ArbitraryArgs, group
	for _, shell := range completion.Commands() {
		shell.Args = noArguments
	}
	return root
}

// group is what a command does that only holds others: show them, or say that
// it has none of the name given.
func group(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if len(names) == 0 {
		return noArguments(c, args)
	}
	hint := config.DidYouMean(args[0], names)
	if hint == "" && !c.HasParent() {
		hint = wordHint(args[0])
	}
	return fmt.Errorf("unknown command %q%s\n%s has: %s\nSee %s --help", args[0], hint, c.CommandPath(), strings.Join(names, ", "), c.CommandPath())
}

// noArguments refuses arguments.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unexpected argument %q\nSee %s --help", args[0], c.CommandPath())
}

// helpOn shows the help of the command that path names.
func helpOn(c *cobra.Command, path []string) error {
	for i, name := range path {
		sub := find(c, name)
		if sub == nil {
			return group(c, path[i:])
		}
		c = sub
	}
	return c.Help()
}

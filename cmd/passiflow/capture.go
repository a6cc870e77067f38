package main

import (
	"github.com/spf13/cobra"
)

func newCapture(p *process) *cobra.Command {
	var devices bool
	c := &cobra.Command{
		Use:   "capture [flags] [expression]",
		Short: "Capture traffic and write the HTTP exchanges that passed",
		Long: "Capture reads packets from interfaces (-i), capture files (-r) or mirrored\n" +
			"traffic (--listen) and writes every HTTP exchange that passed: one line each on\n" +
			"a terminal, one JSON object a line otherwise or with --json.\n\n" +
			"The expression is a filter in the syntax of tcpdump and means the outer frame;\n" +
			"-p chooses by the innermost ports.\n\n" +
			"It ends at the end of the files, after -c packets, or at SIGINT, SIGTERM or SIGHUP,\n" +
			"and then prints on standard error what became of every packet and byte. Exit\n" +
			"codes: 0 all went well, 1 an error while running, 2 usage or configuration,\n" +
			"3 capture refused (no right, no such interface).",
		Example: "  passiflow capture -i eth0 -p 80,8080\n" +
			"  passiflow capture -r capture.pcap --json | jq .request.target\n" +
			"  passiflow capture --listen vxlan://:4789 --vni-allow 100-199\n" +
			"  passiflow capture -i eth0 -w http.pcapng --raw-unmasked -q 'tcp port 80'",
	}
	s := addSettings(c)
	c.Flags().BoolVarP(&devices, "list-interfaces", "D", false, "list the interfaces and exit")
	c.Flags().BoolP("numeric", "n", false, "accepted and without effect: names are never looked up")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if devices {
			return listInterfaces(p.stdout)
		}
		l, err := s.loadAll(p, args)
		if err != nil {
			return err
		}
		return runCapture(cmd.Context(), p, &s.config, l.Warnings())
	}
	return c
}

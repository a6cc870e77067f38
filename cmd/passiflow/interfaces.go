package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newInterfaces(p *process) *cobra.Command {
	return &cobra.Command{
		Use:               "interfaces",
		Short:             "List the interfaces that can be captured on",
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(*cobra.Command, []string) error { return listInterfaces(p.stdout) },
	}
}

// listInterfaces writes one interface a line; the default is marked.
func listInterfaces(w io.Writer) error {
	all, err := net.Interfaces()
	if err != nil {
		return &exit{exitRun, fmt.Errorf("list interfaces: %w", err)}
	}
	first := defaultInterface(all)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, i := range all {
		state := []string{"down"}
		if i.Flags&net.FlagUp != 0 {
			state[0] = "up"
		}
		if i.Flags&net.FlagLoopback != 0 {
			state = append(state, "loopback")
		}
		if i.Name == first {
			state = append(state, "default")
		}
		var at []string
		addrs, _ := i.Addrs() // an interface may vanish meanwhile: it is listed without addresses
		for _, a := range addrs {
			at = append(at, a.String())
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", i.Index, i.Name, strings.Join(state, ","), strings.Join(at, " "))
	}
	fmt.Fprintf(t, "0\tany\tup\tall interfaces\n")
	if err := t.Flush(); err != nil {
		return &exit{exitRun, err}
	}
	return nil
}

// byNumber replaces the numbers in names, as the list of interfaces shows them,
// by the names they stand for. What is an interface's name stays one.
func byNumber(names []string, all []net.Interface) []string {
	out := slices.Clone(names)
	for i, name := range out {
		n, err := strconv.Atoi(name)
		if err != nil || slices.ContainsFunc(all, func(x net.Interface) bool { return x.Name == name }) {
			continue
		}
		if n == 0 {
			out[i] = "any"
		}
		if k := slices.IndexFunc(all, func(x net.Interface) bool { return x.Index == n }); k >= 0 {
			out[i] = all[k].Name
		}
	}
	return out
}

// defaultInterface returns the first that is up and not loopback, or "".
func defaultInterface(all []net.Interface) string {
	i := slices.IndexFunc(all, func(i net.Interface) bool {
		return i.Flags&(net.FlagUp|net.FlagLoopback) == net.FlagUp
	})
	if i < 0 {
		return ""
	}
	return all[i].Name
}

func interfaceNames() []string {
	all, _ := net.Interfaces() // for completion only: without the list nothing is offered
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names
}

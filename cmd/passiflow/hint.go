package main

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/passiflow/passiflow/internal/config"
)

// flagHint says what was probably meant with a flag that c does not have.
func flagHint(c *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return ""
	}
	name, short := unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames() != ""
	if capture := find(c, "capture"); capture != nil {
		if capture.Flags().Lookup(name) != nil || short && capture.Flags().ShorthandLookup(name) != nil {
			return "; did you mean passiflow capture?"
		}
	}
	if short {
		if c.Name() == "capture" {
			return borrowed(name)
		}
		return ""
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return config.DidYouMean("--"+name, names)
}

func find(c *cobra.Command, name string) *cobra.Command {
	i := slices.IndexFunc(c.Commands(), func(sub *cobra.Command) bool { return sub.Name() == name })
	if i < 0 {
		return nil
	}
	return c.Commands()[i]
}

// borrowed says what stands here for a letter that tcpdump or tshark know.
func borrowed(letter string) string {
	switch letter {
	case "A", "x", "X":
		return "; headers and bodies are shown with -v"
	case "C", "G", "W":
		return "; files are closed by size and time with --sink pcap=FILE (see passiflow sinks pcap)"
	case "T":
		return "; records as JSON are written with --json"
	case "f":
		return "; the expression stands behind the flags, as in tcpdump"
	case "R", "Y":
		return "; records are chosen with --rules"
	case "t":
		return "; lines always tell the time, records (--json) the date too"
	}
	return ""
}

// wordHint says what was probably meant with a word that is neither a command
// nor an expression: people name a file or an interface there.
func wordHint(word string) string {
	if info, err := os.Stat(word); err == nil && !info.IsDir() {
		return "; to read the file: passiflow capture -r " + word
	}
	if slices.Contains(append(interfaceNames(), "any"), word) {
		return "; to capture on the interface: passiflow capture -i " + word
	}
	proto, _, _ := strings.Cut(word, ".")
	switch {
	case strings.Trim(word, "0123456789,-") == "":
		return "; several ports are given as -p 80,443"
	case slices.Contains([]string{"http", "tcp", "ip", "ipv6", "frame"}, proto) && word != "tcp" && word != "ip":
		return "; the expression is tcpdump's and chooses packets, --rules chooses records"
	}
	return ""
}

// Package manual writes the manual pages of a command line, in the man macros
// of roff.
package manual

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Pages returns one page for root and one for each visible command below it,
// by file name ("passiflow-capture.1"). The pages name no date and no version,
// so that they change only with what they describe.
func Pages(root *cobra.Command) map[string][]byte {
	pages := map[string][]byte{}
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		c.InitDefaultHelpFlag()
		pages[pageName(c)+".1"] = page(c)
		if c.Name() == "completion" { // its own page names the shells
			return
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "help" {
				visit(sub)
			}
		}
	}
	visit(root)
	return pages
}

func pageName(c *cobra.Command) string {
	return strings.ReplaceAll(c.CommandPath(), " ", "-")
}

func page(c *cobra.Command) []byte {
	var b bytes.Buffer
	name := pageName(c)
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"%s\" \"User Commands\"\n", escape(strings.ToUpper(name)), escape(c.Root().Name()))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(name), escape(lower(c.Short)))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n\\fB%s\\fR\n", escape(c.UseLine()))
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	b.WriteString(".SH DESCRIPTION\n")
	paragraphs(&b, long)
	options(&b, "OPTIONS", c.NonInheritedFlags())
	options(&b, "OPTIONS OF THE COMMANDS ABOVE", c.InheritedFlags())
	if c.Example != "" {
		b.WriteString(".SH EXAMPLES\n.nf\n")
		for line := range strings.SplitSeq(strings.TrimRight(c.Example, "\n"), "\n") {
			b.WriteString(escapeLine(strings.TrimPrefix(line, "  ")) + "\n")
		}
		b.WriteString(".fi\n")
	}
	var see []string
	if p := c.Parent(); p != nil {
		see = append(see, pageName(p))
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" && c.Name() != "completion" {
			see = append(see, pageName(sub))
		}
	}
	if len(see) > 0 {
		b.WriteString(".SH SEE ALSO\n")
		for i, s := range see {
			comma := ","
			if i == len(see)-1 {
				comma = ""
			}
			fmt.Fprintf(&b, ".BR %s (1)%s\n", escape(s), comma)
		}
	}
	return b.Bytes()
}

func paragraphs(b *bytes.Buffer, text string) {
	for i, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		literal := strings.HasPrefix(p, "\t") || strings.HasPrefix(p, "  ")
		if literal {
			b.WriteString(".nf\n")
		}
		for line := range strings.SplitSeq(p, "\n") {
			b.WriteString(escapeLine(line) + "\n")
		}
		if literal {
			b.WriteString(".fi\n")
		}
	}
}

func options(b *bytes.Buffer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(b, "\\fB\\-%s\\fR, ", escape(f.Shorthand))
		}
		fmt.Fprintf(b, "\\fB\\-\\-%s\\fR", escape(f.Name))
		kind, usage := pflag.UnquoteUsage(f)
		if f.NoOptDefVal == "" {
			fmt.Fprintf(b, " \\fI%s\\fR", escape(kind))
		}
		b.WriteString("\n" + escapeLine(sentence(usage)))
		switch f.DefValue {
		case "", "false", "0", "[]":
		default:
			b.WriteString(" Default: " + escape(f.DefValue) + ".")
		}
		b.WriteByte('\n')
	})
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func lower(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// escape makes s plain text for roff: a hyphen would become a dash, and a
// backslash begins a request.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
}

// escapeLine also keeps a dot or quote at the start of a line from being read
// as a request.
func escapeLine(s string) string {
	s = escape(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}

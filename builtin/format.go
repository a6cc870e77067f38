package builtin

import (
	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/format/json"
	"github.com/passiflow/passiflow/format/line"
	"github.com/passiflow/passiflow/format/messages"
)

// FormatOptions are what a format may use.
type FormatOptions struct {
	Width   int  // of the terminal in columns; 0: unknown
	Color   bool // colours are welcome
	Verbose bool // headers and bodies too
}

// Formats returns what makes a format, by name.
func Formats() map[string]func(FormatOptions) format.Format {
	return map[string]func(FormatOptions) format.Format{
		"json":     func(FormatOptions) format.Format { return json.New(json.DefaultConfig()) },
		"line":     lines,
		"messages": func(FormatOptions) format.Format { return messages.New(messages.DefaultConfig()) },
	}
}

func lines(o FormatOptions) format.Format {
	c := line.DefaultConfig()
	c.Width, c.Color = o.Width, o.Color
	if o.Verbose {
		c.Verbose = 2
	}
	return line.New(c)
}

package config

import (
	"fmt"
	"strings"
)

// Origin says where a value came from.
type Origin struct {
	Name string // file name, name of the environment variable or flag; "": the default
	Line int    // in a file, from 1; 0: not a file
}

// String writes file:line, the name, or "default".
func (o Origin) String() string {
	switch {
	case o.Name == "":
		return "default"
	case o.Line > 0:
		return fmt.Sprintf("%s:%d", o.Name, o.Line)
	}
	return o.Name
}

// Fault is one thing wrong with a configuration.
type Fault struct {
	Origin
	Path    string // of the setting, "capture.snaplen"; may be empty
	Problem string
}

// Error writes origin, path and problem in one line.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Origin.String())
	if f.Path != "" && (f.Line > 0 || f.Name == "") { // a flag or variable says it already
		b.WriteString(": " + f.Path)
	}
	return b.String() + ": " + f.Problem
}

// Faults are all that is wrong, in the order found.
type Faults []Fault

// Error writes one fault a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

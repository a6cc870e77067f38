package config

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteReference writes a configuration file that holds every key with its
// default, commented with meaning, kind, flag and variable.
func WriteReference(w io.Writer) error {
	c := DefaultConfig()
	_, err := io.WriteString(w, render(c.Settings(), true, nil))
	return err
}

// WriteEffective writes c as a configuration file; each value that is not the
// default says where it came from.
func (l *Loader) WriteEffective(w io.Writer) error {
	_, err := io.WriteString(w, render(l.settings, false, l.origin))
	return err
}

func render(settings []Setting, explain bool, origin map[string]Origin) string {
	var b strings.Builder
	if explain {
		b.WriteString("# Every key of the configuration, with its default.\n" +
			"# A flag is stronger than an environment variable, which is stronger than this file.\n" +
			"# Sizes: 65536, 64KiB, 1MiB, 10MB. Durations: 500ms, 30s, 5m.\n")
	}
	last := ""
	for _, s := range settings {
		group, key, nested := strings.Cut(s.Path, ".")
		if group != last && explain {
			b.WriteByte('\n')
		}
		indent := "  "
		if !nested {
			indent, key = "", group
		} else if group != last {
			fmt.Fprintf(&b, "%s:\n", group)
		}
		last = group
		if explain {
			for _, line := range wrap(sentence(s.Usage), 90) {
				fmt.Fprintf(&b, "%s# %s\n", indent, line)
			}
			flag := ""
			if s.Short != "" {
				flag = "-" + s.Short + ", "
			}
			if s.Flag != "" {
				flag += "--" + s.Flag + ", "
			}
			fmt.Fprintf(&b, "%s# %s; %s%s\n", indent, s.Value.Type(), flag, s.Env())
		}
		fmt.Fprintf(&b, "%s%s: ", indent, key)
		if v, ok := s.Value.(sinks); ok {
			b.WriteString(v.literal())
		} else {
			b.WriteString(literal(s.Value))
		}
		if o := origin[s.Path]; o.Name != "" {
			fmt.Fprintf(&b, " # %s", o)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// sentence makes a flag's usage a sentence.
func sentence(s string) string {
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func literal(v Value) string {
	s := v.String()
	switch v := v.(type) {
	case list, ranges, durations:
		if s == "" {
			return "[]"
		}
		items := strings.Split(s, ",")
		for i := range items {
			if _, ok := v.(list); ok {
				items[i] = quote(items[i])
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	case text, name:
		return quote(s)
	case table:
		var items []string
		for _, k := range slices.Sorted(maps.Keys(*v.p)) {
			items = append(items, quote(k)+": "+quote((*v.p)[k]))
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	return s
}

// quote writes s as a YAML double-quoted scalar, whose escapes for what we
// escape are those of Go.
func quote(s string) string {
	return fmt.Sprintf("%q", s)
}

func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && len(line)+1+len(w) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}

// WriteSink writes an entry of the list of sinks that holds every setting of a
// kind with its default, commented.
func WriteSink(w io.Writer, kind string) error {
	s, err := newSink(kind)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "sinks:\n  - kind: %s\n", s.Kind)
	last := ""
	for _, k := range s.Settings() {
		group, key, nested := strings.Cut(k.Path, ".")
		indent := "    "
		if nested {
			if group != last {
				fmt.Fprintf(&b, "%s%s:\n", indent, group)
			}
			indent += "  "
		} else {
			key = group
		}
		last = group
		for _, line := range wrap(sentence(k.Usage), 90) {
			fmt.Fprintf(&b, "%s# %s\n", indent, line)
		}
		fmt.Fprintf(&b, "%s# %s\n%s%s: %s\n", indent, k.Value.Type(), indent, key, literal(k.Value))
	}
	_, err = io.WriteString(w, b.String())
	return err
}

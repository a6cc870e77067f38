package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// Loader lays sources of values over each other, the weakest first: Open, Env,
// Flag, then Done. It collects every fault instead of stopping at the first.
type Loader struct {
	settings []Setting
	config   *Config
	origin   map[string]Origin // by path; absent: the default
	prefix   string            // of every path in a fault
	faults   Faults
	warnings Faults
}

// NewLoader returns a Loader that writes into c, which holds the defaults.
func NewLoader(c *Config) *Loader {
	return &Loader{settings: c.Settings(), config: c, origin: map[string]Origin{}}
}

// Open reads the file called name; - is standard input.
func (l *Loader) Open(name string, stdin io.Reader) {
	r := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			l.fault(Origin{Name: name}, "", reason(err))
			return
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		l.fault(Origin{Name: name}, "", reason(err))
	case len(data) > maxFile:
		l.fault(Origin{Name: name}, "", "is longer than "+FormatSize(maxFile))
	default:
		l.File(name, data)
	}
}

// reason drops the path that an *os.PathError repeats.
func reason(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// File takes the content of the file called name.
func (l *Loader) File(name string, data []byte) {
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return
	}
	if err == nil && !errors.Is(d.Decode(&more), io.EOF) {
		err = errors.New("more than one document")
	}
	if err != nil {
		at, problem := Origin{Name: name}, strings.TrimPrefix(err.Error(), "yaml: ")
		if rest, ok := strings.CutPrefix(problem, "line "); ok {
			n, text, _ := strings.Cut(rest, ": ")
			if line, err := strconv.Atoi(n); err == nil {
				at.Line, problem = line, text
			}
		}
		l.fault(at, "", "is not YAML: "+problem)
		return
	}
	if len(doc.Content) == 1 {
		l.group(name, "", doc.Content[0])
	}
}

// group takes a mapping: the whole file (path "") or one group of it.
func (l *Loader) group(file, path string, n *yaml.Node) {
	n = follow(n)
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	names := l.names(path)
	if n.Kind != yaml.MappingNode {
		l.fault(Origin{file, n.Line}, path, "must hold keys and values ("+strings.Join(names, ", ")+")")
		return
	}
	var seen []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at, full := Origin{file, key.Line}, key.Value
		if path != "" {
			full = path + "." + key.Value
		}
		switch {
		case !slices.Contains(names, key.Value):
			l.fault(at, full, "unknown key"+l.suggest(path, key.Value, names))
		case slices.Contains(seen, key.Value):
			l.fault(at, full, "is given twice")
		case path == "" && key.Value == sinksPath:
			v, _ := l.find(sinksPath).Value.(sinks)
			l.sinkList(file, v, key, value)
		case path == "":
			l.group(file, full, value)
		default:
			l.leaf(at, full, value)
		}
		seen = append(seen, key.Value)
	}
}

func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// names lists the keys of a group, or the groups.
func (l *Loader) names(path string) []string {
	var names []string
	for _, s := range l.settings {
		group, key, _ := strings.Cut(s.Path, ".")
		if path == "" && !slices.Contains(names, group) {
			names = append(names, group)
		} else if path == group {
			names = append(names, key)
		}
	}
	return names
}

// suggest names the key that was probably meant: one that stands in another
// group, or the nearest here.
func (l *Loader) suggest(path, key string, names []string) string {
	word := strings.ReplaceAll(key, "-", "_")
	for _, s := range l.settings {
		if _, k, _ := strings.Cut(s.Path, "."); k == word && (key != word || !strings.HasPrefix(s.Path, path+".")) {
			return "; did you mean " + s.Path + "?"
		}
	}
	return DidYouMean(word, names)
}

func (l *Loader) leaf(at Origin, path string, n *yaml.Node) {
	n = follow(n)
	v := l.find(path).Value
	_, single := v.(interface{ one() })
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return
	case n.Kind == yaml.ScalarNode:
		v.Clear()
		l.set(at, path, n.Value)
	case n.Kind == yaml.MappingNode && isTable(v):
		v.Clear()
		for i := 0; i+1 < len(n.Content); i += 2 {
			l.set(Origin{at.Name, n.Content[i].Line}, path, n.Content[i].Value+"="+follow(n.Content[i+1]).Value)
		}
	case n.Kind == yaml.SequenceNode && !single:
		v.Clear()
		for _, item := range n.Content {
			item = follow(item)
			if item.Kind != yaml.ScalarNode {
				l.fault(Origin{at.Name, item.Line}, path, "must list plain values")
				continue
			}
			l.set(Origin{at.Name, item.Line}, path, item.Value)
		}
	default:
		l.fault(at, path, "must be one plain value, "+v.Type())
	}
	l.origin[path] = at
}

func (single) one() {}

func (l *Loader) set(at Origin, path, text string) {
	if err := l.find(path).Value.Set(text); err != nil {
		l.fault(at, path, err.Error())
	}
}

func (l *Loader) find(path string) Setting {
	i := slices.IndexFunc(l.settings, func(s Setting) bool { return s.Path == path })
	return l.settings[i]
}

func (l *Loader) fault(at Origin, path, problem string) {
	l.faults = append(l.faults, Fault{at, l.prefix + path, problem})
}

// Env takes the variables of the program from environ ("NAME=value"). An empty
// one counts as not set. A list stands in one variable, separated by commas. A
// name that is almost one of ours is a warning and not a fault: clusters set
// variables named after their services.
func (l *Loader) Env(environ []string) {
	names := []string{EnvPrefix + "CONFIG"}
	for _, s := range l.settings {
		names = append(names, s.Env())
		for _, e := range environ {
			name, value, _ := strings.Cut(e, "=")
			if name != s.Env() || value == "" {
				continue
			}
			at := Origin{Name: name}
			s.Value.Clear()
			switch v := s.Value.(type) {
			case list:
				for _, part := range strings.Split(value, ",") {
					l.set(at, s.Path, strings.TrimSpace(part))
				}
			case sinks:
				for _, part := range v.split(value) {
					l.set(at, s.Path, part)
				}
			default:
				l.set(at, s.Path, value)
			}
			l.origin[s.Path] = at
		}
	}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, EnvPrefix) || slices.Contains(names, name) || strings.HasPrefix(value, "tcp://") { // a cluster's PASSIFLOW_PORT
			continue
		}
		for _, n := range names {
			if distance(name, n) <= 2 {
				l.warnings = append(l.warnings, Fault{Origin{Name: name}, "", fmt.Sprintf("is not a variable of passiflow; did you mean %s?", n)})
				break
			}
		}
	}
}

// Flag takes values given for the setting at path under the name of a flag or
// argument, in order.
func (l *Loader) Flag(path, name string, values ...string) {
	to := l.find(path).Value
	to.Clear()
	for _, v := range values {
		if f, ok := to.(text); ok && f.kind == "FILE" && v == "" { // most often a variable that is not set
			l.fault(Origin{Name: name}, path, "is empty: name a file, or leave the flag out")
			continue
		}
		l.set(Origin{Name: name}, path, v)
	}
	l.origin[path] = Origin{Name: name}
}

// Done tells what is wrong, as Faults, or nil, after a last look at what values
// mean together.
func (l *Loader) Done() error {
	if len(l.faults) == 0 {
		for _, c := range l.config.contradictions() {
			path := c.paths[0]
			for _, p := range c.paths {
				if l.origin[p].Name != "" {
					path = p
					break
				}
			}
			l.fault(l.origin[path], path, c.err.Error())
		}
	}
	if len(l.faults) > 0 {
		return l.faults
	}
	return nil
}

// Origin tells where the value of the setting at path came from.
func (l *Loader) Origin(path string) Origin { return l.origin[path] }

// Warnings are what looks wrong and does no harm.
func (l *Loader) Warnings() Faults { return l.warnings }

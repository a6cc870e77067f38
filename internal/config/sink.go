package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/sink"
)

// sinksPath is the key of the list of sinks.
const sinksPath = "sinks"

// Sink is one place that records go to.
type Sink struct {
	Name  string // in the ledger, in metrics and of its spool; unique
	Kind  string
	Unit  string // auto, exchange, message, flow
	Rules string
	Queue Queue
	Setup *builtin.SinkSetup
}

// newSink returns a sink of a kind with its defaults.
func newSink(kind string) (*Sink, error) {
	k, ok := builtin.Sink(kind)
	if !ok {
		names := kinds()
		return nil, fmt.Errorf("%q is not a kind of sink: %s%s", kind, strings.Join(names, ", "), DidYouMean(kind, names))
	}
	setup := k.New()
	return &Sink{Kind: k.Name, Unit: Auto, Setup: setup, Queue: newQueue(setup.Queue)}, nil
}

func kinds() []string {
	var names []string
	for _, k := range builtin.Sinks() {
		names = append(names, k.Name)
	}
	return names
}

// Settings lists the keys of s in the order of the reference. The values point
// into s.
func (s *Sink) Settings() []Setting {
	var all []Setting
	for _, o := range s.Setup.Options {
		all = append(all, Setting{Path: o.Name, Usage: o.Usage, Value: option(o)})
	}
	all = append(all, Setting{Path: "name", Usage: "name in the ledger, in metrics and of the spool. Default: its kind", Value: name{text{p: &s.Name, kind: "NAME"}}})
	if !s.Setup.Raw {
		all = append(all, Setting{Path: "unit", Usage: "what a record is: a request with its answer, each of them alone, or a conversation; auto: as output.unit says, where the sink takes that",
			Value: choice{p: &s.Unit, words: append([]string{Auto}, units()...)}})
	}
	all = append(all, Setting{Path: "rules", Usage: "file of rules for this sink, in place of those of the run", Value: text{p: &s.Rules, kind: "FILE"}})
	return append(all, s.Queue.settings()...)
}

// name is a text that can also be the name of a file and of a label.
type name struct{ text }

func (v name) Set(s string) error {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	if strings.TrimFunc(s, plain) != "" || len(s) > 64 {
		return fmt.Errorf("%q is not made of letters, digits, - and _", s)
	}
	return v.text.Set(s)
}

// UnitIn returns what a record of s is in a run whose records are of unit run.
func (s *Sink) UnitIn(run string) string {
	switch {
	case s.Unit != Auto:
		return s.Unit
	case s.Setup.Units == nil || slices.Contains(s.Setup.Units, run):
		return run
	}
	return s.Setup.Units[0]
}

func units() []string { return []string{"exchange", "message", "flow"} }

// option makes the value of a sink's option.
func option(o builtin.Option) Value {
	switch to := o.To.(type) {
	case *string:
		if o.Words != nil {
			return choice{p: to, words: o.Words}
		}
		return text{p: to, kind: "TEXT"}
	case *bool:
		return yes{p: to}
	case *int:
		return number{p: to, max: math.MaxInt}
	case *float64:
		return real{p: to}
	case *builtin.Bytes:
		return size{p: (*int64)(to), unit: 1, max: maxSize}
	case *time.Duration:
		return duration{p: to, max: 366 * maxDuration}
	case *[]string:
		return list{p: to, kind: "TEXT"}
	case *map[string]string:
		return table{p: to}
	}
	return unknown{}
}

// unknown stands for an option that cannot be set; a test finds it.
type unknown struct{ single }

func (unknown) String() string   { return "" }
func (unknown) Type() string     { return "UNKNOWN" }
func (unknown) Set(string) error { return errors.New("cannot be set") }

// sinks is the list of sinks as --sink gives it.
type sinks struct{ p *[]*Sink }

func (v sinks) Type() string { return "KIND=ADDRESS" }
func (v sinks) Clear()       { *v.p = nil }

// String implements Value; what the file alone can set is not in it.
func (v sinks) String() string {
	var all []string
	for _, s := range *v.p {
		all = append(all, s.Kind+"="+option(s.Setup.Options[0]).String())
	}
	return strings.Join(all, ",")
}

func (v sinks) Set(s string) error {
	kind, address, given := strings.Cut(s, "=")
	x, err := newSink(kind)
	if err != nil {
		return err
	}
	if given {
		if err := option(x.Setup.Options[0]).Set(address); err != nil {
			return err
		}
	} else if !x.Setup.Bare {
		return fmt.Errorf("%q is not KIND=ADDRESS: %s", s, x.Setup.Options[0].Usage)
	}
	v.add(x)
	return nil
}

// add gives x a name that no other has.
func (v sinks) add(x *Sink) {
	if x.Name == "" {
		x.Name = x.Kind
		for n := 2; slices.ContainsFunc(*v.p, func(s *Sink) bool { return s.Name == x.Name }); n++ {
			x.Name = fmt.Sprintf("%s-%d", x.Kind, n)
		}
	}
	*v.p = append(*v.p, x)
}

// split parts the sinks of one environment variable at commas before a kind.
func (v sinks) split(s string) []string {
	var all []string
	for _, part := range strings.Split(s, ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(part), "=")
		if _, ok := builtin.Sink(kind); ok || len(all) == 0 {
			all = append(all, strings.TrimSpace(part))
		} else {
			all[len(all)-1] += "," + part
		}
	}
	return all
}

// sinkList takes the list of sinks in a file.
func (l *Loader) sinkList(file string, v sinks, key, n *yaml.Node) {
	n = follow(n)
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	at := Origin{file, key.Line}
	if n.Kind != yaml.SequenceNode {
		l.fault(at, sinksPath, "must be a list of sinks, each with its kind")
		return
	}
	v.Clear()
	l.origin[sinksPath] = at
	for i, item := range n.Content {
		if s := l.sink(file, fmt.Sprintf("sinks[%d]", i), follow(item)); s != nil {
			if slices.ContainsFunc(*v.p, func(x *Sink) bool { return x.Name == s.Name && s.Name != "" }) {
				l.fault(Origin{file, item.Line}, fmt.Sprintf("sinks[%d].name", i), "two sinks have the same name")
			}
			v.add(s)
		}
	}
}

// sink takes one sink of a file.
func (l *Loader) sink(file, path string, n *yaml.Node) *Sink {
	at := Origin{file, n.Line}
	if n.Kind != yaml.MappingNode {
		l.fault(at, path, "must hold keys and values")
		return nil
	}
	kind := ""
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "kind" {
			kind, at.Line = follow(n.Content[i+1]).Value, n.Content[i].Line
		}
	}
	if kind == "" {
		l.fault(at, path, "has no kind: one of "+strings.Join(kinds(), ", "))
		return nil
	}
	s, err := newSink(kind)
	if err != nil {
		l.fault(at, path+".kind", err.Error())
		return nil
	}
	in := &Loader{settings: append([]Setting{{Path: "kind", Value: text{p: new(string), kind: "KIND"}}}, s.Settings()...), origin: map[string]Origin{}, prefix: path + "."}
	in.tree(file, "", n)
	l.faults = append(l.faults, in.faults...)
	if first := s.Setup.Options[0]; !s.Setup.Bare && len(in.faults) == 0 {
		if at := in.origin[first.Name]; at.Name != "" && option(first).String() == "" {
			l.fault(at, path+"."+first.Name, "is empty: "+first.Usage)
		} else if at.Name == "" {
			l.fault(Origin{file, n.Line}, path+"."+first.Name, "is not given: "+first.Usage)
		}
	}
	return s
}

// tree takes a mapping whose keys are settings or groups of them.
func (l *Loader) tree(file, path string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		l.fault(Origin{file, n.Line}, strings.TrimSuffix(path, "."), "must hold keys and values")
		return
	}
	var names, seen []string
	for _, s := range l.settings {
		if rest, ok := strings.CutPrefix(s.Path, path); ok {
			name, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], follow(n.Content[i+1])
		at, full := Origin{file, key.Line}, path+key.Value
		switch {
		case !slices.Contains(names, key.Value):
			l.fault(at, full, "unknown key"+DidYouMean(strings.ReplaceAll(key.Value, "-", "_"), names))
		case slices.Contains(seen, key.Value):
			l.fault(at, full, "is given twice")
		case !slices.ContainsFunc(l.settings, func(s Setting) bool { return s.Path == full }):
			l.tree(file, full+".", value)
		default:
			l.leaf(at, full, value)
		}
		seen = append(seen, key.Value)
	}
}

// sinkFaults tells what is wrong with the sinks together.
func (c *Config) sinkFaults(add func(bad bool, problem string, paths ...string)) {
	for _, s := range c.Sinks {
		if s.Setup.Raw {
			add(!c.Mask.RawUnmasked && !c.Mask.ShowSecrets, fmt.Sprintf("%s hands on bytes as captured, with the credentials in them: allow it with --raw-unmasked (mask.raw_unmasked)", s.Name), sinksPath)
			add(s.Queue.Spool.Directory != "", fmt.Sprintf("%s cannot have a spool: bytes as captured are of no use to a later run", s.Name), sinksPath)
		}
	}
	for _, s := range c.Sinks {
		err := s.Queue.Over(sink.QueueConfig{Bytes: 1}).Validate()
		add(err != nil, fmt.Sprintf("%s: %v", s.Name, err), sinksPath)
	}
	stdouts := 0
	for _, s := range c.Sinks {
		if path, ok := s.Setup.Options[0].To.(*string); s.Kind == "stdout" || ok && *path == "-" {
			stdouts++
		}
	}
	if c.Output.Format == Line || c.Output.Format == JSON {
		stdouts++
	}
	if c.Output.Write == "-" {
		stdouts++
	}
	add(stdouts > 1, "standard output can carry one kind of output only", sinksPath)
}

// table is names and texts: NAME=TEXT on a command line, a mapping in a file.
type table struct{ p *map[string]string }

func (v table) Type() string { return "NAME=TEXT" }
func (v table) Clear()       { *v.p = nil }
func (v table) String() string {
	var all []string
	for k, x := range *v.p {
		all = append(all, k+"="+x)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

func (v table) Set(s string) error {
	name, x, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("is not NAME=TEXT")
	}
	if *v.p == nil {
		*v.p = map[string]string{}
	}
	(*v.p)[name] = x
	return nil
}

func isTable(v Value) bool {
	_, ok := v.(table)
	return ok
}

// real is a number that need not be whole.
type real struct {
	single
	p *float64
}

func (v real) Type() string   { return "NUMBER" }
func (v real) String() string { return strconv.FormatFloat(*v.p, 'g', -1, 64) }
func (v real) Set(s string) error {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0) {
		return fmt.Errorf("%q is not a number from 0", s)
	}
	*v.p = f
	return nil
}

// literal writes the sinks as a list in a file.
func (v sinks) literal() string {
	if len(*v.p) == 0 {
		return "[]"
	}
	var b strings.Builder
	for _, s := range *v.p {
		fmt.Fprintf(&b, "\n  - kind: %s", s.Kind)
		last := ""
		for _, k := range s.Settings() {
			group, key, nested := strings.Cut(k.Path, ".")
			if nested && group != last {
				fmt.Fprintf(&b, "\n    %s:", group)
				last = group
			}
			if nested {
				fmt.Fprintf(&b, "\n      %s: %s", key, literal(k.Value))
			} else {
				fmt.Fprintf(&b, "\n    %s: %s", k.Path, literal(k.Value))
			}
		}
	}
	return b.String()
}

package rule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Options is what reading rules needs beside the rules.
type Options struct {
	// Getenv returns variables of the environment, where the rules name one for
	// the key of pseudonyms. nil: there are none
	Getenv func(string) string
	// ReadFile reads a file that the rules name for it. nil: there is none
	ReadFile func(string) ([]byte, error)
	// ShowSecrets leaves the default masks out, whatever the rules say.
	ShowSecrets bool
}

// shortestKey is the least length of a key for pseudonyms, in bytes.
const shortestKey = 16

// Parse reads rules; name is the file's, for errors. An error is Faults.
func Parse(name string, data []byte, o Options) (*Set, error) {
	p := &parser{file: name, lines: strings.Split(string(data), "\n"), options: o, set: &Set{}, defaults: true}
	p.document(data)
	if len(p.faults) > 0 {
		slices.SortStableFunc(p.faults, func(a, b *Fault) int {
			if a.Line != b.Line {
				return a.Line - b.Line
			}
			return a.Column - b.Column
		})
		return nil, p.faults
	}
	if p.defaults && !o.ShowSecrets {
		p.set.steps = append(p.set.steps, step{kind: maskRule, masks: defaultMasks(p.except, p.defaultEntry())})
	}
	for i := range p.set.steps {
		if k := p.set.steps[i].masks; k != nil && k.json != nil && k.paths != nil && k.paths.join(k.json, k.simple) {
			k.json = nil
		}
		if k := p.set.steps[i].masks; k != nil {
			k.ready()
		}
		if c := p.set.steps[i].when; c != nil {
			p.set.uses.join(c.uses)
		}
	}
	return p.set, nil
}

type parser struct {
	file     string
	lines    []string
	options  Options
	set      *Set
	faults   Faults
	defaults bool
	except   []string
	keyed    *pseudonyms
	keyRead  bool
	keyNode  *yaml.Node
	open     *masks // of the last step, where more can be added
}

func (p *parser) fault(n *yaml.Node, format string, args ...any) {
	p.faults = append(p.faults, &Fault{p.file, n.Line, n.Column, fmt.Sprintf(format, args...)})
}

func (p *parser) defaultEntry() *entry {
	e := &entry{place: "default", what: "mask"}
	p.set.entries = append(p.set.entries, e)
	return e
}

func (p *parser) document(data []byte) {
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return
	}
	if err == nil {
		if again := d.Decode(&more); again == nil {
			p.fault(&more, "more than one document")
			return
		} else if !errors.Is(again, io.EOF) {
			err = again
		}
	}
	if err != nil {
		p.faults = append(p.faults, notYAML(p.file, err))
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	root := follow(doc.Content[0])
	switch {
	case root.Kind == yaml.SequenceNode:
		p.rules(root)
	case root.Kind == yaml.MappingNode:
		fields := p.mapping(root, "defaults", "key", "rules")
		p.keyNode = fields["key"]
		if n := fields["defaults"]; n != nil {
			p.readDefaults(n)
		}
		if n := fields["rules"]; n != nil {
			p.rules(n)
		}
	case root.Tag != "!!null":
		p.fault(root, "must be a list of rules, or have the keys defaults, key and rules")
	}
}

func notYAML(file string, err error) *Fault {
	f := &Fault{File: file, Problem: strings.TrimPrefix(err.Error(), "yaml: ")}
	if rest, ok := strings.CutPrefix(f.Problem, "line "); ok {
		n, text, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(n); err == nil {
			f.Line, f.Column, f.Problem = line, 1, text
		}
	}
	f.Problem = "is not YAML: " + f.Problem
	return f
}

func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// mapping returns the values of n by key; keys it does not know are faults.
func (p *parser) mapping(n *yaml.Node, known ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		p.fault(n, "must hold keys and values: %s", strings.Join(known, ", "))
		return nil
	}
	all := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case !slices.Contains(known, key.Value):
			p.fault(key, "unknown key %s%s", key.Value, suggestKey(key.Value, known))
		case all[key.Value] != nil:
			p.fault(key, "%s is given twice", key.Value)
		default:
			all[key.Value] = follow(n.Content[i+1])
		}
	}
	return all
}

func suggestKey(key string, known []string) string {
	others := map[string]string{
		"if": "when", "condition": "when", "exclude": "drop", "include": "keep", "redact": "mask", "hide": "mask", "replace": "with",
		"header": "headers", "cookie": "cookies", "parameters": "query", "params": "query", "jsonpath": "json", "xpath": "xml", "percent": "sample",
	}
	if o := others[strings.ToLower(key)]; slices.Contains(known, o) {
		return "; did you mean " + o + "?"
	}
	if s := didYouMean(strings.ToLower(key), known); s != "" {
		return s
	}
	return "; known here: " + strings.Join(known, ", ")
}

func (p *parser) readDefaults(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		if e := p.mapping(n, "except")["except"]; e != nil {
			for _, item := range p.list(e) {
				p.except = append(p.except, item.Value)
			}
		}
		return
	}
	v, err := strconv.ParseBool(n.Value)
	if err != nil {
		p.fault(n, "defaults must be true, false or except: [names of headers and parameters]")
	}
	p.defaults = v
}

// list returns the plain values of n, which may be a single one.
func (p *parser) list(n *yaml.Node) (all []*yaml.Node) {
	switch n.Kind {
	case yaml.ScalarNode:
		all = []*yaml.Node{n}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			all = append(all, follow(item))
		}
	default:
		p.fault(n, "must be a list")
	}
	return slices.DeleteFunc(all, func(item *yaml.Node) bool {
		bad := item.Kind != yaml.ScalarNode || item.Value == ""
		if bad {
			p.fault(item, "must be a plain value")
		}
		return bad
	})
}

func (p *parser) rules(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.SequenceNode {
		p.fault(n, "must be a list of rules, each with a dash before it")
		return
	}
	for _, item := range n.Content {
		p.rule(follow(item))
	}
}

// verbs are what a rule can do.
func verbs() []string { return []string{"mask", "detect", "keep", "drop", "sample"} }

func (p *parser) rule(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.fault(n, "a rule must have one of the keys %s", strings.Join(verbs(), ", "))
		return
	}
	fields := p.mapping(n, append(verbs(), "name", "when", "with", "text", "in")...)
	verb := ""
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; slices.Contains(verbs(), k.Value) {
			if verb != "" && verb != k.Value {
				p.fault(k, "a rule does one thing, and this one does %s already; begin another with a dash", verb)
				return
			}
			verb = k.Value
		}
	}
	if verb == "" {
		p.fault(n, "a rule must have one of the keys %s", strings.Join(verbs(), ", "))
		return
	}
	e := &entry{place: fmt.Sprintf("%s:%d", p.file, n.Line), what: verb}
	if f := fields["name"]; f != nil {
		e.name = f.Value
	}
	p.set.entries = append(p.set.entries, e)
	st := step{rule: e}
	masking := verb == "mask" || verb == "detect"
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if !masking && (k.Value == "with" || k.Value == "text") || verb != "detect" && k.Value == "in" || (verb == "keep" || verb == "drop") && k.Value == "when" {
			p.fault(k, "%s does not belong to %s", k.Value, verb)
		}
	}
	if f := fields["when"]; f != nil {
		st.when = p.condition(f)
	}
	v := fields[verb]
	switch verb {
	case "keep", "drop":
		st.kind = keepRule
		if verb == "drop" {
			st.kind = dropRule
		}
		st.when = p.condition(v)
	case "sample":
		st.kind = sampleRule
		st.share = p.portion(v)
	default:
		p.masking(st, v, fields)
		return
	}
	p.open = nil
	p.set.steps = append(p.set.steps, st)
}

// portion reads 10% or 0.1.
func (p *parser) portion(n *yaml.Node) uint64 {
	text, percent := strings.CutSuffix(strings.TrimSpace(n.Value), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if percent {
		f /= 100
	}
	if n.Kind != yaml.ScalarNode || err != nil || !(f >= 0 && f <= 1) {
		p.fault(n, "must be a share such as 10%% or 0.1")
		return 0
	}
	return uint64(f * (1 << 63))
}

// condition compiles the expression in n.
func (p *parser) condition(n *yaml.Node) *condition {
	if n.Kind != yaml.ScalarNode || strings.TrimSpace(n.Value) == "" {
		p.fault(n, "must be an expression such as response.status >= 500")
		return nil
	}
	c, err := compile(n.Value)
	var f *Fault
	if errors.As(err, &f) {
		at := *n
		p.place(&at, n.Style, f)
		p.fault(&at, "%s", f.Problem)
	}
	return c
}

// place moves a node's place to that of a fault in its text.
func (p *parser) place(at *yaml.Node, style yaml.Style, f *Fault) {
	switch {
	case style&yaml.LiteralStyle != 0 && at.Line+f.Line-1 < len(p.lines):
		indent := 0
		for _, line := range p.lines[at.Line:] {
			if t := strings.TrimLeft(line, " "); t != "" {
				indent = len(line) - len(t)
				break
			}
		}
		at.Line, at.Column = at.Line+f.Line, indent+f.Column
	case style&yaml.FoldedStyle != 0 || f.Line > 1:
	case style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		at.Column += f.Column
	default:
		at.Column += f.Column - 1
	}
}

// key returns the pseudonyms of the rules' key.
func (p *parser) key(at *yaml.Node) *pseudonyms {
	if p.keyRead {
		return p.keyed
	}
	p.keyRead = true
	var key []byte
	n := p.keyNode
	if n == nil {
		if p.options.Getenv != nil {
			key = []byte(p.options.Getenv("PASSIFLOW_PSEUDONYM_KEY"))
		}
		if len(key) == 0 {
			p.fault(at, "pseudonyms need a key: set PASSIFLOW_PSEUDONYM_KEY, or name a variable or a file with key: {env: NAME} or key: {file: PATH} above the rules")
			return nil
		}
		n = at
	} else {
		fields := p.mapping(n, "env", "file")
		env, file := fields["env"], fields["file"]
		switch {
		case env != nil && p.options.Getenv != nil:
			if key = []byte(p.options.Getenv(env.Value)); len(key) == 0 {
				p.fault(env, "the variable %s is empty", env.Value)
				return nil
			}
		case file != nil && p.options.ReadFile != nil:
			var err error
			if key, err = p.options.ReadFile(file.Value); err != nil {
				p.fault(file, "read key: %v", err)
				return nil
			}
			key = bytes.TrimSpace(key)
		default:
			p.fault(n, "must be {env: NAME} or {file: PATH}")
			return nil
		}
	}
	if len(key) < shortestKey {
		p.fault(n, "the key for pseudonyms has %d bytes and needs %d; make one with: openssl rand -hex 32", len(key), shortestKey)
		return nil
	}
	p.keyed = newPseudonyms(key)
	return p.keyed
}

// with reads how values are replaced.
func (p *parser) with(e *entry, fields map[string]*yaml.Node) *with {
	w := &with{text: Redacted, rule: e}
	if n := fields["with"]; n != nil {
		switch n.Value {
		case "fixed":
		case "type":
			w.style = typed
		case "pseudonym":
			w.style = pseudonym
			if w.keyed = p.key(n); w.keyed == nil {
				w.style = fixed
			}
		default:
			p.fault(n, "must be fixed, type or pseudonym%s", didYouMean(n.Value, []string{"fixed", "type", "pseudonym"}))
		}
	}
	if n := fields["text"]; n != nil {
		w.text = n.Value
		if w.style != fixed {
			p.fault(n, "a text stands in place of values with: fixed only")
		}
		if n.Value == "" || !regexp.MustCompile(`^[A-Za-z0-9 .,:;!*_()\[\]{}|~^@$-]+$`).MatchString(n.Value) {
			p.fault(n, "may consist of letters, digits, spaces and .,:;!*_()[]{}|~^@$- only, so that it fits everywhere")
		}
	}
	return w
}

package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/internal/config"
)

// describe writes what was read of the sinks.
func describe(c *config.Config) (all []string) {
	for _, s := range c.Sinks {
		line := s.Name + " " + s.Kind
		for _, k := range s.Settings() {
			if k.Path != "name" && k.Value.String() != "" {
				line += " " + k.Path + "=" + k.Value.String()
			}
		}
		all = append(all, line)
	}
	return all
}

func TestSinks(t *testing.T) {
	file := "sinks:\n  - kind: stdout\n  - {kind: file, path: a.ndjson, unit: message, queue: {bytes: 1MiB, full: wait}}\n  - {kind: file, path: b}\n  - {kind: file, path: b, name: mine}\n"
	c, l, err := load(t, file)
	if err != nil {
		t.Fatal(err)
	}
	rest := func(s string) string { return strings.Join(strings.Fields(s)[:4], " ") }
	var got []string
	for _, s := range describe(&c) {
		got = append(got, rest(s))
	}
	want := []string{"stdout stdout format=json unit=auto", "file file path=a.ndjson replace=false", "file-2 file path=b replace=false", "mine file path=b replace=false"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if s := c.Sinks[1]; s.Unit != "message" || s.Queue.Bytes != 1<<20 || s.Queue.Full != "wait" || s.Queue.Linger != 100*time.Millisecond {
		t.Errorf("%+v", s)
	}
	// What is in effect can be read again.
	var b bytes.Buffer
	if err := l.WriteEffective(&b); err != nil {
		t.Fatal(err)
	}
	again, _, err := load(t, b.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if d := cmp.Diff(describe(&c), describe(&again)); d != "" {
		t.Error(d)
	}
	// Flags stand in place of the file, and so does the environment.
	c = config.DefaultConfig()
	l = config.NewLoader(&c)
	l.File("x.yaml", []byte(file))
	l.Env([]string{"PASSIFLOW_SINK=file=x,y,file=z"})
	if d := cmp.Diff([]string{"x,y", "z"}, paths(&c)); d != "" {
		t.Error(d)
	}
	l.Flag("sinks", "--sink", "file=c", "stdout")
	if err := l.Done(); err != nil || len(c.Sinks) != 2 || paths(&c)[0] != "c" {
		t.Error(err, describe(&c))
	}
}

func paths(c *config.Config) (all []string) {
	for _, s := range c.Sinks {
		all = append(all, s.Settings()[0].Value.String())
	}
	return all
}

func TestSinkFaults(t *testing.T) {
	for file, want := range map[string]string{
		"sinks: 3":                         "x.yaml:1: sinks: must be a list",
		"sinks: [a]":                       "x.yaml:1: sinks[0]: must hold keys",
		"sinks: [{}]":                      "x.yaml:1: sinks[0]: has no kind: one of stdout, file",
		"sinks: [{kind: fil}]":             `"fil" is not a kind of sink: `,
		"sinks: [{kind: file}]":            "x.yaml:1: sinks[0].path: is not given",
		"sinks:\n - {kind: file, pth: a}":  "x.yaml:2: sinks[0].pth: unknown key; did you mean path?",
		"sinks: [{kind: file, path: [a]}]": "sinks[0].path: must be one plain value",
		"sinks: [{kind: file, path: a, name: b}, {kind: file, path: a, name: b}]": "sinks[1].name: two sinks have the same name",
		"sinks: [{kind: file, path: a, queue: {ful: drop}}]":                      "sinks[0].queue.ful: unknown key; did you mean full?",
		"sinks: [{kind: file, path: a, queue: 7}]":                                "sinks[0].queue: must hold keys",
		"sinks: [{kind: file, path: a, path: b}]":                                 "sinks[0].path: is given twice",
		"sinks: [{kind: file, path: a, name: ../b}]":                              "is not made of letters",
		"sinks: [{kind: file, path: a, retry: {min: 5s, max: 1s}}]":               "file: retry max 1s: must be between",
		"sinks: [{kind: stdout}, {kind: stdout}]":                                 "standard output can carry one kind",
		"sinks: [{kind: stdout}]\noutput: {format: json}":                         "standard output can carry one kind",
	} {
		if _, _, err := load(t, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
	c := config.DefaultConfig()
	l := config.NewLoader(&c)
	l.Flag("sinks", "--sink", "file", "nothing=x")
	if err := l.Done(); err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), `--sink: "file" is not KIND=ADDRESS`) {
		t.Error(err)
	}
}

// Every option of every kind has a value, a name that files use and a usage.
func TestOptions(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, k := range builtin.Sinks() {
		c := config.DefaultConfig()
		l := config.NewLoader(&c)
		l.Flag("sinks", "--sink", k.Name+"=x")
		if len(c.Sinks) == 0 { // not every kind takes x as an address
			continue
		}
		seen := map[string]bool{}
		for _, s := range c.Sinks[0].Settings() {
			head, tail, _ := strings.Cut(s.Path, ".")
			if s.Value.Type() == "UNKNOWN" || s.Usage == "" || strings.HasSuffix(s.Usage, ".") || seen[s.Path] || !name.MatchString(head) || tail != "" && !name.MatchString(tail) {
				t.Errorf("%s: %+v", k.Name, s)
			}
			seen[s.Path] = true
		}
	}
}

// What the component's page shows can be used.
func TestSnippetsLoad(t *testing.T) {
	snippet := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	for _, k := range builtin.Sinks() {
		page, err := os.ReadFile(filepath.Join("..", "..", "sink", k.Name, "README.md"))
		if err != nil {
			t.Error(err)
			continue
		}
		all := snippet.FindAllSubmatch(page, -1)
		if len(all) == 0 {
			t.Errorf("sink %s: its page shows no configuration", k.Name)
		}
		for _, s := range all {
			if _, _, err := load(t, string(s[1])+"\nmask: {raw_unmasked: true}\n"); err != nil {
				t.Errorf("sink %s: %v\n%s", k.Name, err, s[1])
			}
		}
	}
}

func TestUnitIn(t *testing.T) {
	for _, c := range []struct{ kind, set, run, want string }{
		{"file", "", "exchange", "exchange"},
		{"file", "", "flow", "flow"},
		{"file", "message", "flow", "message"},
		{"otlp", "", "message", "message"},
		{"otlp", "", "flow", "exchange"},
		{"har", "", "message", "exchange"},
		{"har", "flow", "exchange", "flow"}, // which opening it refuses, and says why
	} {
		k, _ := builtin.Sink(c.kind)
		s := config.Sink{Kind: c.kind, Unit: config.Auto, Setup: k.New()}
		if c.set != "" {
			s.Unit = c.set
		}
		if got := s.UnitIn(c.run); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

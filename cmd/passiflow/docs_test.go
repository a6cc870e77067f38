package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/rule"
)

// documents are the texts for users, by path from the root of the project.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range []string{"README.md", "docs", "sink"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".md" {
				return err
			}
			text, err := os.ReadFile(path)
			all[filepath.ToSlash(strings.TrimPrefix(path, filepath.Join("../..")+string(filepath.Separator)))] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d documents", len(all))
	}
	return all
}

// shellWords parts a line as a shell does, up to what ends a command. Variables
// stay as they are.
func shellWords(line string) (words []string) {
	var word strings.Builder
	in, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == '#' && !in, r == '|', r == '>', r == '<', r == ';':
			if in {
				words = append(words, word.String())
			}
			return words
		case r == ' ':
			if in {
				words = append(words, word.String())
			}
			word.Reset()
			in = false
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words
}

// Each command that the documents show is one that the program takes.
func TestCommandsInDocuments(t *testing.T) {
	command := regexp.MustCompile("(?m)(?:^|[ `(|])passiflow ((?:capture|deliver|replay|rules|sinks|check|interfaces|completion|version)\\b[^`\n]*)")
	n := 0
	for path, text := range documents(t) {
		text = strings.ReplaceAll(text, "\\\n", " ")
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			words := shellWords(m[1])
			if strings.Contains(m[1], "…") || len(words) < 2 { // it is told about
				continue
			}
			n++
			root := newRoot(&process{stdout: os.Stdout, stderr: os.Stderr})
			c, rest, err := root.Find(words)
			if err == nil {
				c.RunE = func(*cobra.Command, []string) error { return nil }
				if c.Name() == "capture" {
					c.RunE = nil
					err = loads(c, rest)
				} else {
					root.SetArgs(words)
					err = root.ExecuteContext(t.Context())
				}
			}
			if err != nil {
				t.Errorf("%s: passiflow %s: %v", path, m[1], err)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d commands", n)
	}
}

// loads tells what is wrong with the arguments of capture.
func loads(_ *cobra.Command, args []string) error {
	c := &cobra.Command{Use: "capture"}
	s := addSettings(c)
	c.Flags().BoolP("list-interfaces", "D", false, "")
	c.Flags().BoolP("numeric", "n", false, "")
	if err := c.ParseFlags(args); err != nil {
		return err
	}
	_, err := s.loadAll(&process{}, c.Flags().Args())
	return err
}

// Each flag that the documents name is one of the program's.
func TestFlagsInDocuments(t *testing.T) {
	known := map[string]bool{}
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		c.InitDefaultHelpFlag()
		c.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(&process{stdout: os.Stdout, stderr: os.Stderr}))
	named := regexp.MustCompile("`--([a-z][a-z-]*)")
	for path, text := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			err := (&sniffer{}).flags([]string{"--" + m[1] + "=1"})
			if !known[m[1]] && err != nil && strings.Contains(err.Error(), "not defined") {
				t.Errorf("%s: there is no flag --%s", path, m[1])
			}
		}
	}
}

// Each YAML that the documents show is a configuration or a set of rules.
func TestFilesInDocuments(t *testing.T) {
	block := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")
	rules := regexp.MustCompile(`(?m)\A- |^rules:\n +- `)
	n := 0
	for path, text := range documents(t) {
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			n++
			var err error
			if rules.MatchString(m[1]) {
				_, err = rule.Parse(path, []byte(m[1]), rule.Options{Getenv: func(string) string { return strings.Repeat("k", 32) }})
			} else {
				c := config.DefaultConfig()
				c.Mask.RawUnmasked = true
				l := config.NewLoader(&c)
				l.File(path, []byte(m[1]))
				err = l.Done()
			}
			if err != nil {
				t.Errorf("%v\n%s", err, m[1])
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d files", n)
	}
}

// The program in README.md is one.
func TestLibraryInReadme(t *testing.T) {
	_, text, _ := strings.Cut(documents(t)["README.md"], "```go\n")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		t.Fatal("there is no program")
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.Command("gofmt", "-l", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: not formatted: %s", err, out)
	}
}

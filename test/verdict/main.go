// Command verdict reads the output of go test -json from standard input and
// tells what matters: the output of what failed, every test that was skipped
// with its reason, and go test's own line for each package. With -strict a
// skip is a failure unless the file named by -allow lists it.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"strings"
)

// event is one line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output, ImportPath, FailedBuild string
}

func main() {
	strict := flag.Bool("strict", false, "a skip that is not allowed is a failure")
	allow := flag.String("allow", "", "file of allowed skips: pattern of package/test, spaces, reason")
	flag.Parse()
	var allowed []string
	if *allow != "" {
		text, err := os.ReadFile(*allow)
		if err != nil {
			fmt.Fprintln(os.Stderr, "verdict:", err)
			os.Exit(2)
		}
		if allowed, err = patterns(string(text)); err != nil {
			fmt.Fprintf(os.Stderr, "verdict: %s: %v\n", *allow, err)
			os.Exit(2)
		}
	}
	ok, err := judge(os.Stdin, os.Stdout, *strict, allowed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "verdict:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// patterns reads the file of allowed skips; each needs a reason.
func patterns(text string) ([]string, error) {
	var all []string
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		pattern, reason, _ := strings.Cut(line, " ")
		if strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("line %d: %s is allowed without a reason", i+1, pattern)
		}
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		all = append(all, pattern)
	}
	return all, nil
}

// judge reads events from r, writes the verdict to w and returns whether all is
// well. A run without any package is not.
func judge(r io.Reader, w io.Writer, strict bool, allowed []string) (bool, error) {
	output := map[string]*strings.Builder{} // of tests under way, and of builds, by name
	var packages, skips []string
	ok, ran := true, false
	s := bufio.NewScanner(r)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var e event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			fmt.Fprintln(w, s.Text()) // go itself speaking, before any test
			continue
		}
		name := e.Package + "/" + e.Test
		if e.Test == "" {
			name = e.Package + e.ImportPath
		}
		switch e.Action {
		case "output", "build-output":
			if e.Test == "" && isResult(e.Output) {
				packages = append(packages, e.Output)
				continue
			}
			if output[name] == nil {
				output[name] = &strings.Builder{}
			}
			output[name].WriteString(e.Output)
		case "build-fail":
			ok = false
			fmt.Fprint(w, text(output, name))
		case "fail":
			ok = false
			fmt.Fprint(w, text(output, name))
			delete(output, name)
		case "skip":
			if e.Test != "" {
				word := "skipped"
				if !match(allowed, strings.TrimPrefix(name, "github.com/passiflow/passiflow/")) {
					word = "SKIPPED"
					ok = ok && !strict
				}
				skips = append(skips, fmt.Sprintf("%s %s: %s\n", word, name, because(text(output, name))))
			}
			delete(output, name)
		case "pass":
			ran = true
			delete(output, name)
		}
	}
	sort.Strings(skips)
	for _, line := range append(skips, packages...) {
		fmt.Fprint(w, line)
	}
	return ok && ran, s.Err()
}

func text(output map[string]*strings.Builder, name string) string {
	if output[name] == nil {
		return ""
	}
	return output[name].String()
}

// isResult tells go test's line for a package from what the package printed.
func isResult(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t") || strings.HasPrefix(line, "?   \t")
}

func match(allowed []string, name string) bool {
	for _, p := range allowed {
		if ok, _ := path.Match(p, name); ok { // the pattern was checked before
			return true
		}
	}
	return false
}

// because finds the reason in a skipped test's output: "x_test.go:7: reason".
func because(out string) string {
	for line := range strings.SplitSeq(out, "\n") {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return line
		}
	}
	return "no reason given"
}

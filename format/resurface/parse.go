package resurface

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxRules bounds the text of rules, in bytes.
const maxRules = 1 << 20

// fault is what is wrong with a text of rules, and where.
type fault struct {
	name         string
	line, column int // from 1; column in characters
	problem      string
}

func (f *fault) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", f.name, f.line, f.column, f.problem)
}

// parse reads a text in the rules language, called name.
func parse(name, text string) (*ruleSet, error) {
	if path, ok := strings.CutPrefix(strings.TrimSpace(text), "file://"); ok {
		name = strings.TrimSpace(path)
		data, err := readRules(name)
		if err != nil {
			return nil, fmt.Errorf("failed to load rules: %s: %w", name, err)
		}
		text = data
	}
	text = strings.TrimPrefix(text, "\ufeff") // some editors begin a file with it
	if len(text) > maxRules {
		return nil, fmt.Errorf("%s: is longer than %d bytes", name, maxRules)
	}
	if strings.TrimSpace(text) == "" {
		text = "include default"
	}
	r := &ruleSet{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		lines := []string{line}
		macro, isMacro := included(line)
		if isMacro {
			lines = strings.Split(macro, "\n")
		}
		for _, l := range lines {
			column, err := r.add(l)
			if err == nil {
				continue
			}
			if isMacro {
				column = 0
			}
			return nil, &fault{name, i + 1, utf8.RuneCountInString(l[:column]) + 1, err.Error()}
		}
	}
	return r, nil
}

func readRules(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxRules {
		err = fmt.Errorf("is longer than %d bytes", maxRules)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return string(data), err
}

// included returns the predefined set that line asks for: a line with nothing
// but that on it.
func included(line string) (text string, ok bool) {
	switch strings.TrimSpace(line) {
	case "include debug":
		return debugRules, true
	case "include standard":
		return standardRules, true
	case "include strict", "include default":
		return strictRules, true
	}
	return "", false
}

// blank tells whether nothing but white space and a comment is left of s.
func blank(s string) bool {
	s = strings.TrimLeft(s, space)
	return s == "" || s[0] == '#'
}

const (
	space      = " \t\v\f\r"
	delimiters = "~!%|/"
)

// add reads one line. With an error comes where in the line it is, in bytes.
func (r *ruleSet) add(line string) (column int, err error) {
	rest := strings.TrimLeft(line, space)
	start := len(line) - len(rest)
	if blank(rest) {
		return 0, nil
	}
	if strings.IndexByte(delimiters, rest[0]) >= 0 {
		return r.addScoped(line, start)
	}
	word, tail := rest, ""
	if i := strings.IndexFunc(rest, func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') }); i >= 0 {
		word, tail = rest[:i], rest[i:]
	}
	behind := start + len(word)
	switch {
	case word == "allow_http_url" && blank(tail):
		r.allowHTTP = true
	case word == "skip_compression" && blank(tail):
		r.skipCompression = true
	case word == "skip_submission" && blank(tail):
		r.skipSubmission = true
	case word == "sample":
		column, err = r.addSample(line, behind)
	case word == "copy_session_field":
		column, err = r.addCopy(line, behind)
	default:
		return start, invalid(line)
	}
	if err == nil {
		r.count++
	}
	return column, err
}

func invalid(line string) error { return errors.New("invalid rule: " + line) }

func (r *ruleSet) addSample(line string, at int) (int, error) {
	number := strings.TrimLeft(line[at:], space)
	column := len(line) - len(number)
	n := 0
	for n < len(number) && digit(number[n]) {
		n++
	}
	if column == at || n == 0 || !blank(number[n:]) {
		return column, invalid(line)
	}
	percent, err := strconv.Atoi(number[:n])
	switch {
	case err != nil || percent < 1 || percent > 99:
		return column, errors.New("invalid sample percent: " + number[:n])
	case r.percent != 0:
		return 0, errors.New("multiple sample rules")
	}
	r.percent = percent
	return 0, nil
}

// addCopy reads the pattern behind copy_session_field. Words that follow it are
// not looked at: the programs that rules were written for do not either.
func (r *ruleSet) addCopy(line string, at int) (int, error) {
	l := ruleLine(line)
	from, ok := l.skip(at, true)
	if !ok {
		return from, invalid(line)
	}
	ends := l.closings(from, 1, false)
	if len(ends) == 0 {
		return from, invalid(line)
	}
	rest, _, _ := strings.Cut(line[ends[0]+1:], "#")
	if strings.IndexByte(rest, line[from]) >= 0 {
		return ends[0], torn(line, ends[0])
	}
	p, err := l.pattern(from, ends[0], true)
	if err != nil {
		return from, err
	}
	r.copies = append(r.copies, newScope(p, l.text(from, ends[0])))
	return 0, nil
}

func torn(line string, at int) error {
	return fmt.Errorf("unescaped separator (%c) in rule: %s", line[at], line)
}

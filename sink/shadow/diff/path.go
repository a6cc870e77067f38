package diff

import (
	"errors"
	"strconv"
	"strings"
)

// index begins the element of a path that is a place in an array, which no name
// in an object is taken for by accident.
const index = "\x00"

// A pattern matches places in JSON values. Its elements are those of a path,
// one of all (any), or a run of any length (deep).
type pattern []string

const (
	anyOne = "\x00*"
	deep   = "\x00**"
)

// parsePath reads $.a.b, a.b, $.list[0].x, $.list[*].x, $['a b'] and $..x.
func parsePath(s string) (pattern, error) {
	var p pattern
	rest := strings.TrimPrefix(strings.TrimSpace(s), "$")
	if rest == "" {
		return nil, errors.New("names everything")
	}
	first := true
	for rest != "" {
		switch {
		case strings.HasPrefix(rest, ".."):
			p = append(p, deep)
			if rest = rest[2:]; rest == "" {
				return nil, errors.New("ends in ..")
			}
			if rest[0] == '[' {
				continue
			}
		case rest[0] == '.':
			if rest = rest[1:]; rest == "" {
				return nil, errors.New("ends in a dot")
			}
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return nil, errors.New("[ without ]")
			}
			in := rest[1:end]
			if q := strings.Trim(in, `"'`); q != in {
				p = append(p, q)
			} else if in == "*" {
				p = append(p, anyOne)
			} else if _, err := strconv.ParseUint(in, 10, 31); err == nil {
				p = append(p, index+in)
			} else {
				return nil, errors.New("[] holds neither a number, * nor a quoted name")
			}
			rest, first = rest[end+1:], false
			continue
		case !first:
			return nil, errors.New("a dot is missing")
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		name := rest[:end]
		switch name {
		case "":
			return nil, errors.New("a name is missing")
		case "*":
			name = anyOne
		}
		p = append(p, name)
		rest, first = rest[end:], false
	}
	return p, nil
}

// match tells whether p names the place at path.
func (p pattern) match(path []string) bool {
	i, at := 0, 0
	run, from := -1, 0 // the last run, and where what follows it is tried
	for at < len(path) {
		switch {
		case i < len(p) && p[i] == deep:
			run, from = i, at
			i++
		case i < len(p) && (p[i] == anyOne || p[i] == path[at]):
			i++
			at++
		case run >= 0: // the run is longer
			from++
			i, at = run+1, from
		default:
			return false
		}
	}
	for i < len(p) && p[i] == deep {
		i++
	}
	return i == len(p)
}

// spell writes a path as parsePath reads it.
func spell(path []string) string {
	var b strings.Builder
	b.WriteByte('$')
	for _, e := range path {
		switch {
		case strings.HasPrefix(e, index):
			b.WriteString("[" + e[1:] + "]")
		case e == "" || strings.ContainsAny(e, ".[]'\" *$\x00"):
			b.WriteString("['" + e + "']")
		default:
			b.WriteString("." + e)
		}
	}
	return b.String()
}

// family is a name in a body with the numbers of arrays and lines left out, so
// that what differs in many places counts as one.
func family(name string) string {
	if strings.HasPrefix(name, "line ") || strings.HasPrefix(name, "byte ") {
		return "text"
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '[' {
			end := i + 1
			for end < len(name) && name[end]-'0' <= 9 {
				end++
			}
			if end > i+1 && end < len(name) && name[end] == ']' {
				b.WriteString("[*]")
				i = end
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

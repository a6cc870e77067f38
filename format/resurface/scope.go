package resurface

import "strings"

// scope tells which keys a rule is about. Nearly all scopes are names and the
// beginnings of names, which are compared without a regular expression: whoever
// sends traffic makes up as many keys as there is room for in a request.
type scope struct {
	pattern *pattern
	forms   []form // any of them; nil: only the pattern knows
}

// form is a key, or the beginning of keys.
type form struct {
	text  string
	open  bool     // more may follow, but no line feed
	but   []string // what follows begins with none of these
	ended bool     // while it is read: nothing may be appended any more
}

func newScope(p *pattern, text string) *scope {
	forms, rest, ok := alternatives(text, 0)
	if !ok || rest != "" {
		forms = nil
	}
	return &scope{p, forms}
}

func (s *scope) match(w *work, key string) (bool, error) {
	if s.forms == nil {
		return w.match(s.pattern, key)
	}
	for i := range s.forms {
		if s.forms[i].match(key) {
			return true, nil
		}
	}
	return false, nil
}

func (f *form) match(key string) bool {
	if !f.open {
		return key == f.text
	}
	rest, ok := strings.CutPrefix(key, f.text)
	if !ok {
		return false
	}
	for _, not := range f.but {
		if strings.HasPrefix(rest, not) {
			return false
		}
	}
	return strings.IndexByte(rest, '\n') < 0
}

// maxForms bounds what groups multiply to.
const maxForms = 64

// alternatives reads forms up to the end of the text or of the group, at most a
// few groups deep.
func alternatives(text string, depth int) (all []form, rest string, ok bool) {
	if depth > 4 {
		return nil, "", false
	}
	some := []form{{}}
	for {
		switch {
		case text == "" || text[0] == ')' && depth > 0:
			return append(all, some...), text, len(all)+len(some) <= maxForms
		case text[0] == '|':
			all, some, text = append(all, some...), []form{{}}, text[1:]
		default:
			if some, text, ok = sequence(some, text, depth); !ok {
				return nil, "", false
			}
		}
	}
}

// sequence reads the next piece of a text and appends it to some.
func sequence(some []form, text string, depth int) (more []form, rest string, ok bool) {
	for i := range some {
		if some[i].ended {
			return nil, "", false
		}
	}
	switch {
	case text == ".*" || strings.HasPrefix(text, ".*|") || depth > 0 && strings.HasPrefix(text, ".*)"):
		for i := range some {
			some[i].open, some[i].ended = true, true
		}
		return some, text[2:], true
	case strings.HasPrefix(text, "(?!"):
		but, rest, ok := alternatives(text[3:], depth+1)
		if !ok || !strings.HasPrefix(rest, ").*") {
			return nil, "", false
		}
		for i := range some {
			for _, b := range but {
				if b.open {
					return nil, "", false
				}
				some[i].but = append(some[i].but[:len(some[i].but):len(some[i].but)], b.text)
			}
		}
		return some, rest[1:], true
	case text[0] == '(':
		inner, rest, ok := alternatives(strings.TrimPrefix(text[1:], "?:"), depth+1)
		if !ok || rest == "" || len(rest) > 1 && strings.IndexByte("*+?{", rest[1]) >= 0 || len(inner)*len(some) > maxForms {
			return nil, "", false
		}
		for _, a := range some {
			for _, b := range inner {
				b.text = a.text + b.text
				if a.but != nil {
					return nil, "", false
				}
				more = append(more, b)
			}
		}
		return more, rest[1:], true
	}
	c := text[0]
	if c == '\\' && len(text) > 1 && strings.IndexByte(".-_:/~!%|", text[1]) >= 0 {
		c, text = text[1], text[1:]
	} else if c != '_' && c != '-' && c != ':' && c != '/' && c != '~' && c != '!' && c != '%' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !digit(c) {
		return nil, "", false
	}
	if len(text) > 1 && strings.IndexByte("*+?{", text[1]) >= 0 {
		return nil, "", false
	}
	for i := range some {
		if some[i].but != nil {
			return nil, "", false
		}
		some[i].text += string(c)
	}
	return some, text[1:], true
}

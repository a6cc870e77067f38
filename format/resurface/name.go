package resurface

import (
	"strings"
	"time"

	"github.com/passiflow/passiflow/format"
)

// group is a kind of key.
type group uint8

// The first are whole keys; those from requestHeader on are followed by a name.
const (
	requestMethod group = iota
	requestURL
	responseCode
	requestBody
	responseBody
	now
	interval
	requestHeader
	requestParam
	responseHeader
	sessionField
	groups
)

func (g group) String() string {
	return [...]string{"request_method", "request_url", "response_code", "request_body", "response_body", "now", "interval",
		"request_header:", "request_param:", "response_header:", "session_field:"}[g]
}

// name is a key and what is known about it, so that rules look at each key once
// and not at each message.
type name struct {
	key    string
	open   []byte   // `["request_header:cookie",`; nil: not needed yet
	scopes []uint64 // a bit for each scope that matches
	copied bool     // of a cookie: a rule asks for it
	slow   bool     // a rule took too long to say
}

func (n *name) in(scope int) bool { return n.scopes[scope>>6]&(1<<(scope&63)) != 0 }

// work is what one record needs while it is made, and what one goroutine has
// learnt about keys.
type work struct {
	rules *ruleSet
	pairs []pair
	whole [requestHeader]*name
	named [groups]map[string]*name // by the name as it was sent
	line  []byte
	spent time.Duration // on patterns that backtrack, for this record
}

// match and replace are those of p, as long as the record has time left.
func (w *work) match(p *pattern, s string) (ok bool, err error) {
	if p.back == nil {
		return p.match(s)
	}
	err = w.within(func() error { ok, err = p.match(s); return err })
	return ok, err
}

func (w *work) replace(p *pattern, s string, to *template) (out string, err error) {
	if p.back == nil {
		return p.replace(s, to)
	}
	err = w.within(func() error { out, err = p.replace(s, to); return err })
	return out, err
}

func (w *work) within(f func() error) error {
	if w.spent >= mostPatience {
		return errTime
	}
	from := time.Now()
	err := f()
	w.spent += time.Since(from)
	return err
}

// Names are chosen by whoever sends traffic: a map of named holds at most so
// many, and none that is longer, in bytes.
const (
	maxNames = 2048
	maxName  = 128
)

func newWork(rules *ruleSet) *work {
	w := &work{rules: rules}
	for g := range requestHeader {
		w.whole[g] = w.learn(g, "")
	}
	for g := requestHeader; g < groups; g++ {
		w.named[g] = map[string]*name{}
	}
	return w
}

func (w *work) fixed(g group) *name { return w.whole[g] }

func (w *work) name(g group, s string) *name {
	all := w.named[g]
	n := all[s]
	if n == nil {
		n = w.learn(g, lower(s))
		if len(s) > maxName || n.slow && w.spent >= mostPatience { // it may be another name that took so long
			return n
		}
		if len(all) >= maxNames {
			clear(all)
		}
		all[strings.Clone(s)] = n // s is a part of the message's memory
	}
	return n
}

// opening returns what a pair with this key begins with.
func (n *name) opening() []byte {
	if n.open == nil {
		n.open = append(format.AppendQuoted([]byte{'['}, n.key), ',')
	}
	return n.open
}

// learn asks the rules about a key.
func (w *work) learn(g group, s string) *name {
	r := w.rules
	n := &name{key: g.String() + s, scopes: make([]uint64, (len(r.scopes)+63)/64)}
	for i, scope := range r.scopes {
		ok, err := scope.match(w, n.key)
		if err != nil {
			n.slow = true
		} else if ok {
			n.scopes[i>>6] |= 1 << (i & 63)
		}
	}
	if g == sessionField {
		for _, c := range r.copies {
			ok, err := c.match(w, s)
			if err != nil {
				n.slow = true
			}
			n.copied = n.copied || ok
		}
	}
	return n
}

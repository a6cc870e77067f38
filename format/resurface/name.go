package resurface

import (
	"strings"

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
	open   []byte   // `["request_header:cookie",`
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
}

// maxNames bounds each map of named: names are chosen by whoever sends traffic.
const maxNames = 2048

func newWork(rules *ruleSet) *work {
	w := &work{rules: rules}
	for g := range requestHeader {
		w.whole[g] = rules.learn(g, "")
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
		if len(all) >= maxNames {
			clear(all)
		}
		n = w.rules.learn(g, lower(s))
		all[strings.Clone(s)] = n // s is a part of the message's memory
	}
	return n
}

// learn asks the rules about a key.
func (r *ruleSet) learn(g group, s string) *name {
	key := g.String() + s
	n := &name{scopes: make([]uint64, (len(r.scopes)+63)/64)}
	n.open = append(format.AppendQuoted([]byte{'['}, key), ',')
	for i, scope := range r.scopes {
		ok, err := scope.match(key)
		if err != nil {
			n.slow = true
		} else if ok {
			n.scopes[i>>6] |= 1 << (i & 63)
		}
	}
	if g == sessionField {
		for _, c := range r.copies {
			ok, err := c.match(s)
			if err != nil {
				n.slow = true
			}
			n.copied = n.copied || ok
		}
	}
	return n
}

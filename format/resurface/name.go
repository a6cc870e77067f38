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
		n = w.rules.learn(g, lower(s))
		if len(s) > maxName {
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
func (r *ruleSet) learn(g group, s string) *name {
	n := &name{key: g.String() + s, scopes: make([]uint64, (len(r.scopes)+63)/64)}
	for i, scope := range r.scopes {
		ok, err := scope.match(n.key)
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

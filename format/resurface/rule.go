package resurface

// verb is what a rule does with a pair or with the message.
type verb uint8

// The verbs of rules that begin with a scope, in the order in which they are
// applied.
const (
	stop verb = iota
	stopIfFound
	stopIf
	stopUnlessFound
	stopUnless
	remove
	removeUnlessFound
	removeIfFound
	removeUnless
	removeIf
	replace
	verbs
)

func (v verb) String() string {
	return [...]string{"stop", "stop_if_found", "stop_if", "stop_unless_found", "stop_unless",
		"remove", "remove_unless_found", "remove_if_found", "remove_unless", "remove_if", "replace"}[v]
}

// found tells whether the value is searched instead of compared as a whole.
func (v verb) found() bool {
	switch v {
	case stopIfFound, stopUnlessFound, removeIfFound, removeUnlessFound, replace:
		return true
	}
	return false
}

// unless tells whether the verb acts where the value does not match.
func (v verb) unless() bool {
	return v == removeUnless || v == removeUnlessFound
}

// scoped is a rule that begins with a scope.
type scoped struct {
	scope int // index of the key's pattern
	value *pattern
	text  template
}

// ruleSet is a text in the rules language.
type ruleSet struct {
	scopes  []*scope
	copies  []*scope
	byVerb  [verbs][]scoped
	percent int // of records to keep; 0: all
	count   int

	allowHTTP, skipCompression, skipSubmission bool
}

// apply lets the rules loose on the pairs of w. The order of the verbs is that
// of the language, whatever the order in the text.
func (r *ruleSet) apply(w *work, number uint64) reason {
	for i := range w.pairs {
		if w.pairs[i].name.slow {
			return tooLong
		}
	}
	for v := stop; v <= stopIf; v++ {
		n, err := r.matches(v, w, 1)
		if err != nil {
			return tooLong
		}
		if n > 0 {
			return stopped
		}
	}
	for v := stopUnlessFound; v <= stopUnless; v++ {
		// As many matches as rules, of whichever rule: so the language has it.
		n, err := r.matches(v, w, -1)
		if err != nil {
			return tooLong
		}
		if n != len(r.byVerb[v]) {
			return stopped
		}
	}
	if r.percent > 0 && number%100 >= uint64(r.percent) {
		return sampledOut
	}
	for v := remove; v <= removeIf; v++ {
		if err := r.winnow(v, w); err != nil {
			return tooLong
		}
	}
	for i := range r.byVerb[replace] {
		rule := &r.byVerb[replace][i]
		for j := range w.pairs {
			p := &w.pairs[j]
			if !p.name.in(rule.scope) {
				continue
			}
			value, err := w.replace(rule.value, p.value, &rule.text)
			if err != nil {
				return tooLong
			}
			p.value = value
		}
	}
	w.drop(func(p *pair) bool { return p.value == "" })
	if len(w.pairs) == 0 {
		return emptied
	}
	return sent
}

// matches counts the pairs that rules with this verb match, up to limit where
// that is not negative.
func (r *ruleSet) matches(v verb, w *work, limit int) (n int, err error) {
	for i := range r.byVerb[v] {
		rule := &r.byVerb[v][i]
		for j := range w.pairs {
			p := &w.pairs[j]
			if !p.name.in(rule.scope) {
				continue
			}
			ok := true
			if rule.value != nil {
				if ok, err = w.match(rule.value, p.value); err != nil {
					return n, err
				}
			}
			if ok {
				if n++; n == limit {
					return n, nil
				}
			}
		}
	}
	return n, nil
}

// winnow drops the pairs that rules with this verb remove.
func (r *ruleSet) winnow(v verb, w *work) (failed error) {
	for i := range r.byVerb[v] {
		rule := &r.byVerb[v][i]
		w.drop(func(p *pair) bool {
			if !p.name.in(rule.scope) {
				return false
			}
			if rule.value == nil {
				return true
			}
			if failed != nil {
				return false
			}
			ok, err := w.match(rule.value, p.value)
			failed = err
			return ok != v.unless()
		})
	}
	return failed
}

// drop drops the pairs for which which says so.
func (w *work) drop(which func(*pair) bool) {
	n := 0
	for i := range w.pairs {
		if !which(&w.pairs[i]) {
			w.pairs[n] = w.pairs[i]
			n++
		}
	}
	clear(w.pairs[n:])
	w.pairs = w.pairs[:n]
}

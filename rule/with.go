package rule

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// Redacted stands in place of a value that was masked.
const Redacted = "[REDACTED]"

// style is how a value is replaced.
type style uint8

const (
	fixed     style = iota // by a text
	typed                  // by its type and length: [string:12]
	pseudonym              // by a keyed token: the same value gives the same one
)

// with says what stands in place of a masked value, and which rule wants it.
// It is used by many goroutines.
type with struct {
	style style
	text  string // for fixed
	keyed *pseudonyms
	rule  *entry
}

// entry is one rule of a set.
type entry struct {
	place string // where it stands: FILE:LINE
	name  string
	what  string // mask, drop, …
	fired atomic.Uint64
	fails atomic.Uint64
}

// value returns what stands in place of v, which is what was meant: decoded.
func (w *with) value(kind, v string) string {
	switch w.style {
	case typed:
		switch kind {
		case kindBoolean, kindObject, kindArray:
			return "[" + kind + "]"
		}
		return "[" + kind + ":" + strconv.Itoa(utf8.RuneCountInString(v)) + "]"
	case pseudonym:
		return w.keyed.token(v)
	}
	return w.text
}

// The kinds of value beside those that detectors find.
const (
	kindString  = "string"
	kindNumber  = "number"
	kindBoolean = "boolean"
	kindObject  = "object"
	kindArray   = "array"
	kindXML     = "xml"
	kindBody    = "body"
)

// done tells whether v already stands in place of something: masks may meet the
// same value twice, and the first one that did is right.
func (w *with) done(v string) bool {
	return len(v) > 2 && v[0] == '[' && replaced(v) || w.style == fixed && v == w.text
}

func replaced(v string) bool {
	if v == Redacted {
		return true
	}
	kind, rest, ok := strings.Cut(v[1:len(v)-1], ":")
	if v[len(v)-1] != ']' || kind == "" {
		return false
	}
	if !ok {
		return kind == kindBoolean || kind == kindObject || kind == kindArray
	}
	if kind == "pseudonym" {
		return len(rest) == tokenLetters && strings.Trim(rest, "abcdefghijklmnop") == ""
	}
	for i := range len(kind) {
		if kind[i] < 'a' || kind[i] > 'z' {
			return false
		}
	}
	return rest != "" && len(rest) < 10 && strings.Trim(rest, "0123456789") == ""
}

// tokenLetters is the length of a pseudonym; each letter is four bits.
const tokenLetters = 24

// pseudonyms makes tokens with one key: HMAC-SHA-256, the first 96 bits of it,
// written in letters so that no detector takes a token for something else.
type pseudonyms struct{ pool sync.Pool }

func newPseudonyms(key []byte) *pseudonyms {
	p := &pseudonyms{}
	p.pool.New = func() any { h := hmac.New(sha256.New, key); return &h }
	return p
}

func (p *pseudonyms) token(v string) string {
	h := p.pool.Get().(*hash.Hash)
	(*h).Reset()
	(*h).Write([]byte(v))
	var sum [sha256.Size]byte
	(*h).Sum(sum[:0])
	p.pool.Put(h)
	b := make([]byte, 0, len("[pseudonym:]")+tokenLetters)
	b = append(b, "[pseudonym:"...)
	for _, c := range sum[:tokenLetters/2] {
		b = append(b, 'a'+c>>4, 'a'+c&15)
	}
	return string(append(b, ']'))
}

// trace takes what was masked, for whoever asks; nil: nobody does.
type trace struct {
	place string // such as request.body
	list  []Firing
}

// Firing is one thing that a rule did to a record.
type Firing struct {
	Rule string // its place and name
	What string // keep, drop, sample, mask, detect
	// Place is where a value was masked: request.headers.x-key. Empty for rules
	// about the whole record.
	Place string
	// Text is what now stands there; never what stood there before.
	Text string
}

// hit counts that w fired at a place below t's and returns the text.
func (w *with) hit(t *trace, under, kind, v string) string {
	text := w.value(kind, v)
	w.note(t, under, text)
	return text
}

func (w *with) note(t *trace, under, text string) {
	if w.rule == nil {
		return
	}
	w.rule.fired.Add(1)
	if t != nil {
		place := t.place
		if under != "" {
			place += "." + under
		}
		t.list = append(t.list, Firing{Rule: w.rule.String(), What: w.rule.what, Place: place, Text: text})
	}
}

// String names the rule: its place in the file, and its name where it has one.
func (e *entry) String() string {
	if e.name == "" {
		return e.place
	}
	return e.place + " (" + e.name + ")"
}

// at says which part of the record comes next.
func (t *trace) at(place string) {
	if t != nil {
		t.place = place
	}
}

// header returns the place of a header field.
func (t *trace) header(name string) string {
	if t == nil {
		return ""
	}
	return "headers." + strings.ToLower(name)
}

// length and cut let what was noted be forgotten.
func (t *trace) length() int {
	if t == nil {
		return 0
	}
	return len(t.list)
}

func (t *trace) cut(n int) {
	if t != nil {
		t.list = t.list[:n]
	}
}

package rule

import (
	"regexp"
	"strings"
)

// names finds out whether a name is one of those that a rule is about. Names
// are compared without regard to ASCII case, and '_' counts as '-': programs
// that read them do so too, and a mask that hides too much is the lesser evil.
type names struct {
	exact    []named
	buckets  [256][]uint16 // of exact
	patterns []pattern
}

type named struct {
	name string // folded
	with *with
}

type pattern struct {
	match func(name string) bool
	with  *with
}

// add takes a name, a name with '*' in it for any characters, or /expression/.
// It returns an error for an expression that cannot be read.
func (n *names) add(text string, w *with) error {
	match, err := compileName(text)
	if err != nil {
		return err
	}
	if match != nil {
		n.patterns = append(n.patterns, pattern{match, w})
		return nil
	}
	name := foldName(text)
	b := bucket(name)
	n.buckets[b] = append(n.buckets[b], uint16(len(n.exact)))
	n.exact = append(n.exact, named{name, w})
	return nil
}

// compileName returns nil for a plain name.
func compileName(text string) (func(string) bool, error) {
	if len(text) > 1 && text[0] == '/' && text[len(text)-1] == '/' {
		re, err := regexp.Compile("(?i)" + text[1:len(text)-1])
		if err != nil {
			return nil, err
		}
		return re.MatchString, nil
	}
	if strings.IndexByte(text, '*') >= 0 {
		parts := strings.Split(foldName(text), "*")
		return func(name string) bool { return glob(parts, foldName(name)) }, nil
	}
	return nil, nil
}

// glob tells whether name consists of parts with anything between them.
func glob(parts []string, name string) bool {
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

func (n *names) empty() bool { return n == nil || len(n.exact) == 0 && len(n.patterns) == 0 }

// find returns what to do with the value of this name, nil for nothing.
func (n *names) find(name string) *with {
	if name == "" {
		return nil
	}
	for _, k := range n.buckets[bucket(name)] {
		if same(name, n.exact[k].name) {
			return n.exact[k].with
		}
	}
	for i := range n.patterns {
		if n.patterns[i].match(name) {
			return n.patterns[i].with
		}
	}
	return nil
}

// any returns what to do with the value of one of the names; nil: there is none.
func (n *names) any() *with {
	switch {
	case len(n.exact) > 0:
		return n.exact[0].with
	case len(n.patterns) > 0:
		return n.patterns[0].with
	}
	return nil
}

// mostNames bounds the names in one: in the head of a part of a body, of which
// there is one, or one for each way to write it, and in user[password].
const mostNames = 16

// parameter is find for the name of a parameter as it was sent: decoded, and
// with the parts of a name such as user[password], and the last part of one such
// as user.password, form:password and page$password.
func (n *names) parameter(name string) *with {
	if w := n.find(name); w != nil {
		return w
	}
	if plainName(name) {
		return nil
	}
	name = strings.TrimFunc(percentDecode(name), func(r rune) bool { return r <= ' ' })
	if w := n.find(name); w != nil {
		return w
	}
	open := strings.IndexByte(name, '[')
	if open < 0 {
		return n.ending(name)
	}
	if w := n.find(name[:open]); w != nil {
		return w
	}
	if w := n.ending(name[:open]); w != nil {
		return w
	}
	for rest, parts := name[open:], 0; ; parts++ {
		i := strings.IndexByte(rest, '[')
		if i < 0 {
			return nil
		}
		if parts == mostNames {
			return n.any() // nobody writes so many, but to keep who reads them
		}
		rest = rest[i+1:]
		part, _, _ := strings.Cut(rest, "]")
		if w := n.find(part); w != nil {
			return w
		}
	}
}

// ending is find for what stands behind the last byte that parts a name.
func (n *names) ending(name string) *with {
	if i := strings.LastIndex(name, `\u0026`); i >= 0 { // an ampersand in JSON
		name = name[i+len(`\u0026`):]
	}
	return n.find(name[strings.LastIndexAny(name, ".:$&?;")+1:])
}

// plainName tells whether name has no parts and nothing that is encoded.
func plainName(name string) bool {
	for i := range len(name) {
		if !tokenByte(name[i]) {
			return false
		}
	}
	return true
}

// fold is the one spelling of a byte of a name.
func fold(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c | 0x20
	case c == '_':
		return '-'
	}
	return c
}

func foldName(name string) string {
	b := []byte(name)
	for i := range b {
		b[i] = fold(b[i])
	}
	return string(b)
}

// bucket tells names apart well enough that a name that is not asked for is
// mostly known by an empty bucket.
func bucket(name string) uint8 {
	n := len(name)
	return uint8(n)*11 ^ fold(name[0])*3 ^ fold(name[n-1])*5 ^ fold(name[n>>1])<<2
}

// same compares a name as sent with a folded one.
func same(sent, ours string) bool {
	if len(sent) != len(ours) {
		return false
	}
	for i := range len(ours) {
		if fold(sent[i]) != ours[i] {
			return false
		}
	}
	return true
}

// percentDecode undoes percent-encoding and '+' for a space; what is no
// encoding stays as it is.
func percentDecode(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s):
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

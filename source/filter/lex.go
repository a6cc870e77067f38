package filter

import (
	"net/netip"
	"strings"
)

// lexer cuts an expression into tokens. Where several kinds of token could
// begin at one place the longest wins, and of equally long ones the order in
// scan: this decides, for instance, that 1.2.3.4.5.6 is a hardware address.
type lexer struct {
	src   string
	pos   int
	words []word
}

func (l *lexer) next() (token, *Error) {
	for l.pos < len(l.src) && strings.IndexByte(" \r\n\t", l.src[l.pos]) >= 0 {
		l.pos++
	}
	start := l.pos
	if start == len(l.src) {
		return token{kind: kEnd, off: start, end: start}, nil
	}
	t, err := l.scan(l.src[start:])
	t.off, t.end = start, start+len(t.text)
	l.pos = t.end
	if err != nil {
		err.Expr, err.Offset, err.Length = l.src, start, max(len(t.text), 1)
		return t, err
	}
	if t.text[0] == '\\' {
		t.text = t.text[1:]
	}
	return t, nil
}

func (l *lexer) scan(s string) (token, *Error) {
	if s[0] == '\\' {
		n := 1 + strings.IndexAny(s[1:], " !()\n\t")
		if n == 0 {
			n = len(s)
		}
		if n == 1 {
			return token{kind: kBad, text: s[:1]}, &Error{Msg: "nothing after the backslash", Want: "a name"}
		}
		return token{kind: kName, text: s[:n]}, nil
	}
	if s[0] == '$' {
		n := 1
		for n < 3 && n < len(s) && isHex(s[n]) {
			n++
		}
		if n > 1 {
			return token{kind: kARCNET, text: s[:n]}, nil
		}
	}
	word, mac, number := wordLen(s), macLen(s), numberLen(s)
	ipv4, ipv6, bogus := ipv4Len(s), ipv6Len(s), bogusMACLen(s)
	switch longest := max(word, mac, number, ipv4, ipv6, bogus); {
	case longest == 0:
		return punctuation(s)
	case mac == longest:
		return token{kind: kMAC, text: s[:mac]}, nil
	case number == longest:
		return parseNumber(s[:number])
	case ipv4 == longest:
		return token{kind: kIPv4, text: s[:ipv4]}, nil
	case ipv6 == longest:
		t := token{kind: kIPv6, text: s[:ipv6]}
		if _, err := netip.ParseAddr(t.text); err != nil {
			return t, &Error{Msg: "\"" + t.text + "\" is no IPv6 address"}
		}
		return t, nil
	case bogus == longest:
		return token{kind: kBad, text: s[:bogus]}, &Error{Msg: "\"" + s[:bogus] + "\" is no hardware address"}
	}
	for _, w := range l.words {
		if w.text == s[:word] {
			return token{kind: w.kind, value: w.value, text: s[:word]}, nil
		}
	}
	return token{kind: kName, text: s[:word]}, nil
}

func punctuation(s string) (token, *Error) {
	if len(s) > 1 {
		t := token{kind: kPunct, text: s[:2]}
		switch s[:2] {
		case "&&":
			t.kind = kAnd
			return t, nil
		case "||":
			t.kind = kOr
			return t, nil
		case ">=":
			t.value = opGE
			return t, nil
		case "<=":
			t.value = opLE
			return t, nil
		case "!=":
			t.value = opNE
			return t, nil
		case "==":
			t.value = '='
			return t, nil
		case "<<":
			t.value = opShiftLeft
			return t, nil
		case ">>":
			t.value = opShiftRight
			return t, nil
		}
	}
	t := token{kind: kPunct, value: uint32(s[0]), text: s[:1]}
	switch {
	case s[0] == '!':
		t.kind = kNot
	case strings.IndexByte("+-*/%:[]<>()&|^=", s[0]) < 0:
		t.kind = kBad
		for len(t.text) < len(s) && s[len(t.text)]&0xc0 == 0x80 {
			t.text = s[:len(t.text)+1] // the rest of a UTF-8 character
		}
		return t, &Error{Msg: "unexpected character " + quote(t.text)}
	}
	return t, nil
}

func isHex(c byte) bool   { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlnum(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

// wordLen is the length of a name: letters, digits, dots, and hyphens and
// underscores inside.
func wordLen(s string) int {
	if !isAlnum(s[0]) {
		return 0
	}
	n := 1
	for n < len(s) && (isAlnum(s[n]) || s[n] == '.' || s[n] == '-' || s[n] == '_') {
		n++
	}
	for n > 1 && (s[n-1] == '-' || s[n-1] == '_') {
		n--
	}
	return n
}

func numberLen(s string) int {
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && isHex(s[2]) {
		n := 3
		for n < len(s) && isHex(s[n]) {
			n++
		}
		return n
	}
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// parseNumber reads a decimal, octal (0…) or hexadecimal (0x…) number.
func parseNumber(s string) (token, *Error) {
	t := token{kind: kNumber, text: s}
	base, digits := uint64(10), s
	if len(s) > 1 && s[1]|0x20 == 'x' {
		base, digits = 16, s[2:]
	} else if s[0] == '0' {
		base, digits = 8, s[1:]
	}
	var n uint64
	for i := range len(digits) {
		d := uint64(hexValue(digits[i]))
		if d >= base {
			return t, &Error{Msg: "\"" + s + "\" begins with 0 and is therefore octal, but holds an 8 or a 9"}
		}
		if n = n*base + d; n > 0xffffffff {
			return t, &Error{Msg: "\"" + s + "\" does not fit in 32 bits"}
		}
	}
	t.value = uint32(n)
	return t, nil
}

func hexValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// ipv4Len is the length of two, three or four numbers with dots between.
func ipv4Len(s string) int {
	n := numberLen(s)
	parts := 1
	for n > 0 && parts < 4 && n+1 < len(s) && s[n] == '.' {
		m := numberLen(s[n+1:])
		if m == 0 {
			break
		}
		n += 1 + m
		parts++
	}
	if parts < 2 {
		return 0
	}
	return n
}

// macLen is the length of six octets with one kind of separator, three groups
// of four digits with dots, or twelve digits.
func macLen(s string) int {
	best := 0
	for _, sep := range []byte(":-.") {
		n, ok := 0, true
		for i := 0; i < 6 && ok; i++ {
			if i > 0 {
				if ok = n < len(s) && s[n] == sep; ok {
					n++
				}
			}
			digits := hexRun(s, n, 2)
			ok = ok && digits > 0
			n += digits
		}
		if ok {
			best = max(best, n)
		}
	}
	if hexRun(s, 0, 4) == 4 && len(s) >= 14 && s[4] == '.' && hexRun(s, 5, 4) == 4 && s[9] == '.' && hexRun(s, 10, 4) == 4 {
		best = max(best, 14)
	}
	if hexRun(s, 0, 12) == 12 {
		best = max(best, 12)
	}
	return best
}

func hexRun(s string, from, most int) int {
	n := 0
	for n < most && from+n < len(s) && isHex(s[from+n]) {
		n++
	}
	return n
}

// bogusMACLen is the length of at least two octets, each with colons after it:
// what looks like a hardware address and is none.
func bogusMACLen(s string) int {
	n, groups, good := 0, 0, 0
	for {
		d := hexRun(s, n, 2)
		c := n + d
		for c < len(s) && s[c] == ':' {
			c++
		}
		if d == 0 || c == n+d {
			break
		}
		n = c
		if groups++; groups >= 2 {
			good = n
		}
	}
	return good
}

// ipv6Len is the length of the longest beginning of s that is written like an
// IPv6 address; whether it is one is checked later.
func ipv6Len(s string) int {
	n := 0
	for n < len(s) && n < 128 && (isHex(s[n]) || s[n] == ':' || s[n] == '.' || s[n]|0x20 == 'x') {
		n++
	}
	if strings.IndexByte(s[:n], ':') < 0 {
		return 0
	}
	for ; n > 1; n-- {
		if likeIPv6(s[:n]) {
			return n
		}
	}
	return 0
}

func likeIPv6(s string) bool {
	left, right, short := strings.Cut(s, "::")
	most := 8
	if short {
		most = 7
	}
	tail := &left
	if short {
		tail = &right
	}
	groups := 0
	if i := strings.LastIndexByte(*tail, ':'); strings.IndexByte((*tail)[i+1:], '.') >= 0 {
		v4 := (*tail)[i+1:]
		if ipv4Len(v4) != len(v4) || strings.Count(v4, ".") != 3 {
			return false
		}
		if i < 0 && !short {
			return false
		}
		*tail = (*tail)[:max(i, 0)]
		if most -= 2; i == 0 {
			return false
		}
	}
	for _, part := range []string{left, right} {
		if part == "" {
			continue
		}
		for g := range strings.SplitSeq(part, ":") {
			if len(g) == 0 || hexRun(g, 0, 4) != len(g) {
				return false
			}
			groups++
		}
	}
	return groups == most || short && groups < most
}

func quote(s string) string { return "\"" + s + "\"" }

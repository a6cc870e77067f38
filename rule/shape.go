package rule

import "strings"

// emails finds addresses: name, '@' and a domain with a dot.
func emails(s string, cut bool, found []span) []span {
	low := 0
	for i := 0; i < len(s); i++ {
		k := strings.IndexByte(s[i:], '@')
		if k < 0 {
			break
		}
		i += k
		from := i
		for from > low && i-from < 64 && localByte(s[from-1]) {
			from--
		}
		from = behindEscape(s, from)
		to, dot := i+1, 0
		for to < len(s) && to-i < 256 && (tokenByte(s[to]) && s[to] != '_' || s[to] == '.') {
			if s[to] == '.' {
				if s[to-1] == '.' || s[to-1] == '@' {
					break
				}
				dot = to
			}
			to++
		}
		if from >= i || to == i+1 && !(cut && to == len(s)) {
			continue
		}
		if cut && to == len(s) {
			return append(found, span{from, to, kindEmail})
		}
		if dot == to-1 { // the end of a sentence
			to, dot = dot, strings.LastIndexByte(s[i:dot], '.')+i
		}
		if dot <= i || to-dot < 3 || !letter(s[dot+1]) {
			continue
		}
		found = append(found, span{from, to, kindEmail})
		low, i = to, to-1
	}
	if cut {
		return emailAtEnd(s, low, found)
	}
	return found
}

// emailAtEnd takes the word at the end of a text that was cut there for the
// beginning of an address: nobody can tell, and half a word is no loss.
func emailAtEnd(s string, low int, found []span) []span {
	from, letters := len(s), 0
	for from > low && len(s)-from < 64 && localByte(s[from-1]) {
		if from--; letter(s[from]) {
			letters++
		}
	}
	if from = behindEscape(s, from); letters > 1 && len(s)-from > 3 {
		return append(found, span{from, len(s), kindEmail})
	}
	return found
}

// localByte tells whether c may stand before the '@' of an address.
func localByte(c byte) bool { return roles[c]&inLocal != 0 }

// tokenByte tells whether c is a letter, digit, '-' or '_'.
func tokenByte(c byte) bool { return roles[c]&inWord != 0 }

// behindEscape moves from behind the rest of an escape such as \n that looks
// like part of a word.
func behindEscape(s string, from int) int {
	if from == 0 || from >= len(s) || s[from-1] != '\\' || backslashes(s, from)&1 == 0 {
		return from
	}
	if s[from] == 'u' && hex4(s[from-1:]) >= 0 {
		return from + 5
	}
	return from + 1
}

// jwts finds tokens in compact form (RFC 7519, RFC 7516): an object of JSON in
// base64url, which begins with eyJ, and more behind a dot.
func jwts(s string, cut bool, found []span) []span {
	for i := 2; i < len(s); i++ {
		k := strings.IndexByte(s[i:], 'J')
		if k < 0 {
			break
		}
		i += k
		from := i - 2
		if s[from] != 'e' || s[from+1] != 'y' || from > 0 && tokenByte(s[from-1]) && !escapeLetter(s, from-1) {
			continue
		}
		to := i
		for to < len(s) && tokenByte(s[to]) {
			to++
		}
		if to-from < 10 && !(cut && to == len(s)) {
			continue
		}
		if to == len(s) {
			if cut {
				found = append(found, span{from, to, kindJWT})
			}
			break
		}
		if s[to] != '.' {
			i = to - 1
			continue
		}
		for to < len(s) && (tokenByte(s[to]) || s[to] == '.') {
			to++
		}
		if to-from < 20 {
			continue
		}
		found = append(found, span{from, to, kindJWT})
		i = to - 1
	}
	return found
}

// escapeLetter tells whether s[i] is the letter of an escape.
func escapeLetter(s string, i int) bool {
	return i > 0 && s[i-1] == '\\' && backslashes(s, i)&1 == 1
}

// shortestToken is the least length of a bearer token or key, in bytes.
const shortestToken = 16

// tokens finds what follows the word Bearer, and keys that their makers gave a
// beginning to know them by.
func (d *detector) tokens(s string, cut bool, v *survey, found []span) []span {
	low := 0
	for w := v.walk(tokenSpot); v.any; {
		at := w.next()
		if at < 0 {
			break
		}
		if at >= low {
			found, low = d.tokensAround(s, at, low, found)
		}
	}
	if cut {
		found = d.tokenAtEnd(s, found)
	}
	return found
}

// tokensAround looks in the run of bytes that s[at] is in, of which nothing
// before low belongs to it, and returns where it ends.
func (d *detector) tokensAround(s string, at, low int, found []span) ([]span, int) {
	from, to := at, at
	for from > low && secretByte(s[from-1]) {
		from--
	}
	for to < len(s) && secretByte(s[to]) {
		to++
	}
	if to-from < shortestToken {
		return found, to
	}
	from = behindEscape(s, from)
	if d.bearer && afterBearer(s, from) {
		found = append(found, span{from, to, kindBearer})
	} else if d.key {
		found = keys(s, from, to, found)
	}
	return found, to
}

// tokenAtEnd finds what may be the beginning of a token at the end of a text
// that was cut there.
func (d *detector) tokenAtEnd(s string, found []span) []span {
	from := len(s)
	for from > 0 && secretByte(s[from-1]) {
		from--
	}
	if from = behindEscape(s, from); d.bearer && from < len(s) && afterBearer(s, from) {
		return append(found, span{from, len(s), kindBearer})
	}
	for i := from; d.key && i < len(s); i++ {
		if (i == from || !tokenByte(s[i-1])) && keyBegins(s[i:]) > 0 {
			return append(found, span{i, len(s), kindKey})
		}
	}
	return found
}

// secretByte is what tokens are made of (token68, RFC 9110 section 11.2).
func secretByte(c byte) bool { return roles[c]&inToken != 0 }

// What a byte may be part of.
const (
	inWord = 1 << iota
	inToken
	inLocal
	inCard
)

// roles says for each byte what it may be part of.
var roles = makeRoles()

func makeRoles() (all [256]uint8) {
	for i := range all {
		c := byte(i)
		if isDigit(c) || letter(c) || c == '-' || c == '_' {
			all[i] |= inWord | inToken | inLocal
		}
		if strings.IndexByte(".~+/=", c) >= 0 {
			all[i] |= inToken
		}
		if strings.IndexByte(".+'!#$*~", c) >= 0 || c >= 0x80 {
			all[i] |= inLocal
		}
		if isDigit(c) || c == ' ' || c == '-' {
			all[i] |= inCard
		}
	}
	return all
}

// afterBearer tells whether the word Bearer stands before s[at].
func afterBearer(s string, at int) bool {
	end := at
	for end > 0 && at-end < 4 && (s[end-1] == ' ' || s[end-1] == '\t') {
		end--
	}
	return end < at && end >= 6 && strings.EqualFold(s[end-6:end], "bearer")
}

// keys finds those that begin in s[from:to], a run of bytes that tokens are
// made of: at its beginning or behind what parts words.
func keys(s string, from, to int, found []span) []span {
	for i := from; i < to; i++ {
		for i > from && i < to && tokenByte(s[i-1]) {
			i++
		}
		if i == to {
			break
		}
		if n := keyLength(s[i:to]); n > 0 {
			found = append(found, span{i, i + n, kindKey})
			i += n - 1
		}
	}
	return found
}

// keyLength returns how long the key is that s begins with, 0 for none.
func keyLength(s string) int {
	least := keyBegins(s)
	if least == 0 {
		return 0
	}
	n := 0
	for n < len(s) && (tokenByte(s[n]) || s[n] == '.') {
		n++
	}
	if n < least {
		return 0
	}
	return n
}

// keyBegins returns the least length of a key that begins as s does, 0 for none.
func keyBegins(s string) (least int) {
	switch s[0] {
	case 'A':
		if has(s, "AKIA", "ASIA") {
			least = 20
		} else if has(s, "AIza") {
			least = 35
		}
	case 'g':
		if has(s, "ghp_", "gho_", "ghu_", "ghs_", "ghr_") {
			least = 40
		} else if has(s, "github_pat_", "glpat-", "gldt-", "glrt-") {
			least = 20
		}
	case 'x':
		if has(s, "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-") {
			least = 20
		}
	case 's', 'r':
		if has(s, "sk_live_", "sk_test_", "rk_live_", "rk_test_", "shpat_", "shpss_", "sk-", "sq0atp-", "sq0csp-") {
			least = 24
		}
	case 'S':
		if has(s, "SG.") {
			least = 40
		}
	case 'n':
		if has(s, "npm_") {
			least = 40
		}
	case 'h':
		if has(s, "hf_", "hvs.", "hvb.") {
			least = 20
		}
	case 'd':
		if has(s, "dop_v1_", "doo_v1_", "dckr_pat_") {
			least = 24
		}
	case 'p':
		if has(s, "pypi-") {
			least = 40
		}
	case 'w':
		if has(s, "whsec_") {
			least = 24
		}
	case 'y':
		if has(s, "ya29.") {
			least = 24
		}
	}
	return least
}

func has(s string, beginnings ...string) bool {
	for _, b := range beginnings {
		if strings.HasPrefix(s, b) {
			return true
		}
	}
	return false
}

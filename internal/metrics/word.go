package metrics

// wordBytes is the longest part of a path, in bytes, that is told as it is, and
// maxWords how many words it may have: a longer one is a title or a phrase.
const (
	wordBytes = 40
	maxWords  = 4
)

// tellable tells whether s is made of words, as people name routes: letters with
// at most two digits, divided by '-', '_', '.' or capitals. Whatever else there
// is may be an identifier, or a secret: who calls a service chooses it, and no
// list of shapes would know them all.
func tellable(s string) bool {
	if s == "" || len(s) > wordBytes {
		return false
	}
	letters, digits, words, odds := 0, 0, 0, 0
	version := false // a piece such as v1 came before: numbers may follow
	for rest := s; rest != ""; {
		n := 0
		for n < len(rest) && !divides(rest[n]) {
			n++
		}
		piece := rest[:n]
		if rest = rest[n:]; rest != "" {
			rest = rest[1:]
		}
		switch {
		case piece == "" || usual(piece):
		case isVersion(piece):
			version = true
		case version && len(piece) <= 2 && isDigits(piece):
		default:
			w := pieceOf(piece)
			if w.bad {
				return false
			}
			letters += w.letters
			digits += w.digits
			words += w.words
			odds += w.odds
		}
	}
	if digits > 2 || words > maxWords || words > 2 && letters <= 2*words {
		return false
	}
	// The longer, the surer a word is one.
	return letters < 8 || odds <= 10-letters
}

func divides(c byte) bool { return c == '-' || c == '_' || c == '.' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// usual tells of names that break the rules of this file.
func usual(s string) bool {
	switch s {
	case "webhook", "webhooks", "thumbnail", "thumbnails", "xmlrpc", "lightbox", "sha256", "sha512", "x509", "iso8583", "ed25519":
		return true
	}
	return false
}

// isVersion tells of v1, v12, v2beta1 and the like.
func isVersion(s string) bool {
	if len(s) < 2 || len(s) > 10 || s[0] != 'v' && s[0] != 'V' || !isDigit(s[1]) {
		return false
	}
	s = s[2:]
	if s != "" && isDigit(s[0]) {
		s = s[1:]
	}
	for _, stage := range [...]string{"alpha", "beta", "rc"} {
		if len(s) >= len(stage) && s[:len(stage)] == stage {
			s = s[len(stage):]
			break
		}
	}
	return len(s) <= 2 && isDigits(s)
}

// piece is what is known of what stands between two dividers.
type piece struct {
	letters, digits, words int
	odds                   int // how much less likely than random letters; below 0: more
	bad                    bool
}

func pieceOf(s string) (p piece) {
	for len(s) > 1 && isDigit(s[len(s)-1]) {
		p.digits++
		s = s[:len(s)-1]
	}
	if isDigit(s[0]) { // 2fa, 3d
		p.digits++
		s = s[1:]
	}
	before := -1 // the letter before this one
	lower := true
	capitals := 0 // in a row, up to here
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z':
			c -= 'a'
			if i == 0 || capitals > 1 { // the last of them began a word, as in HTTPServer
				p.words++
			}
			lower, capitals = true, 0
		case c >= 'A' && c <= 'Z':
			c -= 'A'
			if lower {
				p.words++
				before = -1
			}
			lower = false
			capitals++
		default:
			p.bad = true
			return p
		}
		if p.letters++; before >= 0 {
			p.odds += int(pairs[before*26+int(c)]-'0') - even
		}
		before = int(c)
	}
	p.bad = p.letters == 0
	return p
}

// pairs says for each letter how unusual each of the 26 is behind it, in bits less
// one, counted in technical English; even is about what letters at random have.
const (
	even  = 4
	pairs = "" +
		"94339649495242949232557759" +
		"25572799259199369435288949" +
		"28482872493378178462479969" +
		"38630669169476379437377859" +
		"37325558699442846223756479" +
		"39552376199367279344399949" +
		"49581743299452279336379988" +
		"19861799299848279454499969" +
		"45334449997331259432949695" +
		"38941899499969269925197999" +
		"38870749299573667827596959" +
		"28741678297299269744468929" +
		"14861899296647329946499989" +
		"37322519395565479821559969" +
		"55336559595331439244344899" +
		"29662975397299239243498969" +
		"99969999599699999566099998" +
		"27541558295545379433457949" +
		"49371763295566337731396949" +
		"28571783199569359334497749" +
		"44353549399332639222999699" +
		"28790799299868469969999999" +
		"29972782299573279236995999" +
		"39392896299869719991759559" +
		"66493998399422419612994985" +
		"29790999399798469879999965"
)

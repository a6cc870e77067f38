package rule

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// surveyed looks for the first spots in s, and again without what the processor
// has for it.
func surveyed(p *sought, s string) (fast, slow survey) {
	text := make([]byte, 8+(len(s)+63)/64*64)
	copy(text[8:], s)
	slow = survey{apart: ^uint64(0), blanks: ^uint64(0), s: s, p: p}
	if s != "" {
		lookSlow(&text[8], (len(s)+63)/64, p, &slow)
	}
	fast.s, fast.p = s, p
	fast.start()
	return fast, slow
}

// differ tells what is not the same in two surveys.
func differ(a, b survey) string {
	for _, v := range []*survey{&a, &b} { // how much is told apart before it is or-ed together is nobody's business
		v.pairs, v.classes = [32]byte{fold32(&v.pairs)}, [32]byte{fold32(&v.classes)}
	}
	if a == b { // which is far quicker
		return ""
	}
	return cmp.Diff(a, b, cmp.AllowUnexported(survey{}, spot{}), cmp.Comparer(func(a, b *sought) bool { return a == b }))
}

// everywhere is what a detector finds that looks at each byte.
func (d *detector) everywhere(s string, cut bool) (found []span) {
	for low, at := 0, 0; at < len(s); at++ {
		if cardByte(s[at]) && at >= low {
			found, low = cardsAround(s, at, low, found)
		}
	}
	if cut {
		found = cardAtEnd(s, found)
	}
	found = jwts(s, cut, emails(s, cut, found))
	for low, at := 0, 0; at < len(s); at++ {
		if secretByte(s[at]) && at >= low {
			found, low = d.tokensAround(s, at, low, found)
		}
	}
	if cut {
		found = d.tokenAtEnd(s, found)
	}
	if len(found) == 0 {
		return nil
	}
	return merge(found)
}

func someNames(names ...string) *jsonNames {
	j := &jsonNames{}
	for _, n := range names {
		_ = j.add(n, &with{text: Redacted})
	}
	return j
}

func TestSurveyIsTheSameEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	p := newSought()
	p.wants |= wantTokens // before the names, whose careful look takes it over
	p.names(someNames("password", "api_key", "clé", "Aa-", "pwd", "x.y", "z~z", "#12", "(=)"))
	parts := []string{`password":`, `api-key":`, `\":`, `pass\word":`, "é", `"a":`, `" :`, "\x01:", "4111 1111-1111", "11111111", " - ", "\xff\xfe", "abcdefgh", "A_~+/=", "\\u", "//", "yJ", "%3", "%2", "@", "<", "pwd':", "{password:", "'a-':"}
	for range 5_000 {
		var b strings.Builder
		for n := r.IntN(400); b.Len() < n; {
			switch r.IntN(3) {
			case 0:
				b.WriteByte(byte(r.Uint32()))
			case 1:
				b.WriteString(strings.Repeat(string(rune('0'+r.IntN(60))), r.IntN(90)))
			default:
				b.WriteString(parts[r.IntN(len(parts))])
			}
		}
		for _, p := range []*sought{p, p.careful} {
			if d := differ(surveyed(p, b.String())); d != "" {
				t.Fatalf("%q: %s", b.String(), d)
			}
		}
	}
}

// plainly says what a survey should see, in other words.
func plainly(s string) (facts []bool) {
	odd := false
	for c := range byte(' ') {
		odd = odd || strings.Contains(s, string([]byte{c, ':'}))
	}
	facts = append(facts, strings.Contains(s, "//") || strings.Contains(s, `\/`) || strings.Contains(s, ",/") || strings.Contains(s, "_/"))
	for _, v := range []string{"yJ", `\u`, " :", "':", `\`, "+", "<", "@", "%", "="} {
		facts = append(facts, strings.Contains(s, v))
	}
	facts = append(facts, strings.Contains(s, `":`) || strings.Contains(s, "':"))
	return append(facts, odd || strings.HasPrefix(s, ":"), strings.ContainsAny(s, " -"), strings.ContainsAny(s, "0123456789"))
}

func (v *survey) plainly() (facts []bool) {
	for _, k := range []byte{seenSlashes, seenJWT, seenUnicode, seenSpaced, seenSingle} {
		facts = append(facts, v.seen(k))
	}
	for _, k := range []byte{hasSlash, hasPlus, hasLess, hasAt, hasPercent, hasEquals} {
		facts = append(facts, v.has(k))
	}
	facts = append(facts, v.seen(seenNamed))
	return append(facts, v.seen(seenOdd), v.has(hasSeparator), v.has(hasDigit))
}

// FuzzSurvey: what it sees is there, what is there it sees, and who follows its
// spots finds what who looks everywhere finds.
func FuzzSurvey(f *testing.F) {
	f.Add(`{"a":{"password":"x"},"b\":{\"api_key\":1}","c":"4111 1111 1111 1111 Bearer 0123456789abcdef sk_live_0123456789abcdef01234"}`, uint8(0))
	f.Add(strings.Repeat(`"pwd":1,"pass\u0077ord" :4111111111111111,`, 40)+`"api_ke\u0079":2`, uint8(3))
	f.Add(": :", uint8(0))
	f.Add("A\\\":000 000000\\\x19:0A00 000000000A00000000BeArer 00000000A0A0AAAA sk_live_000000AA{{{{{0liv", uint8(0xcd))
	f.Add(strings.Repeat("-", 60)+"4111111111111111 eyJhbGciOiJIUzI1NiJ9.x@y.example //%3d", uint8(59))
	j := someNames("password", "api_key", "clientSecret", "pwd", "secret")
	p := newSought()
	p.wants |= wantTokens // before the names, whose careful look takes it over
	p.names(j)
	d := &detector{card: true, email: true, jwt: true, bearer: true, key: true, with: &with{text: Redacted}}
	f.Fuzz(func(t *testing.T, s string, shift uint8) {
		if len(s) > 8<<10 {
			return
		}
		s = strings.Repeat(".", int(shift&127)) + s
		for _, p := range []*sought{p, p.careful} {
			if d := differ(surveyed(p, s)); d != "" {
				t.Fatal(d)
			}
		}
		var v survey
		if got, want := v.of(p, s).plainly(), plainly(s); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
		esc := escapes(s)
		if a, b := j.mask(s, esc, nil, nil), j.mask(s, esc, v.known(p), nil); a != b {
			t.Errorf("names in %q: %q, want %q", s, b, a)
		}
		for _, cut := range []bool{false, true} {
			if a, b := d.everywhere(s, cut), d.find(s, cut, v.of(p, s)); !slices.Equal(a, b) {
				t.Errorf("%q: %v, want %v", s, b, a)
			}
		}
	})
}

package rule

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unsafe"
)

// survey is what one pass over a text sees: whether something occurs at all
// that masks would have to follow up, and where something stands that may be a
// name, a card number or a token. Most texts have none of it, and are done
// with after that one pass.
//
// Its layout is known to the assembly.
type survey struct {
	pairs   [32]byte // seen…, of two bytes; all of them or-ed together
	classes [32]byte // has…, of one byte
	apart   uint64   // the last block: which bytes no card number has,
	blanks  uint64   // which no token has,
	slashes uint64   // and which are backslashes
	at      int      // where the next block begins
	n       int
	spots   [16]spot // those before at; where there are more the first come first

	s     string
	p     *sought // nil: it has seen nothing yet
	any   bool    // there are spots
	moved bool    // those in spots are not the first
}

// spot is a block of 64 bytes that something to look at is in; bit 0 is the
// byte at which it begins.
type spot struct {
	at    int
	masks [3]uint64
}

// The kinds of spots.
const (
	nameSpot  = iota // a colon behind a name that ends as one that is sought
	cardSpot         // a byte in a run that may hold a card number
	tokenSpot        // the first byte of a run, or the first of a block within one
)

// What pairs tells: these two bytes occur.
const (
	seenBare    = 1 << iota // a colon behind a byte that ends a name that is sought
	seenSingle              // one behind a single quotation mark
	seenJWT                 // yJ
	seenSlashes             // // or \/, or another of two that is as rare
	seenUnicode             // \u
	seenSpaced              // a colon behind a space
	seenOdd                 // a colon behind a control character
	seenNamed               // a colon behind a quotation mark of either kind
)

// What classes tells: this byte occurs.
const (
	hasSlash = 1 << iota // the one that escapes
	hasPlus
	hasLess
	hasAt
	hasPercent
	hasEquals
	hasSeparator // of a card number: space or dash
	hasDigit
)

// nibbles is a set of bytes, eight of them in one: the byte c is in set i if
// bit i is set both in low[c&15] and in high[c>>4].
type nibbles struct{ low, high [16]byte }

func (n *nibbles) of(c byte) byte { return n.low[c&15] & n.high[c>>4] }

// add puts all bytes into a set whose halves are among those given.
func (n *nibbles) add(set byte, low, high string) {
	for _, c := range []byte(low) {
		n.low[c&15] |= set
	}
	for _, c := range []byte(high) {
		n.high[c&15] |= set
	}
}

const anyNibble = "0123456789jklmno" // the low halves of these are 0 to 15

// sought is what a survey looks for. Its layout is known to the assembly.
type sought struct {
	second, first nibbles    // of pairs
	class         nibbles    // of bytes
	token         nibbles    // any set: a byte that tokens are made of
	ends          [3]nibbles // the last bytes of names, the last one first
	wants         uint64
	named         bool    // names may be left to the survey
	every         bool    // names are sought that it knows nothing of
	careful       *sought // the same for texts in which names may be written in other ways
}

// What sought.wants.
const (
	wantNames = 1 << iota
	wantTokens
	wantEscaped // also names whose end may be an escape, and those away from their colon
)

func newSought() *sought {
	p := &sought{}
	for _, v := range []struct {
		set                                    byte
		firstLow, firstHigh, lastLow, lastHigh string
	}{
		{seenBare, "", "", "j", "3"}, {seenSingle, "7", "2", "j", "3"}, {seenJWT, "9", "7", "j", "4"}, {seenSlashes, "ol", "25", "o", "2"},
		{seenUnicode, "l", "5", "5", "7"}, {seenSpaced, "0", "2", "j", "3"}, {seenOdd, anyNibble, "01", "j", "3"}, {seenNamed, "27", "2", "j", "3"},
	} {
		p.first.add(v.set, v.firstLow, v.firstHigh)
		p.second.add(v.set, v.lastLow, v.lastHigh)
	}
	for _, v := range []struct {
		set       byte
		low, high string
	}{
		{hasSlash, "l", "5"}, {hasPlus, "k", "2"}, {hasLess, "l", "3"}, {hasAt, "0", "4"}, {hasPercent, "5", "2"}, {hasEquals, "m", "3"},
		{hasSeparator, "0m", "2"}, {hasDigit, "0123456789", "3"},
	} {
		p.class.add(v.set, v.low, v.high)
	}
	for i, v := range []struct{ low, high string }{
		{"123456789jklmno", "46"}, {"0123456789j", "57"}, {"o", "5"}, {"n", "7"}, {"0123456789m", "3"}, {"kmno", "2"}, // letters, _, ~, digits and =, + - . /
	} {
		p.token.add(1<<i, v.low, v.high)
	}
	return p
}

// backslashSet is the set of names behind which a quotation mark of a string in
// a string stands; the others are sets of names.
const backslashSet = 1 << 7

// names lets the survey look for names that end as these do.
func (p *sought) names(all ...*jsonNames) {
	p.wants |= wantNames
	p.named = true
	for i := range p.ends {
		high := "0123456789jklmno"
		if i == 0 {
			p.ends[i].add(backslashSet, "l", "5")
		} else {
			p.ends[i].add(backslashSet, anyNibble, high)
		}
	}
	var sets endSets
	for _, j := range all {
		if j == nil {
			continue
		}
		if j.every {
			p.named, p.every = false, true
		}
		for _, n := range j.names.exact {
			name := `"` + n.name
			if c := name[len(name)-1]; c < 0x80 { // pairs are of ASCII
				p.first.end(seenBare, c)
			}
			if len(name) < len(p.ends) {
				p.named = false // anything may stand before it
				continue
			}
			end := name[len(name)-len(p.ends):]
			set := sets.add(end)
			for i := range p.ends {
				p.ends[i].end(set, end[len(end)-1-i])
			}
			p.ends[2].add(set, "l", "5") // what stands there may be written as an escape
		}
	}
	if !p.named {
		p.wants &^= wantNames
		return
	}
	careful := *p
	careful.wants |= wantEscaped
	p.careful = &careful
}

// endSets shares out the ends of names over the sets there are.
type endSets struct {
	known map[string]byte
	bytes [7][3]string // that the ends of a set have at each place
}

// add returns the set of an end. Where there are more ends than sets, one joins
// the set that then takes the fewest others for its own.
func (e *endSets) add(end string) (set byte) {
	if set, known := e.known[end]; known {
		return set
	}
	best, least := 0, 0
	for k, b := range e.bytes {
		was, now := 1, 1
		for i := range b {
			was *= len(b[i])
			now *= len(b[i])
			if strings.IndexByte(b[i], end[i]) < 0 {
				now += now / max(len(b[i]), 1)
			}
		}
		if b[0] == "" {
			best = k
			break
		}
		if more := now - was; k == 0 || more < least {
			best, least = k, more
		}
	}
	for i := range e.bytes[best] {
		if b := &e.bytes[best][i]; strings.IndexByte(*b, end[i]) < 0 {
			*b += end[i : i+1]
		}
	}
	if e.known == nil {
		e.known = map[string]byte{}
	}
	e.known[end] = 1 << best
	return 1 << best
}

// end puts a byte into a set in all its spellings.
func (n *nibbles) end(set, c byte) {
	for _, x := range spellings(c) {
		n.low[x&15] |= set
		n.high[x>>4] |= set
		if letter(x) {
			n.high[x>>4^2] |= set
		}
	}
}

// of looks at s for what p seeks, unless that was the last thing it did.
func (v *survey) of(p *sought, s string) *survey {
	if v.p != nil && len(s) == len(v.s) && unsafe.StringData(s) == unsafe.StringData(v.s) && (v.p == p || v.p == p.careful || !p.named && p.wants&^v.p.wants == 0) {
		return v
	}
	v.pairs, v.classes = [32]byte{}, [32]byte{}
	v.s, v.p = s, p
	v.start()
	if v.any = v.n > 0; v.at < len(s) {
		v.rest()
	}
	return v
}

// start looks for the first spots.
func (v *survey) start() {
	v.apart, v.blanks, v.slashes, v.at, v.moved = ^uint64(0), ^uint64(0), 0, 0, false
	v.fill()
}

// fill looks for the next spots, up to the end of the text or until there is no
// room for more.
func (v *survey) fill() {
	b := bytesOf(v.s)
	for v.n = 0; v.n < len(v.spots) && v.at < len(b); {
		if v.at > 0 && v.at+64 <= len(b) {
			look(&b[v.at], (len(b)-v.at)>>6, v.p, v)
			continue
		}
		// The bytes before a block are looked at too. Zeros stand for what is
		// before the first and behind the last.
		var edge [8 + 64]byte
		if v.at == 0 {
			copy(edge[8:], b)
		} else {
			copy(edge[:], b[v.at-8:])
		}
		look(&edge[8], 1, v.p, v)
	}
}

// rest sees what else occurs in a text that has more spots than there is room.
func (v *survey) rest() {
	w := *v
	for w.at < len(w.s) {
		w.fill()
	}
	v.pairs, v.classes = w.pairs, w.classes
}

// walker goes through the spots of one kind.
type walker struct {
	v       *survey
	kind, k int
	mask    uint64
}

// walk begins at the beginning. One walker is under way at a time.
func (v *survey) walk(kind int) walker {
	if v.moved {
		v.start()
	}
	return walker{v: v, kind: kind}
}

// next returns where the next spot is, -1 for nowhere.
func (w *walker) next() int {
	for w.mask == 0 {
		if w.k == w.v.n {
			if w.v.at >= len(w.v.s) {
				return -1
			}
			w.v.fill()
			w.v.moved, w.k = true, 0
			continue
		}
		w.mask = w.v.spots[w.k].masks[w.kind]
		w.k++
	}
	i := w.v.spots[w.k-1].at + bits.TrailingZeros64(w.mask)
	w.mask &= w.mask - 1
	return i
}

// seen and has tell what occurs in the text.
func (v *survey) seen(set byte) bool { return fold32(&v.pairs)&set != 0 }
func (v *survey) has(set byte) bool  { return fold32(&v.classes)&set != 0 }

func fold32(b *[32]byte) byte {
	w := binary.LittleEndian.Uint64(b[:]) | binary.LittleEndian.Uint64(b[8:]) | binary.LittleEndian.Uint64(b[16:]) | binary.LittleEndian.Uint64(b[24:])
	w |= w >> 32
	w |= w >> 16
	return byte(w | w>>8)
}

// known returns v if it knows each colon behind which a name that is sought may
// stand, nil if it does not.
func (v *survey) known(p *sought) *survey {
	if !p.named {
		return nil
	}
	if v.p == p && v.seen(seenUnicode|seenSpaced|seenOdd) {
		return v.of(p.careful, v.s)
	}
	return v
}

// odd tells whether there may be names that do not stand in double quotation
// marks.
func (v *survey) odd() bool { return v.p.every || v.seen(seenBare|seenSingle) }

// lookSlow is look without what the processor has for it.
func lookSlow(p *byte, n int, t *sought, v *survey) (left int) {
	b := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(p), -4)), 4+64*n)
	for ; n > 0 && v.n < len(v.spots); n-- {
		var digits, cards, tokens, slashes, others uint64
		marks, rare := uint64(1), uint64(0) // the first byte of a pair may be the one before
		for i := 0; i < 64; i += 8 {
			c := b[4+i : 12+i : 12+i]
			m := lanes[c[0]]
			m = m>>1 | lanes[c[1]]
			m = m>>1 | lanes[c[2]]
			m = m>>1 | lanes[c[3]]
			m = m>>1 | lanes[c[4]]
			m = m>>1 | lanes[c[5]]
			m = m>>1 | lanes[c[6]]
			m = m>>1 | lanes[c[7]]
			digits |= m >> (8 * laneDigit) & 0xff << i
			cards |= m >> (8 * laneCard) & 0xff << i
			tokens |= m >> (8 * laneToken) & 0xff << i
			slashes |= m >> (8 * laneSlash) & 0xff << i
			marks |= m >> (8 * lanePair) & 0xff << i
			rare |= m >> (8 * laneRare) & 0xff << i
			others |= m
		}
		var pairs, classes byte
		if digits != 0 {
			classes |= hasDigit
		}
		if cards != digits {
			classes |= hasSeparator
		}
		if slashes != 0 {
			classes |= hasSlash
		}
		if others>>(8*laneEquals)&0xff != 0 {
			classes |= hasEquals
		}
		for ; rare != 0; rare &= rare - 1 {
			classes |= t.class.of(b[4+bits.TrailingZeros64(rare)])
		}
		var names, named, blank uint64
		for m := marks | slashes<<1; m != 0; m &= m - 1 {
			j := bits.TrailingZeros64(m)
			pair := t.second.of(b[4+j]) & t.first.of(b[3+j])
			pairs |= pair
			bit := m & -m
			if pair&(seenSpaced|seenOdd) != 0 {
				blank |= bit
			}
			if pair&seenNamed != 0 {
				named |= bit
				if t.ends[0].of(b[2+j])&t.ends[1].of(b[1+j])&t.ends[2].of(b[j]) != 0 {
					names |= bit
				}
			}
			if pair&seenBare != 0 {
				names |= bit
			}
		}
		v.pairs[0] |= pairs
		v.classes[0] |= classes
		k := spot{at: v.at}
		if t.wants&wantNames != 0 {
			k.masks[nameSpot] = names
		}
		if t.wants&wantEscaped != 0 {
			k.masks[nameSpot] |= blank | named&afterSlashes(slashes, v.slashes)
			v.slashes = slashes
		}
		k.masks[cardSpot], v.apart = cardSpots(digits, cards, v.apart), ^cards
		if t.wants&wantTokens != 0 {
			k.masks[tokenSpot], v.blanks = tokenSpots(tokens, v.blanks), ^tokens
		}
		if k.masks != [3]uint64{} {
			v.spots[v.n] = k
			v.n++
		}
		b = b[64:]
		v.at += 64
	}
	return n
}

// Where in an entry of lanes the bits stand that tell what a byte is.
const (
	laneDigit = iota
	laneCard
	laneToken
	laneSlash
	lanePair // the last byte of a pair, but for the one behind a backslash
	laneRare // in another class
	laneEquals
)

// lanes says for each byte what it is, in the highest bit of eight. Eight
// entries, each shifted by one against the next, make a mask of eight bytes.
var lanes = makeLanes()

func makeLanes() (all [256]uint64) {
	p := newSought()
	for i := range all {
		c := byte(i)
		for lane, is := range [...]bool{
			laneDigit: isDigit(c), laneCard: cardByte(c), laneToken: secretByte(c), laneSlash: c == '\\',
			lanePair: p.second.of(c)&^seenUnicode != 0, laneRare: p.class.of(c)&(hasPlus|hasLess|hasAt|hasPercent) != 0, laneEquals: c == '=',
		} {
			if is {
				all[i] |= 0x80 << (8 * lane)
			}
		}
	}
	return all
}

// afterSlashes returns which bytes stand two to nine bytes behind a backslash,
// as a colon does behind a name that ends with an escape; last are those of the
// block before.
func afterSlashes(slashes, last uint64) uint64 {
	m, w := slashes<<2, last>>55
	for i := 1; i < 8; i <<= 1 {
		m |= m << i
		w |= w >> i
	}
	return m | w
}

// cardSpots returns where in a block thirteen bytes begin that card numbers may
// consist of, with digits at both ends: two separators in a row end a number,
// so that each has such thirteen. Bit 0 also tells that there may be some across
// its beginning; last is which bytes of the block before belong to none.
func cardSpots(digits, cards, last uint64) uint64 {
	m := cards
	m &= m >> 1
	m &= m >> 2
	m &= m >> 4
	m &= m >> (shortestCard - 8)
	m &= digits & (digits >> (shortestCard - 1))
	if n := bits.TrailingZeros64(^cards | 1<<(shortestCard-1)); last>>(64-shortestCard+n) == 0 {
		m |= 1
	}
	return m
}

// tokenSpots returns where in a block runs begin that are as long as a token.
// Bit 0 also tells that one goes across its beginning.
func tokenSpots(tokens, last uint64) uint64 {
	m := tokens
	m &= m >> 1
	m &= m >> 2
	m &= m >> 4
	m &= m >> (shortestToken - 8)
	m &^= tokens << 1
	m &^= last>>63 ^ 1 // the run began before this block
	n := bits.TrailingZeros64(^tokens | 1<<(shortestToken-1))
	if last>>(64-shortestToken+n) == 0 && last>>(64-shortestToken) != 0 {
		m |= 1
	}
	return m
}

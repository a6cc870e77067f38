package rule

import (
	"math/bits"
	"strings"
)

// indexer walks through JSON by an index of what gives it structure, 64 bytes
// at a time, without looking at anything else. It serves paths whose last step
// is a name and that count no elements; others need the follower.
//
// It does not prove that a text is JSON. It demands what it relies on: that
// each string begins and ends where one may, and that brackets fit. Whoever
// gets a value past it has written something that no reader of JSON takes.
type indexer struct {
	paths *jsonPaths
	s     string
	esc   bool
	out   splice
	trace *trace
	stack []frame
	space [24]frame

	states  uint64 // for the value behind the last colon
	colon   int    // where it is
	done    int    // up to here values are masked
	strange bool   // names stand in strings: JSON in strings of JSON
}

// walk returns false when the text is not JSON, as far as it goes.
func (x *indexer) walk() bool {
	x.stack, x.colon = x.space[:0], -1
	b := bytesOf(x.s)
	at := prefix(x.s)
	var blocks [blocksAtOnce]block
	var rest [64]byte
	inside, escaped := uint64(0), uint64(0) // all ones in a string; the next byte is escaped
	ended := uint64(0)                      // the last byte ended a string
	begins := uint64(1)                     // a string may begin with the next byte
	colonNext := uint64(0)                  // the last byte was an escaped quotation mark
	for at < len(b) {
		n := min((len(b)-at)>>6, blocksAtOnce)
		if n > 0 {
			classify(&b[at], &blocks[0], n)
		} else {
			for i := copy(rest[:], b[at:]); i < len(rest); i++ {
				rest[i] = ' '
			}
			n = 1
			classify(&rest[0], &blocks[0], 1)
		}
		for i := range blocks[:n] {
			k := &blocks[i]
			quote, apart := k.quote, k.apart|k.colon
			if k.slash|escaped != 0 {
				var skip uint64
				skip, escaped = escapes64(k.slash, escaped)
				marks := quote & skip
				if (marks<<1|colonNext)&apart != 0 {
					x.strange = true
				}
				colonNext = marks >> 63
				quote &^= skip
			} else {
				if colonNext&apart != 0 {
					x.strange = true
				}
				colonNext = 0
			}
			in := prefixXor(quote) ^ inside
			first, last := quote&in, quote&^in
			if first&^((apart|k.open)<<1|begins) != 0 || (last<<1|ended)&^(apart|k.close) != 0 {
				return false
			}
			inside = uint64(int64(in) >> 63)
			ended = last >> 63
			begins = (apart | k.open) >> 63
			for m := (k.open | k.close | k.colon) &^ in; m != 0; m &= m - 1 {
				if p := at + i<<6 + bits.TrailingZeros64(m); p >= x.done && !x.event(p) {
					return false
				}
			}
		}
		at += n << 6
	}
	return true
}

// escapes64 returns which of 64 bytes are escaped, by their backslashes and by
// whether the first is, and whether the byte behind them is.
func escapes64(slash, first uint64) (escaped, next uint64) {
	slash &^= first
	escaped = first
	for slash != 0 {
		i := bits.TrailingZeros64(slash)
		if i == 63 {
			return escaped, 1
		}
		escaped |= 2 << i
		slash &^= 3 << i
	}
	return escaped, 0
}

// prefixXor returns for each bit whether an odd number of bits up to it are set.
func prefixXor(m uint64) uint64 {
	m ^= m << 1
	m ^= m << 2
	m ^= m << 4
	m ^= m << 8
	m ^= m << 16
	return m ^ m<<32
}

// event takes what stands at s[p] outside strings: a bracket or a colon.
func (x *indexer) event(p int) bool {
	n := len(x.stack)
	switch x.s[p] {
	case ':':
		if n == 0 || x.stack[n-1].array {
			return false
		}
		if x.colon, x.states = p, 0; x.stack[n-1].states != 0 {
			return x.member(p, x.stack[n-1].states)
		}
	case '{', '[':
		f := frame{states: x.paths.start, array: x.s[p] == '['}
		switch {
		case n == 0:
		case x.stack[n-1].array:
			f.states, _ = x.paths.element(x.stack[n-1].states, 0)
		default:
			at := p - 1
			for x.s[at] <= ' ' {
				at--
			}
			if at != x.colon {
				return false
			}
			f.states = x.states
		}
		if n == maxDepth {
			return false
		}
		x.stack = append(x.stack, f)
	default:
		if n == 0 || x.stack[n-1].array != (x.s[p] == ']') {
			return false
		}
		x.stack = x.stack[:n-1]
	}
	return true
}

// member finds out what is to be done with the value behind the colon s[p], and
// does it. It returns false where no name of JSON stands.
func (x *indexer) member(p int, states uint64) bool {
	s := x.s
	e := p - 1
	for e > 0 && s[e] <= ' ' {
		e--
	}
	if e < 2 || s[e] != '"' {
		return false
	}
	if x.paths.plain && !x.paths.all.maybe(s, e, x.esc) {
		x.states = states & x.paths.deep // no step is met
		return true
	}
	var w *with
	if x.paths.plain && !x.esc {
		x.states, w = x.paths.ends(states, s, e)
	} else {
		from := nameStart(s, e)
		if from < 0 {
			return true
		}
		x.states, w = x.paths.member(states, s[from:e])
	}
	if w == nil {
		return true
	}
	at := p + 1
	for at < len(s) && s[at] <= ' ' {
		at++
	}
	if at == len(s) {
		return true
	}
	begin, end, kind, v := jsonValue(s, at, 0)
	x.done = end
	if kind == "" || kind == kindString && (v == "" || w.done(v)) {
		return true
	}
	x.out.quoted(s, begin, end, 0, w.hitJSON(x.trace, kind, v, 0))
	return true
}

// nameStart returns where the name begins that ends before the quotation mark
// s[e], -1 if it does not.
func nameStart(s string, e int) int {
	for {
		at := strings.LastIndexByte(s[:e], '"')
		if at < 0 || backslashes(s, at)&1 == 0 {
			if at >= 0 {
				at++
			}
			return at
		}
		e = at
	}
}

// ends is member for steps that are plain names, and a name without escapes that
// ends before the quotation mark s[e].
func (p *jsonPaths) ends(states uint64, s string, e int) (next uint64, w *with) {
	next = states & p.deep
	for rest := states; rest != 0; rest &= rest - 1 {
		i := trailing(rest)
		step := &p.steps[i]
		from := e - len(step.name)
		if from < 1 || s[from-1] != '"' || from > 1 && s[from-2] == '\\' || !same(s[from:e], step.name) {
			continue
		}
		if step.with != nil {
			w = step.with
		} else {
			next |= 1 << (i + 1)
		}
	}
	return next, w
}

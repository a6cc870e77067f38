package rule

// The lengths of card numbers (ISO/IEC 7812), in digits.
const (
	shortestCard = 13
	longestCard  = 19
)

// cutCard is how many digits at the place where a text was cut may be the
// beginning of a card number.
const cutCard = 7

// cards finds card numbers: 13 to 19 digits, in groups of at least three parted
// by one space or dash each, that begin as the networks' numbers do and pass the
// Luhn check. cut tells that the text goes on behind its end.
//
// It looks where v says that thirteen bytes in a row may belong to one.
func cards(s string, cut bool, v *survey, found []span) []span {
	low := 0
	for w := v.walk(cardSpot); v.any; {
		from := w.next()
		if from < 0 {
			break
		}
		if from >= low {
			found, low = cardsAround(s, from, low, found)
		}
	}
	if cut {
		found = cardAtEnd(s, found)
	}
	return found
}

// cardsAround looks in the run of bytes that s[at] is in, of which nothing
// before low belongs to it, and returns where it ends.
func cardsAround(s string, at, low int, found []span) ([]span, int) {
	from, to := at, at
	for from > low && cardByte(s[from-1]) {
		from--
	}
	for to < len(s) && cardByte(s[to]) {
		to++
	}
	if to-from >= shortestCard {
		found = cardsIn(s, from, to, found)
	}
	return found, to
}

func cardByte(c byte) bool { return roles[c]&inCard != 0 }

func isDigit(c byte) bool { return c-'0' <= 9 }

// cardsIn looks for card numbers in s[from:to], which holds digits, spaces and
// dashes.
func cardsIn(s string, from, to int, found []span) []span {
	var starts, ends [longestCard/3 + 1]int // of the last groups
	n := 0
	for i := from; i < to; {
		if !isDigit(s[i]) {
			if i+1 < to && !isDigit(s[i+1]) {
				n = 0 // two of them: what comes is another number
			}
			i++
			continue
		}
		begin := i
		for i < to && isDigit(s[i]) {
			i++
		}
		if n == len(starts) {
			copy(starts[:], starts[1:])
			copy(ends[:], ends[1:])
			n--
		}
		starts[n], ends[n] = begin, i
		n++
		digits := 0
		for g := n - 1; g >= 0; g-- {
			size := ends[g] - starts[g]
			if digits += size; digits > longestCard || g < n-1 && size < 3 || n > 1 && g == n-1 && size < 3 && digits != size {
				break
			}
			if digits >= shortestCard && isCard(s, starts[g], i, digits) {
				found = append(found, span{starts[g], i, kindCard})
				n = 0
				break
			}
		}
	}
	return found
}

// isCard tells whether s[from:to] with so many digits is a card number.
func isCard(s string, from, to, digits int) bool {
	return known(s[from:to], digits) && luhn(s[from:to]) && opens(s, from) && closes(s, to)
}

// opens tells whether a number may begin at s[at].
func opens(s string, at int) bool {
	if at == 0 {
		return true
	}
	c := s[at-1]
	if at > 1 {
		before := s[at-2]
		switch {
		case c == '.' && isDigit(before):
			return false // decimals
		case before == '\\', before == '%' && c == 'B': // \n; the first track of a card
			return true
		}
	}
	return !letter(c)
}

func closes(s string, at int) bool {
	if at == len(s) {
		return true
	}
	c := s[at]
	if c == '.' && at+1 < len(s) && isDigit(s[at+1]) {
		for at++; at < len(s) && s[at] == '0'; at++ {
		}
		return at == len(s) || !isDigit(s[at]) // what holds numbers as floating ones writes .0 behind them
	}
	return !letter(c) || c == 'D' // D parts number and date on the second track
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// luhn is the check of ISO/IEC 7812-1 annex B.
func luhn(s string) bool {
	sum, double := 0, false
	for i := len(s) - 1; i >= 0; i-- {
		if !isDigit(s[i]) {
			continue
		}
		d := int(s[i] - '0')
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		double = !double
		sum += d
	}
	return sum%10 == 0
}

// known tells whether a number begins as those of a network do that has numbers
// of this length.
func known(s string, digits int) bool {
	n, all := 0, 0
	for i := 0; i < len(s) && n < 6; i++ {
		if isDigit(s[i]) {
			all = all*10 + int(s[i]-'0')
			n++
		}
	}
	for ; n < 6; n++ {
		all *= 10
	}
	four, two := all/100, all/10_000
	switch {
	case two >= 40 && two <= 49: // Visa
		return digits == 13 || digits == 16 || digits == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720: // Mastercard
		return digits == 16
	case two == 34, two == 37: // American Express
		return digits == 15
	case four >= 3528 && four <= 3589: // JCB
		return digits >= 16
	case four >= 3000 && four <= 3059, four == 3095, two == 36, two == 38, two == 39: // Diners Club
		return digits >= 14
	case four >= 2200 && four <= 2204: // Mir
		return digits >= 16
	case four == 6011, two == 64, two == 65, two == 62, two == 60, two == 81, two == 82: // Discover, UnionPay, RuPay
		return digits >= 16
	case two == 50, two >= 56 && two <= 58, two == 63, two == 67, two == 61, two == 66, two == 68, two == 69: // Maestro
		return true
	}
	return false
}

// cardAtEnd finds what may be the first digits of a card number at the end of a
// text that was cut there.
func cardAtEnd(s string, found []span) []span {
	from, digits := len(s), 0
	for from > 0 && cardByte(s[from-1]) && digits <= longestCard {
		if from--; isDigit(s[from]) {
			digits++
		}
	}
	for from < len(s) && !isDigit(s[from]) {
		from++
	}
	if digits < cutCard || digits > longestCard || !opens(s, from) {
		return found
	}
	if n := len(found); n > 0 && found[n-1].to > from {
		return found
	}
	for _, total := range [...]int{13, 14, 15, 16, 19} {
		if total > digits && known(s[from:], total) {
			return append(found, span{from, len(s), kindCard})
		}
	}
	return found
}

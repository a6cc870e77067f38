package rule

import "strings"

// Masked tells whether something in s stands where a mask has been: Redacted, a
// type with a length, or a pseudonym. It cannot know texts that rules were given.
func Masked[T ~string | ~[]byte](s T) bool {
	return holdsMask(string(s), "[", "]") || holdsMask(string(s), "%5B", "%5D")
}

// longestMask is what stands between the brackets at most, in bytes.
const longestMask = len("pseudonym:") + tokenLetters

func holdsMask(s, opens, closes string) bool {
	for {
		i := strings.Index(s, opens)
		if i < 0 {
			return false
		}
		s = s[i+len(opens):]
		head := s[:min(len(s), longestMask+len(closes))]
		if j := strings.Index(head, closes); j > 0 && replaced("["+strings.ReplaceAll(head[:j], "%3A", ":")+"]") {
			return true
		}
	}
}

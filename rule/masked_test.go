package rule_test

import (
	"strings"
	"testing"

	"github.com/passiflow/passiflow/rule"
)

func TestMasked(t *testing.T) {
	for _, s := range []string{
		rule.Redacted, "a=[REDACTED]&b", "%5BREDACTED%5D", `{"a":["[string:12]"]}`, "[[boolean]", "x [pseudonym:" + strings.Repeat("ap", 12) + "]", "[card:16]", "%5Bstring%3A4%5D",
	} {
		if !rule.Masked(s) || !rule.Masked([]byte(s)) {
			t.Errorf("%q is masked", s)
		}
	}
	for _, s := range []string{"", "[", "[]", "REDACTED", "[redacted]", "[1,2]", "[object Object]", "[pseudonym:x]", "[string:]", "[string:1x]", `[{"a":1}]`, "[REDACTED", "[A:1]"} {
		if rule.Masked(s) {
			t.Errorf("%q is not masked", s)
		}
	}
}

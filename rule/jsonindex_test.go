package rule

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// document writes random JSON in random layout.
func document(r *rand.Rand, depth int) string {
	sp := func() string { return []string{"", "", " ", "\n\t"}[r.IntN(4)] }
	text := func() string {
		s := []string{"a", "b", "c", "dd", "x:y", `q\"u`, `\\`, `e\u0061`, "{", "],[", "", strings.Repeat("long ", r.IntN(20))}[r.IntN(12)]
		return `"` + s + `"`
	}
	if depth == 0 {
		return []string{text(), fmt.Sprint(r.IntN(1000)), "true", "null", "-1.5e3"}[r.IntN(5)]
	}
	var b strings.Builder
	array := r.IntN(3) == 0
	open, last := "{", "}"
	if array {
		open, last = "[", "]"
	}
	b.WriteString(open + sp())
	for i := range r.IntN(6) {
		if i > 0 {
			b.WriteString("," + sp())
		}
		if !array {
			b.WriteString([]string{`"a"`, `"b"`, `"c"`, `"dd"`, `"\u0061"`, `"xa"`}[r.IntN(6)] + sp() + ":" + sp())
		}
		b.WriteString(document(r, r.IntN(depth)) + sp())
	}
	return b.String() + last
}

// TestIndexerAndFollowerAgree: two ways to the same result, on whole documents
// and on parts of them.
func TestIndexerAndFollowerAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	sets := [][]string{{"$.a"}, {"$.a.b"}, {"$..a.b", "$.c"}, {"$.b.*.c", "$..dd"}, {"$..d*", "$.a.a"}, {"$[*].a"}}
	hits := 0
	for n := range 30_000 {
		w := &with{text: Redacted, rule: &entry{}}
		var fast, slow jsonPaths
		for _, text := range sets[n%len(sets)] {
			steps, _, err := parsePath(text, w)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []*jsonPaths{&fast, &slow} {
				if err := p.add(append([]pathStep(nil), steps...)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if fast.exact {
			t.Fatal("the indexer is not used")
		}
		slow.exact = true
		s := document(r, 1+r.IntN(5))
		if r.IntN(4) == 0 {
			s += "\n" + document(r, 2)
		}
		whole := r.IntN(3) > 0
		if !whole {
			s = s[:r.IntN(len(s)+1)]
		}
		a, b := fast.mask(s, escapes(s), false, nil, nil), slow.mask(s, true, false, nil, nil)
		if a != b {
			t.Fatalf("%v\n%s\n%s\n%s", sets[n%len(sets)], s, a, b)
		}
		if a != s {
			hits++
		}
		if d := json.NewDecoder(strings.NewReader(a)); whole {
			var v any
			if err := d.Decode(&v); err != nil {
				t.Fatalf("%s\n%s: %v", s, a, err)
			}
		}
	}
	if hits < 5000 {
		t.Errorf("only %d documents held something", hits)
	}
}

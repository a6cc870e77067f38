package resurface

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// find lists the matches of the quick way.
func (q *quick) find(s string) (all [][]int) {
	for from := 0; ; {
		m := q.next(s, from)
		if m == nil {
			return all
		}
		all = append(all, m)
		from = m[1]
	}
}

// Which patterns have a quick way.
func TestQuickShapes(t *testing.T) {
	r, err := parse("r", standardRules)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.byVerb[replace] {
		if x.value.quick == nil {
			t.Errorf("%s has none", x.value.linear)
		}
	}
	for _, text := range []string{"a", "[0-9]", "[0-9]*", "[0-9]+?", "[0-9]{3}", "[0-9]{3,5}", "a+@b", "[a-z]+", "[^@]+@b", `\w+@.*x`, `\w+@\w+@`, `\w+@(?i)x@`, `\w+é`, `(\w)+@x`, `(\w+)@x`,
		`\b\w+@x`, `[a-z@]+@x`, `\w+(?:@|#)x`, `[é]+`, `[\x00]+\x00a`, ""} {
		_ = newQuick(text) // any may be slow
	}
	for _, text := range []string{"[0-9]*", "[0-9]+?", "[0-9]{3,5}", `\w+@.*x`, `\w+@\w+@`, `[a-z@]+@x`, `(\w+)@x`, "[é]+"} {
		if newQuick(text) != nil {
			t.Errorf("%s has one", text)
		}
	}
}

// FuzzQuick holds the quick way to the general one.
func FuzzQuick(f *testing.F) {
	patterns := []string{`[0-9.\-/]{9,}`, `[a-z]+`, `[0-9a-f]{2,}`, `[a-zA-Z0-9.!#$%&’*+\/=?^_{|}~-]+@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)`, `\w+=(\w+)(;)?`, `[^x@]+@\b`, `[a-cé-ü]{2,}#x$`}
	for i, p := range patterns {
		f.Add(uint8(i), "a 123456789 joe@example.com, a=b;c=d é@x 1.2.3.4.5.6.7 aaaaé#x\xff@")
		if newQuick(p) == nil {
			f.Fatalf("%s has no quick way", p)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, s string) {
		text := patterns[int(i)%len(patterns)]
		want := regexp.MustCompile(text).FindAllStringSubmatchIndex(s, -1)
		if d := cmp.Diff(want, newQuick(text).find(s)); d != "" {
			t.Errorf("%s in %q: %s", text, s, d)
		}
	})
}

// Bodies made to keep a search busy take it no longer than others do.
func TestQuickIsLinear(t *testing.T) {
	r, err := parse("r", standardRules)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"@", "a@", "a@b", "1", "1.", "aaaa", "12345678 ", "a@b.", "’"} {
		took := func(size int) time.Duration {
			s := strings.Repeat(piece, size/len(piece))
			began := spent()
			for _, x := range r.byVerb[replace] {
				if _, err := x.value.replace(s, &x.text); err != nil {
					t.Fatal(err)
				}
			}
			return max(spent()-began, time.Microsecond)
		}
		// Sixteen times the text takes sixteen times as long, or 256 times where
		// it is not linear. What else the machine does is taken for neither: the
		// shortest times are compared.
		took(1 << 12)
		small, large := took(1<<15), took(1<<19)
		for i := 0; i < 20 && large >= 64*small; i++ {
			small, large = min(small, took(1<<15)), min(large, took(1<<19))
		}
		if large >= 64*small {
			t.Errorf("%q: %v for 32 KiB, %v for 512 KiB", piece, small, large)
		}
	}
}

func BenchmarkBody(b *testing.B) {
	for name, piece := range map[string]string{
		"json": `{"id":4711,"name":"a cup of tea","price":12.5,"tags":["blue","large"]},`, "mail": `{"m":"joe@example.com"},`, "one word": "aaaaaaaaaaaaaaaaaaaaaaaaa",
	} {
		b.Run(name, func(b *testing.B) {
			body := strings.Repeat(piece, 100<<10/len(piece))
			e := open(b, "include standard")
			x := exchange(b, lines("GET / HTTP/1.1", "Host: h"), lines("HTTP/1.1 200 OK", fmt.Sprint("Content-Length: ", len(body)))+body)
			b.SetBytes(int64(len(body)))
			var dst []byte
			for b.Loop() {
				dst = e.Append(dst[:0], x)
			}
		})
	}
}
